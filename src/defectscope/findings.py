"""What a judgement consists of: intervals, findings, measurements and the report.

Standard library only, so that a client needs nothing else to read an answer.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, cast

from defectscope.errors import MalformedRequestError

SCHEMA = "defectscope/report/1"

Verdict = Literal["pass", "fail", "inconclusive", "not_applicable", "not_judged"]
Severity = Literal["minor", "major", "critical"]
SEVERITIES: tuple[Severity, ...] = ("minor", "major", "critical")

# Type codes of `array.array` whose item size is the same on every platform we run on.
_TYPECODES = frozenset("bBhHiIqQfd")
# A record that inflates to more than this is not one of ours (64 KB a minute, 100 hours).
_MAX_COLUMN_BYTES = 400 * 1024 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open span of programme time, [start_s, end_s), in seconds from the first frame."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.end_s >= self.start_s:
            raise ValueError(f"interval ends before it starts: {self.start_s} .. {self.end_s}")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def intersection_s(self, other: Interval) -> float:
        """Gives the seconds that both spans share."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def iou(self, other: Interval) -> float:
        """Gives intersection over union, 0 to 1; two equal instants count as 1."""
        shared = self.intersection_s(other)
        union = self.duration_s + other.duration_s - shared
        if union <= 0.0:
            return 1.0 if self == other else 0.0
        return shared / union


