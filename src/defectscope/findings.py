"""What an analysis consists of: intervals, findings, measurements and the report.

Standard library only, so that a client needs nothing else to read an answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from os import PathLike, fspath
from typing import Any, Literal, cast

from defectscope.errors import MalformedRequestError
from defectscope.measurements import Measurements
from defectscope.rows import COLUMNS, html_of, rows_of
from defectscope.verdicts import AssetVerdict, asset_verdict

SCHEMA = "defectscope/report/1"

Verdict = Literal["pass", "warn", "fail", "inconclusive", "not_applicable", "not_judged"]
Severity = Literal["minor", "major", "critical"]
SEVERITIES: tuple[Severity, ...] = ("minor", "major", "critical")
# Why a track was not looked at although it could have been.
NOT_ASKED = "no detector that ran asks for it"


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
        """Returns the seconds that both spans share."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def iou(self, other: Interval) -> float:
        """Returns intersection over union, 0 to 1; two equal instants count as 1."""
        shared = self.intersection_s(other)
        union = self.duration_s + other.duration_s - shared
        if union <= 0.0:
            return 1.0 if self == other else 0.0
        return shared / union


@dataclass(frozen=True, slots=True)
class Finding:
    """One event of one defect, with its true ends.

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
        waiver: Who accepted it, why and until when; None where nobody did.
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
    waiver: Mapping[str, Any] | None = None

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
        findings: Every event, ordered by start.
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
class Report:
    """The analysis of one asset, as `report.json` holds it.

    Attributes:
        asset: `uri`, `duration_s`, and `video` and `audio` facts where there are such streams.
        findings: Every finding of every detector, ordered by start.
        verdicts: Verdict and peak scores by detector.
        curves: Decimated score curves by detector and defect.
        detectors: Version and parameters by detector.
        timing: `wall_s` and `realtime_factor`.
        tracks: Every track of the asset: declared and decoded length, how many frames or samples
            were analyzed, or why it was not.
        measurements: Present only where they were asked for; see `Measurements`.
        stream: With measurements, the stream facts that merging needs; opaque to callers.
        facts: What the container states, by name: codec, raster, rate, colours, labels, ...
        profile: `id`, `title`, `edition` and `sha256` of the delivery profile; None without one.
        rules: What came of each rule of the profile.
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
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    profile: Mapping[str, Any] | None = None
    rules: tuple[Mapping[str, Any], ...] = ()

    @property
    def verdict(self) -> AssetVerdict:
        """The asset's verdict: `pass`, `warn`, `fail` or `not_judged`."""
        return self._verdict_and_reason()[0]

    @property
    def reason(self) -> str:
        """What decided the verdict, in a few words; empty for a plain pass."""
        return self._verdict_and_reason()[1]

    def _verdict_and_reason(self) -> tuple[AssetVerdict, str]:
        return asset_verdict(self.verdicts, self.rules if self.profile is not None else None)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as `report.json`'s object."""
        out: dict[str, Any] = {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "reason": self.reason,
            "profile": None if self.profile is None else dict(self.profile),
            "rules": [dict(rule) for rule in self.rules],
            "facts": dict(self.facts),
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
        """Returns the report as JSON text."""
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
                facts=dict(body.get("facts", {})),
                profile=body.get("profile"),
                rules=tuple(dict(rule) for rule in body.get("rules", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedRequestError(f"the report is damaged: {error}") from None

    @staticmethod
    def from_json(text: str | bytes) -> Report:
        """Reads a report's JSON text.

        Raises:
            MalformedRequestError: It is not JSON, or not a report of this schema.
        """
        try:
            return Report.from_dict(json.loads(text))
        except ValueError:
            raise MalformedRequestError("this is not JSON") from None

    def rows(self) -> list[dict[str, Any]]:
        """Returns a flat row for each finding: where, what, how sure, and which rules it breaks."""
        return rows_of(self)

    def to_dataframe(self) -> Any:
        """Returns the rows as a pandas DataFrame; pandas must be installed."""
        return import_module("pandas").DataFrame(self.rows(), columns=list(COLUMNS))

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the report; the suffix says as what: .json, .html, .csv, .jsonl, .edl, .ale, ...

        All but .json need the `engine` extra.

        Raises:
            InvalidParameterError: Nothing is written under that suffix, or not there.
        """
        if not fspath(path).endswith(".json"):
            # Above this layer: the client reads reports without drawing them.
            import_module("defectscope.report.saving").save(self, path)
            return
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.to_json(indent=2) + "\n")

    def _repr_html_(self) -> str:
        """Returns what a notebook shows."""
        return html_of(self)

    def worst_severity(self) -> Severity | None:
        """Returns the highest severity among the findings, None when there are none."""
        return worst(finding.severity for finding in self.findings)


def worst(severities: Iterable[Severity]) -> Severity | None:
    """Returns the highest of some severities, None for none."""
    return max(severities, key=SEVERITIES.index, default=None)


def _finding(data: Mapping[str, Any]) -> Finding:
    """Reads a finding; what a later version added to it is left out."""
    known = {f.name for f in fields(Finding)}
    return Finding(**{name: value for name, value in data.items() if name in known})


def _drop_none(mapping: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in mapping.items() if v is not None}
