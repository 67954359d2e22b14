"""Compares the answer that a README shows with one that was given."""

from __future__ import annotations

from typing import Any

# What a README says that it leaves out.
LEFT_OUT = {"curves", "detectors", "facts", "timing"}
# What a network's score, or a measurement by floats, may differ by between processors.
SHARE, STEP = 0.05, 0.02
# One frame at 25 frames a second, seconds: what is found has its ends to the frame.
TIME_S = 0.0401


def unlike(shown: Any, given: Any, place: str = "answer") -> list[str]:
    """Names every place where two answers differ; numbers by more than the tolerances."""
    if isinstance(shown, dict) and isinstance(given, dict):
        found = [f"{place}.{key} is only in one" for key in shown.keys() ^ given.keys()]
        for key in shown.keys() & given.keys():
            found += unlike(shown[key], given[key], f"{place}.{key}")
        return found
    if isinstance(shown, list) and isinstance(given, list):
        if len(shown) != len(given):
            return [f"{place}: {len(shown)} entries are shown, {len(given)} were given"]
        pairs = enumerate(zip(shown, given, strict=True))
        return [d for k, pair in pairs for d in unlike(*pair, f"{place}[{k}]")]
    if isinstance(shown, float) and isinstance(given, float):
        allowed = TIME_S if place.endswith(("start_s", "end_s")) else STEP + SHARE * abs(shown)
        same = abs(shown - given) <= allowed
    else:
        same = type(shown) is type(given) and shown == given
    return [] if same else [f"{place}: {shown!r} is shown, {given!r} was given"]