@dataclass(frozen=True, slots=True)
class Finding:
    """One occurrence of one defect, with its true ends.

    Attributes:
        detector: Which detector reported it.
        defect: Which of the detector's defects it is.
        start_s: First instant of the defect, seconds from the first presented frame.
        end_s: First instant after the defect.
        start_frame: Frame on the nominal-rate grid in which it starts; None without video.
        end_frame: First frame on that grid after it.
        start_timecode: SMPTE timecode (HH:MM:SS:FF, `;` for drop-frame) of `start_frame`.
        end_timecode: Likewise of `end_frame`.
        track: Number of the track in the container, where there are several of its medium.
        confidence: Calibrated probability, 0 to 1, that this is a defect.
        severity: `minor`, `major` or `critical`, by the detector's rules.
        evidence: The measured quantities behind it; names carry their units.
    """

    detector: str
    defect: str
    start_s: float
    end_s: float
    confidence: float
    severity: Severity
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    start_frame: int | None = None
    end_frame: int | None = None
    start_timecode: str | None = None
    end_timecode: str | None = None
    track: int | None = None

    @property
    def interval(self) -> Interval:
        """The finding's span."""
        return Interval(self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class Curve:
    """A score over time, decimated to its minimum and maximum per step of `step_s` seconds."""

    step_s: float
    min: Sequence[float]
    max: Sequence[float]


@dataclass(frozen=True, slots=True)
class DetectorResult:
    """What one detector says about one stream.

    Attributes:
        verdict: `pass`, `fail`, `inconclusive`, `not_applicable` or `not_judged`.
        findings: Every occurrence, ordered by start.
        peak_score: Highest score per defect, 0 to 1 or in the unit that its name carries.
        curves: Score over time per defect.
        reason: Why there is no verdict; empty where there is one.
    """

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    peak_score: Mapping[str, float] = field(default_factory=dict[str, float])
    curves: Mapping[str, Curve] = field(default_factory=dict[str, Curve])
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in time order: equally long columns, the first of which is the anchor.

    The anchor column holds int64 ticks of the table's own grid (`ticks_hz` a second, t = 0 at the
    first presented frame), so that rows can be cut to a segment and joined without knowing what
    they mean. `array.array` columns are free to read through `numpy.frombuffer`.
    """

    ticks_hz: tuple[int, int]
    columns: Mapping[str, array[Any]]

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)}")
        if not self.columns or next(iter(self.columns.values())).typecode != "q":
            raise ValueError("the first column of a table is its anchor and holds int64 ticks")

    @property
    def anchors(self) -> array[Any]:
        """The anchor column, int64 ticks."""
        return next(iter(self.columns.values()))

    def __len__(self) -> int:
        return len(self.anchors)

    def seconds(self, row: int) -> float:
        """Gives the time of a row in seconds."""
        numerator, denominator = self.ticks_hz
        return self.anchors[row] * denominator / numerator

    def rows(self, first: int, last: int) -> Table:
        """Gives rows [first, last) as a table."""
        return Table(self.ticks_hz, {k: v[first:last] for k, v in self.columns.items()})


@dataclass(frozen=True, slots=True)
class Measurements:
    """What an analysis measured: tables on the stream's absolute time grid.

    Segments of one stream join by concatenation (`Measurements.join`); a detector's `decide` turns
    the joined tables into findings. The JSON form is compact: each column is compressed and, for
    integers, stored as differences.
    """

    detector: str
    tables: Mapping[str, Table]

    @staticmethod
    def join(parts: Sequence[Measurements]) -> Measurements:
        """Gives the measurements of consecutive segments as those of one pass.

        Args:
            parts: Measurements of one detector, ordered by segment, without overlap.

        Raises:
            MalformedRequestError: The parts are not segments of one stream in order.
        """
        if not parts:
            raise MalformedRequestError("no measurements to merge")
        head = parts[0]
        tables: dict[str, Table] = {}
        # A track that begins on the way (`track/table`) is no part of the segments before it.
        named = {k: t for part in parts for k, t in part.tables.items() if "/" in k}
        for name, table in (named | dict(head.tables)).items():
            first = table if name in head.tables else table.rows(0, 0)
            columns = {k: array(v.typecode, v) for k, v in first.columns.items()}
            for part in parts[1:]:
                other = part.tables.get(name)
                if other is None and "/" in name and part.detector == head.detector:
                    continue
                if part.detector != head.detector or other is None:
                    raise MalformedRequestError("measurements of different detectors or versions")
                if other.ticks_hz != table.ticks_hz or set(other.columns) != set(columns):
                    raise MalformedRequestError(f"segments disagree about table {name!r}")
                for key, column in columns.items():
                    if column.typecode != other.columns[key].typecode:
                        raise MalformedRequestError(f"segments disagree about column {key!r}")
                    column.extend(other.columns[key])
            anchors = next(iter(columns.values()))
            if any(anchors[i] > anchors[i + 1] for i in range(len(anchors) - 1)):
                raise MalformedRequestError("segments overlap or are out of order")
            tables[name] = Table(table.ticks_hz, columns)
        return Measurements(head.detector, tables)

    def to_dict(self) -> dict[str, Any]:
        """Gives the JSON form."""
        return {
            "detector": self.detector,
            "tables": {
                name: {
                    "ticks_hz": list(table.ticks_hz),
                    "columns": {k: _pack(v) for k, v in table.columns.items()},
                }
                for name, table in self.tables.items()
            },
        }

    @staticmethod
    def from_dict(data: Any) -> Measurements:
        """Reads the JSON form.

        Raises:
            MalformedRequestError: It is not what `to_dict` writes.
        """
        try:
            tables: dict[str, Table] = {}
            for name, table in data["tables"].items():
                numerator, denominator = table["ticks_hz"]
                if not (int(numerator) > 0 and int(denominator) > 0):
                    raise ValueError("ticks_hz must be positive")
                tables[str(name)] = Table(
                    (int(numerator), int(denominator)),
                    {str(k): _unpack(v) for k, v in table["columns"].items()},
                )
            return Measurements(str(data["detector"]), tables)
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
            raise MalformedRequestError(f"these are not measurements: {error}") from None


def _pack(column: array[Any]) -> dict[str, Any]:
    """Compresses a column; integer columns as differences, which shrinks time stamps to nothing."""
    raw = column
    if column.typecode == "q" and len(column) > 1:
        raw = array("q", [column[0]])
        raw.extend(column[i] - column[i - 1] for i in range(1, len(column)))
    if sys.byteorder == "big":
        raw = array(raw.typecode, raw)
        raw.byteswap()
    packed = zlib.compress(raw.tobytes(), 6)
    return {
        "type": column.typecode,
        "length": len(column),
        "data": base64.b64encode(packed).decode("ascii"),
    }


def _unpack(data: Mapping[str, Any]) -> array[Any]:
    typecode = str(data["type"])
    if typecode not in _TYPECODES:
        raise ValueError(f"unknown column type {typecode!r}")
    column = array(typecode)
    wanted = int(data["length"]) * column.itemsize
    if not 0 <= wanted <= _MAX_COLUMN_BYTES:
        raise ValueError("column too long")
    inflater = zlib.decompressobj()
    raw = inflater.decompress(base64.b64decode(str(data["data"]), validate=True), wanted + 1)
    if len(raw) != wanted:
        raise ValueError("column length does not match its data")
    column.frombytes(raw)
    if sys.byteorder == "big":
        column.byteswap()
    if typecode == "q":
        total = 0
        for index, step in enumerate(column):
            total += step
            column[index] = total
    return column


@dataclass(frozen=True, slots=True)
class Report:
    """The judgement of one asset, as `report.json` holds it.

    Attributes:
        asset: `uri`, `duration_s`, and `video` and `audio` facts where there are such streams.
        findings: Every finding of every detector, ordered by start.
        verdicts: Verdict and peak scores by detector.
        curves: Decimated score curves by detector and defect.
        detectors: Version and parameters by detector.
        timing: `wall_s` and `realtime_factor`.
        tracks: Every track of the asset: declared and decoded length, how many frames or samples
            were judged, or why it was not.
        measurements: Present only where they were asked for; see `Measurements`.
        stream: With measurements, the stream facts that merging needs; opaque to callers.
    """

    asset: Mapping[str, Any]
    findings: tuple[Finding, ...]
    verdicts: Mapping[str, Mapping[str, Any]]
    curves: Mapping[str, Mapping[str, Curve]]
    detectors: Mapping[str, Mapping[str, Any]]
    timing: Mapping[str, float]
    measurements: tuple[Measurements, ...] = ()
    stream: Mapping[str, Any] | None = None
    tracks: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Gives the report as `report.json`'s object."""
        out: dict[str, Any] = {
            "schema": SCHEMA,
            "asset": dict(self.asset),
            "tracks": [dict(track) for track in self.tracks],
            "findings": [_drop_none(asdict(finding)) for finding in self.findings],
            "verdicts": {k: dict(v) for k, v in self.verdicts.items()},
            "curves": {
                detector: {
                    defect: {"step_s": c.step_s, "min": list(c.min), "max": list(c.max)}
                    for defect, c in by_defect.items()
                }
                for detector, by_defect in self.curves.items()
            },
            "detectors": {k: dict(v) for k, v in self.detectors.items()},
            "timing": dict(self.timing),
        }
        if self.measurements:
            out["measurements"] = [m.to_dict() for m in self.measurements]
        if self.stream is not None:
            out["stream"] = dict(self.stream)
        return out

    def to_json(self, *, indent: int | None = None) -> str:
        """Gives the report as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @staticmethod
    def from_dict(data: Any) -> Report:
        """Reads a report's object.

        Raises:
            MalformedRequestError: It is not a report of this schema.
        """
        if not isinstance(data, Mapping):
            raise MalformedRequestError("this is not a defectscope report")
        body = cast("Mapping[str, Any]", data)
        if body.get("schema") != SCHEMA:
            raise MalformedRequestError(f"this is not a {SCHEMA} document")
        try:
            return Report(
                asset=dict(body["asset"]),
                findings=tuple(_finding(finding) for finding in body["findings"]),
                verdicts={k: dict(v) for k, v in body["verdicts"].items()},
                curves={
                    detector: {
                        defect: Curve(float(c["step_s"]), tuple(c["min"]), tuple(c["max"]))
                        for defect, c in by_defect.items()
                    }
                    for detector, by_defect in body["curves"].items()
                },
                detectors={k: dict(v) for k, v in body["detectors"].items()},
                timing=dict(body["timing"]),
                measurements=tuple(Measurements.from_dict(m) for m in body.get("measurements", ())),
                stream=body.get("stream"),
                tracks=tuple(dict(track) for track in body.get("tracks", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedRequestError(f"the report is damaged: {error}") from None

    def worst_severity(self) -> Severity | None:
        """Gives the highest severity among the findings, None when there are none."""
        return worst(finding.severity for finding in self.findings)


def worst(severities: Iterable[Severity]) -> Severity | None:
    """Gives the highest of some severities, None for none."""
    return max(severities, key=SEVERITIES.index, default=None)


def _finding(data: Mapping[str, Any]) -> Finding:
    """Reads a finding; what a later version added to it is left out."""
    known = {f.name for f in fields(Finding)}
    return Finding(**{name: value for name, value in data.items() if name in known})


def _drop_none(mapping: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in mapping.items() if v is not None}
