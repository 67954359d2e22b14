"""Parameters of simulators: drawn from a severity, set by name, written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np


def parameters(params: Any) -> dict[str, Any]:
    """Returns a Params object as a JSON-ready mapping."""
    return asdict(params)


def same_kind(params: Any, given: Mapping[str, Any]) -> bool:
    """Tells whether the named choices among the given values are those of a draw."""
    drawn = asdict(params)
    return all(v == given[k] for k, v in drawn.items() if k in given and isinstance(v, str))


def ladder(severity: float, steps: tuple[float, float, float, float, float]) -> float:
    """Returns the value of a severity from those of its five steps, straight lines between."""
    return float(np.interp(severity, (1, 2, 3, 4, 5), steps))


def jitter(rng: np.random.Generator, value: float, share: float = 0.1) -> float:
    """Returns a value drawn within +- `share` of the given one, so that no two clips are alike."""
    return value * float(rng.uniform(1 - share, 1 + share))
