"""Holds a handler to the rules that its code shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from defectscope.analysis import MeasuredAsset
from defectscope.errors import ServingError


def ruled_by(measured: MeasuredAsset, *rules: Callable[..., Any]) -> MeasuredAsset:
    """Returns what was measured, whose detectors decide by exactly these rules.

    Args:
        measured: What was measured.
        rules: What turns the networks' outputs into findings, in the order in which it runs.

    Raises:
        ServingError: A detector decides by other ones.
    """
    for detector in measured.detectors:
        if rules != getattr(detector, "rules", ()):
            raise ServingError(f"{detector.name} decides by other rules than its handler says")
    return measured
