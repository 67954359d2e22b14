"""Bounds of severity as parameters: `severity.true_peak.major`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from defectscope.engine.contracts import Detector, Tuned
from defectscope.errors import InvalidParameterError
from defectscope.findings import SEVERITIES

# Bounds hold magnitudes: of levels, areas, durations and counts.
MAX_BOUND = 1e6


def with_bounds(tuned: Tuned, values: Mapping[str, Any]) -> Tuned:
    """Returns an artifact with bounds of severity replaced.

    Args:
        tuned: The artifact.
        values: Bounds by name, as `severity.true_peak.major`.

    Raises:
        InvalidParameterError: There is no such bound, or it is no number.
    """
    rules = copy.deepcopy(dict(tuned.severity))
    for name, value in values.items():
        *path, bound = name.split(".")[1:]
        place: Any = rules
        for step in path:
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, dict) or "measure" not in place or bound not in SEVERITIES[1:]:
            known = ", ".join(bound_names(tuned.severity))
            raise InvalidParameterError(f"unknown bound {name!r}; there are: {known or 'none'}")
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= MAX_BOUND
        ):
            raise InvalidParameterError(f"{name} is a number, 0 to {MAX_BOUND:g}, not {value!r}")
        place[bound] = float(value)
    return replace(tuned, severity=rules)


def bound_names(rules: Mapping[str, Any], prefix: str = "severity") -> dict[str, float]:
    """Returns the bounds of severity by the names under which they can be set."""
    found: dict[str, float] = {}
    for name, value in rules.items():
        if isinstance(value, Mapping):
            found |= bound_names(cast("Mapping[str, Any]", value), f"{prefix}.{name}")
        elif name in SEVERITIES[1:]:
            found[f"{prefix}.{name}"] = float(value)
    return found


def bounds_set(detector: Detector) -> dict[str, float]:
    """Returns the bounds of severity that are not the artifact's own."""
    used = getattr(detector, "tuned", None)
    if not isinstance(used, Tuned):
        return {}
    released = bound_names(used.artifact.get("severity", {}))
    now = bound_names(used.severity)
    return {name: value for name, value in now.items() if released.get(name) != value}
