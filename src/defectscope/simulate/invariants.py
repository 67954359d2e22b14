"""What must hold for every detector however a programme is cut, checked on a clip with findings.

    detector, clip with its defect -> Subject -> chunks | segments | compactness | purity | merge

An outcome over no rows or no findings has not held: an invariant that is met by measuring nothing
tells nothing. docs/invariants.md has the reasons and the table.
"""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.analysis import analyze, merge
from defectscope.detectors.registry import load
from defectscope.engine.background import BackgroundWorker
from defectscope.engine.coverage import Coverage
from defectscope.engine.engine import measure
from defectscope.engine.feeds import Feeds
from defectscope.findings import Finding, Report
from defectscope.measurements import Measurements, Table
from defectscope.media.opening import open_media
from defectscope.media.sidecar import read_captions
from defectscope.media.stream import StreamInfo

# Recursive filters and the decoders' pre-roll: what state can differ by after the context.
FLOAT_TOLERANCE = 2e-4
MAX_BYTES_PER_MINUTE = 64 * 1024
# Frames and runs of sound between two takes.
_ITEMS_PER_TAKE = 23
# No piece is shorter than this, seconds.
_SHORTEST_S = 0.3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invariant compared, and whether it held.

    Attributes:
        rows: Rows of measurements that were compared.
        findings: Findings that were compared.
        broken: What differed, empty where nothing did.
    """

    rows: int
    findings: int
    broken: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether something was compared and nothing differed."""
        return self.rows > 0 and self.findings > 0 and not self.broken


class Subject:
    """A detector and a clip in which it finds something; measured in one pass, once.

    Attributes:
        name: The detector.
        media: The clip.
        captions: Its side-car captions, None for none.
    """

    def __init__(self, name: str, media: Path, captions: Path | None = None) -> None:
        self.name = name
        self.media = media
        self.captions = captions

    @cached_property
    def report(self) -> Report:
        """The report of one pass, with its measurements."""
        return self.analyzed(None, None)

    @cached_property
    def whole(self) -> Measurements:
        """The measurements of one pass; empty where the clip lacks the media it needs."""
        return measurements_of(self.report, self.name)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of one pass."""
        return tuple(self.report.findings)

    @property
    def exact(self) -> bool:
        """Whether pieces must agree bit for bit; sound has recursive filters and a pre-roll."""
        return "audio" not in load(self.name).needs.media

    @property
    def frugal(self) -> bool:
        """Whether a network looks at frames, so that every further pass costs dear."""
        return load(self.name).needs.frames is not None

    def analyzed(self, start_s: float | None, end_s: float | None) -> Report:
        """Analyses a part of the clip by this detector alone."""
        return analyze(
            self.media,
            detectors=[self.name],
            captions=self.captions,
            start_s=start_s,
            end_s=end_s,
            measurements=True,
        )

    def split(self, pieces: int) -> list[Report]:
        """Analyses random pieces of the clip; the cuts follow from the detector's name."""
        rng = random.Random(f"{self.name} {pieces}")
        length_s = float(self.report.asset["duration_s"])
        inner = [
            round(rng.uniform(_SHORTEST_S, length_s - _SHORTEST_S), 3) for _ in range(pieces - 1)
        ]
        cuts = [None, *sorted(inner), None]
        return [self.analyzed(start_s, end_s) for start_s, end_s in pairwise(cuts)]

    @cached_property
    def pieces(self) -> list[Report]:
        """The clip in five pieces, or in three where that costs dear."""
        return self.split(3 if self.frugal else 5)


def measurements_of(report: Report, name: str) -> Measurements:
    """Returns one detector's measurements, without tables where it measured nothing."""
    return next((m for m in report.measurements if m.detector == name), Measurements(name, {}))


def chunks(subject: Subject) -> Outcome:
    """Pushes frames one and seven at a time: the measurements must be the same, bit for bit."""
    broken: list[str] = []
    side = None if subject.captions is None else read_captions(subject.captions)
    detector = load(subject.name)
    for chunk_frames in (1,) if subject.frugal else (1, 7):
        with open_media(subject.media, captions=side) as reader:
            found = measure(reader, [detector], chunk_frames=chunk_frames)
        measured = found.get(subject.name, Measurements(subject.name, {}))
        broken += [f"chunks of {chunk_frames}: {d}" for d in differences(measured, subject.whole)]
    return _outcome(subject, broken)


def segments(subject: Subject) -> Outcome:
    """Joins the measurements of random pieces, each decoded with its context, to one pass."""
    tolerance = 0.0 if subject.exact else FLOAT_TOLERANCE
    joined = Measurements.join([measurements_of(part, subject.name) for part in subject.pieces])
    return _outcome(subject, differences(joined, subject.whole, tolerance))


def compactness(subject: Subject) -> Outcome:
    """Writes the measurements as JSON of at most 64 KB a minute and reads the same ones back."""
    text = json.dumps(subject.whole.to_dict())
    minutes = max(1.0, float(subject.report.asset["duration_s"]) / 60)
    again = Measurements.from_dict(json.loads(text))
    broken = differences(again, subject.whole)
    if len(text) > MAX_BYTES_PER_MINUTE * minutes:
        broken.append(f"{len(text)} bytes of JSON")
    return _outcome(subject, broken)


