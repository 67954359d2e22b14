"""The limits that a report's curves are held against, to be drawn as lines."""

from __future__ import annotations

from typing import Any, NamedTuple

from defectscope.findings import Report


class _Line(NamedTuple):
    """One limit: which parameters of the detector add up to it, and its words."""

    curve: str
    parameters: tuple[tuple[str, float], ...]
    words: str


# Curves whose unit is that of a parameter. A score has no limit that a user could read.
_LINES: dict[str, tuple[_Line, ...]] = {
    "loudness": (
        _Line("loudness", (("target_lufs", 1.0),), "target"),
        _Line("loudness", (("target_lufs", 1.0), ("tolerance_lu", 1.0)), "highest"),
        _Line("loudness", (("target_lufs", 1.0), ("tolerance_lu", -1.0)), "lowest"),
        _Line("true_peak", (("max_true_peak_dbtp", 1.0),), "highest"),
    ),
    "letterbox": (_Line("letterbox", (("max_inactive_share", 1.0),), "largest share of bars"),),
}
# A black frame and a damaged one are decided at a bound of the released artifact.
_THRESHOLDS = {
    ("black_frames", "black_frames"): ("dark_share", "black from here"),
    ("block_corruption", "block_corruption"): ("decision", "reported from here"),
}


def limits_of(report: Report) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Returns the limits as `value` and `label`, by detector and curve.

    Those of parameters are the report's own; those of an artifact are drawn where the installed one
    is of the version that the report names.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for detector, lines in _LINES.items():
        parameters = report.detectors.get(detector, {}).get("parameters", {})
        for curve, names, words in lines:
            values = [parameters.get(name) for name, _ in names]
            if curve not in report.curves.get(detector, {}):
                continue
            if all(isinstance(v, int | float) for v in values):
                value = sum(float(parameters[name]) * sign for name, sign in names)
                line = {"value": round(value, 4), "label": words}
                found.setdefault(detector, {}).setdefault(curve, []).append(line)
    for (detector, curve), (name, words) in _THRESHOLDS.items():
        bound = _threshold(detector, name, report)
        if bound is not None and curve in report.curves.get(detector, {}):
            found.setdefault(detector, {})[curve] = [{"value": bound, "label": words}]
    return found


def _threshold(detector: str, name: str, report: Report) -> float | None:
    from defectscope.engine.artifacts import tuned
    from defectscope.errors import DefectscopeError

    entry = report.detectors.get(detector)
    if entry is None:
        return None
    try:
        released = tuned(detector)
    except DefectscopeError:
        return None
    return released.thresholds.get(name) if released.version == entry.get("version") else None
