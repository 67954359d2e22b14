"""Compares two reports of a title, where the media is no longer at hand: batch runs of two encodes.

There are no frames to align, so times are compared as they are, and reports of different lengths,
or of different detectors, are not comparable.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from defectscope.compare.alignment import NotComparableError
from defectscope.compare.finding_changes import match_findings
from defectscope.compare.pair import Comparison, differing, verdict_of
from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Report

SUFFIX = ".json"
# Encoders round a title's end to whole frames of sound and video; an edit is longer.
_SAME_LENGTH_S = 0.5


def compare_reports(base: Report, candidate: Report) -> Comparison:
    """Returns the comparison of two reports of one title; nothing of the media is read.

    Args:
        base: Report of the baseline.
        candidate: Report of the candidate, made by the same detectors.

    Raises:
        NotComparableError: The media differ in length, or they were analyzed by other detectors.
    """
    lengths_s = [float(report.asset.get("duration_s") or 0.0) for report in (base, candidate)]
    if abs(lengths_s[0] - lengths_s[1]) > _SAME_LENGTH_S:
        raise NotComparableError(
            f"the baseline lasts {lengths_s[0]:.2f} s, the candidate {lengths_s[1]:.2f} s: reports "
            "cannot be aligned; compare the media"
        )
    unlike = _unlike(base, candidate)
    if unlike:
        raise NotComparableError(f"analyzed in different ways: {'; '.join(unlike)}")
    changes = match_findings(base.findings, candidate.findings, lambda time_s: time_s)
    verdict, reasons = verdict_of(changes, None, None)
    return Comparison(
        base=base,
        candidate=candidate,
        alignment=None,
        sound=None,
        quality=None,
        findings=tuple(changes),
        facts=differing(base.asset, candidate.asset),
        verdict=verdict,
        reasons=reasons,
    )


def read_report(path: Path) -> Report:
    """Returns the report of a file.

    Raises:
        InvalidParameterError: It cannot be read, or holds something else.
    """
    try:
        return Report.from_dict(json.loads(path.read_bytes()))
    except OSError as error:
        raise InvalidParameterError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError, MalformedRequestError) as error:
        raise InvalidParameterError(f"{path}: {error}") from None


def is_report(path: Path) -> bool:
    """Whether a path is a report's file, or a folder that holds nothing else."""
    if path.is_dir():
        files = [p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")]
        return bool(files) and all(p.suffix == SUFFIX for p in files)
    return path.suffix == SUFFIX and path.is_file()


def _unlike(base: Report, candidate: Report) -> list[str]:
    """Returns which detectors differ, or ran on one side alone."""
    found: list[str] = []
    for name in sorted({*base.detectors, *candidate.detectors}):
        one, other = (_way(r.detectors.get(name)) for r in (base, candidate))
        if one is None or other is None:
            found.append(f"{name} ran on the {'candidate' if one is None else 'baseline'} alone")
        elif one["version"] != other["version"]:
            found.append(f"{name} {one['version']} and {other['version']}")
        elif one != other:
            found.append(f"{name} with other parameters")
    return found


def _way(detector: Any) -> dict[str, Any] | None:
    if detector is None:
        return None
    fields = cast("dict[str, Any]", detector)
    return {name: fields.get(name) for name in ("version", "parameters", "artifact")}