def purity(subject: Subject) -> Outcome:
    """Decides twice over the same measurements: results equal, measurements unchanged."""
    detector = load(subject.name)
    stream = StreamInfo.from_dict(subject.report.stream or {})
    before = json.dumps(subject.whole.to_dict())
    first = detector.decide(subject.whole, stream)
    broken: list[str] = []
    if detector.decide(subject.whole, stream) != first:
        broken.append("deciding again gives something else")
    if json.dumps(subject.whole.to_dict()) != before:
        broken.append("deciding changes the measurements")
    for finding in first.findings:
        if finding.detector != subject.name or finding.defect not in detector.defects:
            broken.append(f"a finding of {finding.detector}: {finding.defect}")
    return _outcome(subject, broken)


def merged(subject: Subject) -> Outcome:
    """Merges the reports of random pieces, through JSON: the findings must be those of one pass."""
    broken: list[str] = []
    as_json: list[dict[str, Any]] = json.loads(json.dumps([p.to_dict() for p in subject.pieces]))
    report = merge(as_json)
    found = [_place(f) for f in report.findings]
    wanted = [_place(f) for f in subject.findings]
    if found != wanted:
        broken.append(f"{found} instead of {wanted}")
    verdicts = [r.verdicts[subject.name]["verdict"] for r in (report, subject.report)]
    if verdicts[0] != verdicts[1]:
        broken.append(f"{verdicts[0]} instead of {verdicts[1]}")
    return _outcome(subject, broken)


def takes(subject: Subject) -> Outcome:
    """Takes rows of a stream that goes on as they become final: together they are one pass."""
    side = None if subject.captions is None else read_captions(subject.captions)
    detector = load(subject.name)
    parts: list[Measurements] = []
    with open_media(subject.media, captions=side) as reader, BackgroundWorker() as background:
        feeds = Feeds(reader, [detector], None, background, Coverage(reader.info, None, None))
        for number, item in enumerate(reader.read(), 1):
            feeds.add(item)
            if number % _ITEMS_PER_TAKE == 0:
                # At every second take it does not look yet, and has twice as much the next time.
                waits = number // _ITEMS_PER_TAKE % 2
                taken = feeds.take(() if waits else None)
                parts += [taken[subject.name]] if subject.name in taken else []
        parts.append(feeds.close()[subject.name])
    tolerance = 0.0 if subject.exact else FLOAT_TOLERANCE
    return _outcome(subject, differences(_in_order(parts), subject.whole, tolerance))


def _in_order(parts: Sequence[Measurements]) -> Measurements:
    """Joins rows by anchor: complaints of sound and video come a little apart."""
    tables: dict[str, Table] = {}
    for name, head in parts[0].tables.items():
        rows: list[tuple[Any, ...]] = []
        for part in parts:
            rows += zip(*part.tables[name].columns.values(), strict=True)
        rows.sort(key=lambda row: row[0])
        columns = list(zip(*rows, strict=True)) or [()] * len(head.columns)
        kept = {
            key: array(column.typecode, values)
            for (key, column), values in zip(head.columns.items(), columns, strict=True)
        }
        tables[name] = Table(head.ticks_hz, kept)
    return Measurements(parts[0].detector, tables)


INVARIANTS: Mapping[str, Callable[[Subject], Outcome]] = {
    "chunks": chunks,
    "segments": segments,
    "compactness": compactness,
    "purity": purity,
    "merge": merged,
}


def differences(one: Measurements, other: Measurements, tolerance: float = 0.0) -> list[str]:
    """Names the columns in which two measurements differ.

    Args:
        one: Measurements.
        other: Those to compare with.
        tolerance: Relative and absolute, of columns of floats. Where it is not 0, a column of
            integers may round the other way, as what it was rounded from is a float.
    """
    if set(one.tables) != set(other.tables):
        return [f"tables {sorted(one.tables)} and {sorted(other.tables)}"]
    found: list[str] = []
    for key, table in one.tables.items():
        against = other.tables[key]
        if list(table.anchors) != list(against.anchors):
            found.append(f"{key}: {len(table.anchors)} and {len(against.anchors)} rows")
            continue
        for column, values in table.columns.items():
            a, b = np.asarray(values, float), np.asarray(against.columns[column], float)
            if values.typecode in "fd":
                same = np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
            else:
                same = np.max(np.abs(a - b), initial=0) <= (1 if tolerance else 0)
            if not same:
                worst = float(np.nanmax(np.abs(a - b)))
                found.append(f"{key}.{column}: differs by up to {worst:g}")
    return found


def row_count(measurements: Measurements) -> int:
    """Returns how many rows all tables have together."""
    return sum(len(table.anchors) for table in measurements.tables.values())


def _outcome(subject: Subject, broken: Sequence[str]) -> Outcome:
    return Outcome(row_count(subject.whole), len(subject.findings), tuple(broken))


def _place(finding: Finding) -> tuple[str, float, float]:
    return finding.defect, finding.start_s, finding.end_s
