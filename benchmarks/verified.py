"""Defects that a person verified by eye or waveform in recordings as published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scoring import MATCH_IOU

from defectscope.findings import Interval

EXPECTED = Path(__file__).resolve().parents[1] / "tests" / "expected_findings"


def expected() -> dict[str, list[dict[str, Any]]]:
    """Returns what is known to be in the files, by file name."""
    known: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(EXPECTED.glob("*.json")):
        for name, findings in json.loads(path.read_text("utf-8")).get("files", {}).items():
            known.setdefault(name, []).extend(findings)
    return known


def is_expected(finding: Sequence[Any], known: Sequence[Mapping[str, Any]]) -> bool:
    """Tells whether somebody verified this finding."""
    _, defect, start_s, end_s, _ = finding
    span = Interval(start_s, end_s)
    return any(
        k["defect"] == defect
        and (
            span.iou(Interval(k["start_s"], k["end_s"])) >= MATCH_IOU
            # An interval that holds many: each of them lies inside it.
            or (k.get("many") and k["start_s"] <= start_s and end_s <= k["end_s"])
        )
        for k in known
    )


def has_already(name: str, defects: Sequence[str]) -> bool:
    """Tells whether a recording has one of these defects of its own.

    What is simulated in it would not be all that is true of it.
    """
    return any(entry["defect"] in defects for entry in expected().get(name, ()))


def throughout() -> dict[str, set[str]]:
    """Returns the defects that recordings have from end to end, by file name.

    Whatever part of such a recording is cut out, and whatever is made in it, has them too.
    """
    out: dict[str, set[str]] = {}
    for name, entries in expected().items():
        for entry in entries:
            if entry.get("throughout"):
                out.setdefault(name, set()).add(entry["defect"])
    return out
