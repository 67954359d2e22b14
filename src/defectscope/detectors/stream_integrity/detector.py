"""Stream integrity: what the demuxer and decoders complain about, and clocks that do not agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from defectscope.detection.artifacts import severity_of
from defectscope.detection.contracts import Chunk, Needs, Tuned
from defectscope.detection.spans import curve
from defectscope.detection.tables import TableBuilder, column, times_s
from defectscope.findings import DetectorResult, Finding, Measurements
from defectscope.media.frames import LOUDEST, DecodeEvent
from defectscope.media.stream import StreamInfo

_TICKS_HZ = 90_000  # the MPEG clock: every container's time stamps round to it without harm
_KINDS = (
    "decode_error",
    "corrupt_frame",
    "corrupt_packet",
    "size_change",
    "audio_gap",
    "audio_overlap",
    "truncated",
    "video_gap",
    "video_overlap",
    "invalid_samples",
)
# Kinds that are several reports of one fault when they follow closely.
_RUNNING = (
    "decode_error",
    "corrupt_frame",
    "corrupt_packet",
    "size_change",
    "invalid_samples",
    "video_gap",
    "audio_gap",
)
# Samples that are no numbers are reported by stretches of 20 ms of the programme.
_HOPS_HZ = 50


@dataclass(frozen=True, slots=True)
class Params:
    """Physical parameters.

    Attributes:
        join_s: Complaints closer than this are one occurrence, seconds.
        max_frame_gap: A step between frames above this many nominal durations is a gap.
        max_start_offset_s: Sound may start this much before or after the picture, seconds.
            Encoder priming and coarse interleaving stay below.
        max_length_difference_s: Sound and picture may differ in length by this, seconds.
    """

    join_s: float = 1.0
    max_frame_gap: float = 1.9
    max_start_offset_s: float = 0.5
    max_length_difference_s: float = 1.0


class StreamIntegrity:
    """Finds damage and clock faults that the stream itself betrays."""

    name: ClassVar[str] = "stream_integrity"
    defects: ClassVar[tuple[str, ...]] = ("stream_integrity",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(media=frozenset(), context_before_s=0.5)

    def open(self, stream: StreamInfo) -> StreamIntegrityAnalysis:
        """Gives a fresh analysis."""
        return StreamIntegrityAnalysis(stream, self.params)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Joins complaints into occurrences, and compares the streams' clocks."""
        table = measurements.tables["events"]
        at_s = times_s(table)
        kinds = column(table, "kind")
        amounts = column(table, "amount_s")
        frame_s = 0.04 if stream.video is None else float(1 / stream.video.frame_rate)
        findings: list[Finding] = []
        for code, kind in enumerate(_KINDS):
            rows = np.flatnonzero(kinds == code)
            groups: list[list[int]] = []
            for row in rows.tolist():
                joins = groups and at_s[row] - at_s[groups[-1][-1]] <= self.params.join_s
                if joins and kind in _RUNNING:
                    groups[-1].append(row)
                else:
                    groups.append([row])
            for group in groups:
                start, end = float(at_s[group[0]]), float(at_s[group[-1]]) + frame_s
                amount = float(amounts[group[0]])
                if kind in ("video_gap", "audio_gap"):
                    # A gap is noticed where it ends; several of them lose time together.
                    end = float(at_s[group[-1]])
                    start = max(0.0, start - amount)
                    amount = float(amounts[group].sum())
                evidence = {"kind": kind, "events": len(group), "jump_s": round(amount, 4)}
                findings.append(self._finding(start, end, evidence))
        findings += self._clock_faults(stream)
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=tuple(sorted(findings, key=lambda f: f.start_s)),
            peak_score={"stream_integrity": 1.0 if findings else 0.0},
            curves={"stream_integrity": curve(at_s, np.ones(len(at_s)))},
        )

    def _clock_faults(self, stream: StreamInfo) -> list[Finding]:
        if stream.video is None or stream.audio is None:
            return []
        found: list[Finding] = []
        offset = stream.audio_start_s
        if abs(offset) > self.params.max_start_offset_s:
            evidence = {"kind": "start_mismatch", "events": 1, "jump_s": round(offset, 4)}
            found.append(self._finding(0.0, abs(offset), evidence))
        if stream.video_duration_s is not None and stream.audio_duration_s is not None:
            video_end, audio_end = stream.video_duration_s, stream.audio_duration_s + offset
            difference = audio_end - video_end
            if abs(difference) > self.params.max_length_difference_s:
                evidence = {"kind": "length_mismatch", "events": 1, "jump_s": round(difference, 4)}
                start, end = sorted((max(0.0, video_end), max(0.0, audio_end)))
                found.append(self._finding(start, end, evidence))
        return found

    def _finding(self, start_s: float, end_s: float, evidence: Mapping[str, Any]) -> Finding:
        rules = self.tuned.severity["stream_integrity"]
        return Finding(
            detector=self.name,
            defect="stream_integrity",
            start_s=start_s,
            end_s=end_s,
            confidence=1.0,  # the stream's own word
            severity=severity_of(rules.get(evidence["kind"], rules["default"]), evidence),
            evidence=evidence,
        )


