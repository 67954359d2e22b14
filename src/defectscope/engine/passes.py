"""What a learned detector runs, step by step; its handler shows the same in its own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NetworkPass:
    """One network, and what lies around it.

    Attributes:
        network: Class and method, as "SyncNet.embed_sound", or the file of a model of others.
        batch: Inputs that it takes in one run.
        inputs: What makes its inputs, in the order in which it runs.
        outputs: What reads its outputs, in the order in which it runs.
    """

    network: str
    batch: int
    inputs: tuple[Callable[..., Any], ...]
    outputs: tuple[Callable[..., Any], ...] = ()
