"""Evaluation on labelled media: anybody's real defects, in the same tables as ours.

A folder of media files, each with its truth beside it (`FILE.truth.json`, as `defectscope
simulate` writes it), or one `truth.json` for all:

    {"clip.mp4": [{"defect": "audio_hum", "start_s": 3.0, "end_s": 9.5}], "clean.mp4": []}

A file without truth is not analyzed; an empty list says that it is clean.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from rich import box
from rich.table import Table

from defectscope.analysis import analyze
from defectscope.detectors.registry import detector_class
from defectscope.errors import InvalidParameterError, MediaError
from defectscope.findings import Interval
from defectscope.training.scores import poisson_upper, wilson

# An event counts as found when a finding covers it like this, one to one.
MIN_IOU = 0.5
_TRUTH = ".truth.json"


@dataclass(slots=True)
class Tally:
    """Counts of one defect over a folder.

    Attributes:
        events: Events in the truth.
        found: Of them, matched one to one with IoU >= 0.5.
        touched: Of them, met by any finding of the defect at all.
        false: Findings that touch no event of the defect.
        findings: Findings in all.
    """

    events: int = 0
    found: int = 0
    touched: int = 0
    false: int = 0
    findings: int = 0
    errors_s: list[float] = field(default_factory=list[float])


def evaluate_folder(
    detector: str, folder: Path, progress: Callable[[int, int, str], None] | None = None
) -> dict[str, Any]:
    """Evaluates every labelled file of a folder and counts.

    Args:
        detector: Name of the detector.
        folder: See the module's docstring.
        progress: Told how many files are done, of how many, and which comes next.

    Returns:
        Per defect: events, found, touched, precision, recall with its interval, F1, false alarms
        in ten minutes with their upper bound; files, minutes, files that could not be read; and
        one by one the events that no finding touches and the findings that touch no event.

    Raises:
        InvalidParameterError: The folder holds no labelled media.
    """
    truths = read_truths(folder)
    defects = tuple(cast("Sequence[str]", detector_class(detector).defects))
    tallies = {name: Tally() for name in defects}
    unreadable: list[str] = []
    missed: list[dict[str, Any]] = []
    false: list[dict[str, Any]] = []
    clean_s = total_s = 0.0
    for place, (name, entries) in enumerate(sorted(truths.items())):
        if progress is not None:
            progress(place, len(truths), name)
        try:
            report = analyze(str(folder / name), detectors=[detector])
        except MediaError as error:
            unreadable.append(f"{name}: {error.message}")
            continue
        total_s += float(report.asset["duration_s"])
        own = [e for e in entries if e["defect"] in defects]
        if not own:
            clean_s += float(report.asset["duration_s"])
        for defect, tally in tallies.items():
            expected = [
                Interval(float(e["start_s"]), float(e["end_s"]))
                for e in own
                if e["defect"] == defect
            ]
            predicted = [f.interval for f in report.findings if f.defect == defect]
            count(tally, expected, predicted)
            facts = {"file": name, "defect": defect}
            missed += [{**facts, **asdict(e)} for e in _alone(expected, predicted)]
            false += [{**facts, **asdict(s)} for s in _alone(predicted, expected)]
    return {
        "detector": detector,
        "files": len(truths) - len(unreadable),
        "unreadable": unreadable,
        "minutes": round(total_s / 60, 3),
        "clean_minutes": round(clean_s / 60, 3),
        "defects": {name: _summary(tally, total_s) for name, tally in tallies.items()},
        "missed": missed,
        "false": false,
    }


def read_truths(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the labelled events by file name.

    Raises:
        InvalidParameterError: There are none, or they cannot be read.
    """
    truths: dict[str, list[dict[str, Any]]] = {}
    try:
        common = folder / "truth.json"
        if common.exists():
            truths |= cast("dict[str, list[dict[str, Any]]]", json.loads(common.read_text("utf-8")))
        for file in sorted(folder.glob(f"*{_TRUTH}")):
            truths[file.name.removesuffix(_TRUTH)] = json.loads(file.read_text("utf-8"))["defects"]
        for entries in truths.values():
            for entry in entries:
                Interval(float(entry["start_s"]), float(entry["end_s"]))
                str(entry["defect"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidParameterError(f"truth in {folder} cannot be read: {error!r}") from None
    if not truths:
        raise InvalidParameterError(f"{folder} holds no truth.json and no *{_TRUTH}")
    return truths


def count(tally: Tally, expected: Sequence[Interval], predicted: Sequence[Interval]) -> None:
    """Adds one file's events and findings; the best overlaps are matched first."""
    pairs = sorted(
        ((e.iou(s), i, j) for i, e in enumerate(expected) for j, s in enumerate(predicted)),
        reverse=True,
    )
    taken: set[tuple[str, int]] = set()
    for overlap, i, j in pairs:
        if overlap < MIN_IOU or ("e", i) in taken or ("s", j) in taken:
            continue
        taken |= {("e", i), ("s", j)}
        tally.found += 1
        tally.errors_s.append(abs(expected[i].start_s - predicted[j].start_s))
    tally.events += len(expected)
    tally.findings += len(predicted)
    tally.touched += len(expected) - len(_alone(expected, predicted))
    tally.false += len(_alone(predicted, expected))


def _alone(those: Sequence[Interval], others: Sequence[Interval]) -> list[Interval]:
    """Returns those intervals that touch none of the others."""
    return [one for one in those if not any(one.intersection_s(other) > 0 for other in others)]


def _summary(tally: Tally, total_s: float) -> dict[str, Any]:
    low, high = wilson(tally.found, tally.events)
    tens = max(total_s / 600, 1e-9)
    both = tally.events + tally.findings
    return {
        "events": tally.events,
        "found": tally.found,
        "touched": tally.touched,
        "findings": tally.findings,
        "recall": round(tally.found / tally.events, 4) if tally.events else None,
        "recall_interval": [round(low, 4), round(high, 4)] if tally.events else None,
        "precision": round(tally.found / tally.findings, 4) if tally.findings else None,
        "f1": round(2 * tally.found / both, 4) if both else None,
        "false_alarms": tally.false,
        "false_per_10_min": round(tally.false / tens, 3),
        "false_per_10_min_upper_95": round(poisson_upper(tally.false) / tens, 3),
        "start_error_s": round(sorted(tally.errors_s)[len(tally.errors_s) // 2], 3)
        if tally.errors_s
        else None,
    }


# Heads of the table, with what stands under each and the bound beside it.
_HEADS: dict[str, tuple[str, str]] = {
    "events": ("events", ""),
    "met": ("touched", ""),
    "found": ("found", ""),
    "recall": ("recall", "recall_interval"),
    "precision": ("precision", ""),
    "F1": ("f1", ""),
    "false": ("false_alarms", ""),
    "in 10 min": ("false_per_10_min", "false_per_10_min_upper_95"),
}


def tables(result: Mapping[str, Any]) -> list[Table]:
    """Returns the result as tables for a terminal of 80 columns; bounds stand on a second line."""
    table = Table(
        title=f"{result['detector']}: {result['files']} files, {result['minutes']:.1f} min",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    table.add_column("defect", no_wrap=True)
    for head in _HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    for name, entry in result["defects"].items():
        cells = [_cell(entry[key], entry.get(bound)) for key, bound in _HEADS.values()]
        table.add_row(name, *cells)
    return [table]


def _cell(value: float | None, bound: float | Sequence[float] | None) -> str:
    if value is None:
        return "-"
    shown = str(value) if isinstance(value, int) else f"{value:.2f}"
    if bound is None:
        return shown
    if isinstance(bound, float | int):
        return f"{shown}\nunder {bound:.3g}"
    return shown + "\n{:.2f} to {:.2f}".format(*bound)