class StreamIntegrityAnalysis:
    """Keeps complaints and steps between time stamps that are not the nominal one."""

    def __init__(self, stream: StreamInfo, params: Params) -> None:
        self._video = stream.video
        self._max_gap = params.max_frame_gap
        self._last_pts: int | None = None
        self._events: list[tuple[int, int, float]] = []
        self._rate_hz = 0 if stream.audio is None else stream.audio.rate_hz
        self._bad_hops: set[int] = set()

    def push(self, chunk: Chunk) -> None:
        """Takes complaints and time stamps."""
        for event in chunk.events:
            self._add(event)
        for run in chunk.audio:
            # The peak is a number below the bound unless some sample is not; only then are they
            # looked at one by one.
            if self._rate_hz and not np.abs(run.data).max(initial=0.0) < LOUDEST:
                bad = np.flatnonzero(~(np.abs(run.data) < LOUDEST).all(axis=1))
                self._bad_hops.update(((run.start + bad) * _HOPS_HZ // self._rate_hz).tolist())
        if chunk.video is None or self._video is None or not len(chunk.video.pts):
            return
        pts = chunk.video.pts
        nominal = float(1 / (self._video.frame_rate * self._video.time_base))
        before = pts[0] if self._last_pts is None else self._last_pts
        steps = np.diff(pts, prepend=before)
        for row in np.flatnonzero(steps > self._max_gap * nominal).tolist():
            # Frames of variable rate stay as long as the one before them said they would.
            step = float(steps[row])
            stated = int(chunk.video.duration[row - 1]) if row else 0
            if self._video.variable_frame_rate and step <= max(stated, 10 * nominal):
                continue
            at_s = float(pts[row] * self._video.time_base)
            missing_s = float((step - nominal) * self._video.time_base)
            self._keep("video_gap", at_s, missing_s)
        self._last_pts = int(pts[-1])

    def _add(self, event: DecodeEvent) -> None:
        self._keep(event.kind, event.time_s, event.amount_s)

    def _keep(self, kind: str, time_s: float, amount_s: float) -> None:
        self._events.append((round(time_s * _TICKS_HZ), _KINDS.index(kind), amount_s))

    def close(self) -> Measurements:
        """Gives the complaints, ordered by time."""
        for hop in self._bad_hops:
            self._keep("invalid_samples", hop / _HOPS_HZ, 0.0)
        builder = TableBuilder(Fraction(_TICKS_HZ), at=np.int64, kind=np.uint8, amount_s=np.float32)
        if self._events:
            at, kind, amount = zip(*sorted(self._events), strict=True)
            builder.add(at=at, kind=kind, amount_s=amount)
        return Measurements("stream_integrity", {"events": builder.table()})
