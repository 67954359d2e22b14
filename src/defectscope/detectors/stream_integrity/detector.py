"""Stream integrity: errors of the demuxer and the decoders, and inconsistent clocks."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import chain, combinations
from typing import Any, ClassVar

import numpy as np

from defectscope.detectors.stream_integrity.ends import declared_ends, with_ends
from defectscope.detectors.stream_integrity.faults import KINDS, Fault, complaints, joined, until
from defectscope.detectors.stream_integrity.params import Params
from defectscope.detectors.stream_integrity.steps import COUNTING, STATING, Gap, StepMeter, gaps
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements, Table
from defectscope.media.frames import LOUDEST
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve
from defectscope.temporal.tables import TableBuilder, column, times_s

# Longer than anything that is ever played; damaged time stamps reach beyond.
_FARTHEST_S = 1e9
_TICKS_HZ = 90_000  # the MPEG clock: every container's time stamps round to it without harm
# Samples that are no numbers are reported by intervals of 20 ms of the programme.
_HOPS_HZ = 50
# Streams of key frames alone give one in each half second: who waits for one waits no longer.
_KEYS_HZ = 2


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
        """Returns a fresh analysis."""
        return StreamIntegrityAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Joins complaints into events, and compares the streams' clocks."""
        tables, video = measurements.tables, stream.video
        frame_s = 0.04 if video is None else float(1 / video.frame_rate)
        found = complaints(tables["events"], frame_s)
        stream = with_ends(stream, tables["ends"])
        late = any(f.kind == "late_start" for f in found)
        jumps = sum(f.amount_s for f in found if f.kind == "audio_gap")
        lost_s = 0.0
        if video is not None:
            end_s = stream.video_duration_s or stream.duration_s
            missing = self._gaps(stream, tables["steps"], end_s)
            if late:  # frames that refer to what came before the capture cannot be shown
                missing = [g for g in missing if g.at_s > self.params.join_s]
            lost_s = sum(gap.missing_s for gap in missing)
            broken = [
                Fault("video_gap", max(0.0, g.at_s - g.missing_s), g.at_s, g.missing_s, video=True)
                for g in missing
            ]
            if not self._jumps(stream, lost_s):
                # The clock goes on: frames were lost, and those that refer to them are damaged.
                broken = [until(f, tables["keys"], end_s) for f in broken]
            found = [until(f, tables["keys"], end_s) if f.refers else f for f in found] + broken
        faults = joined(found, self.params.join_s)
        findings = [self._finding(f.start_s, f.end_s, f.evidence(), f.track) for f in faults]
        cut = self._cut_short(stream, tables["ends"])
        if cut is not None:
            # Whatever else is wrong where the file breaks off is part of it.
            broken_s = cut.start_s - self.params.join_s
            findings = [f for f in findings if f.start_s < broken_s] + [cut]
        else:
            findings += self._clock_faults(stream, (jumps, -lost_s), late=late)
        findings += self._closed(stream)
        at_s = times_s(tables["events"])
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=tuple(sorted(findings, key=lambda f: f.start_s)),
            peak_score={"stream_integrity": 1.0 if findings else 0.0},
            curves={"stream_integrity": curve(at_s, np.ones(len(at_s)))},
        )

    def _gaps(self, stream: StreamInfo, steps: Table, end_s: float) -> list[Gap]:
        """Returns where frames are missing, in formats in which that can be told."""
        assert stream.video is not None
        names, limit = set(stream.container.split(",")), self.params.max_frame_gap
        missing = [] if names & COUNTING else gaps(steps, stream.video, limit, end_s)
        if names & STATING and not self._outlasts(stream, sum(gap.missing_s for gap in missing)):
            missing = gaps(steps, stream.video, limit, end_s, stating=True)
        return missing

    def _jumps(self, stream: StreamInfo, missing_s: float) -> bool:
        """Tells whether gaps moved everything after them; without sound they are taken to have."""
        known = stream.video_duration_s is not None and stream.audio_duration_s is not None
        return not known or self._outlasts(stream, missing_s)

    def _outlasts(self, stream: StreamInfo, missing_s: float) -> bool:
        """Tells whether the frame outlasts its sound by what is missing from it."""
        if stream.video_duration_s is None or stream.audio_duration_s is None:
            return False
        longer_s = stream.video_duration_s - stream.audio_duration_s - stream.audio_start_s
        return longer_s > missing_s / 2

    def _cut_short(self, stream: StreamInfo, ends: Table) -> Finding | None:
        """Returns the finding of a file of which less was there to decode than it declares."""
        if not stream.declares_length or not len(ends):
            return None
        reached = dict(zip(column(ends, "track").tolist(), times_s(ends).tolist(), strict=True))
        declared = declared_ends(stream)
        short = {
            track: declared[track] - reached[track]
            for track in reached.keys() & declared.keys()
            if declared[track] - reached[track] > self.params.max_missing_s
        }
        whole_s, come_to_s = stream.duration_s, max(reached.values())
        if not short and whole_s - come_to_s <= self.params.max_missing_s:
            return None
        track = max(short, key=lambda t: short[t]) if short else -1
        start_s = reached[track] if short else come_to_s
        end_s = declared[track] if short else whole_s
        evidence = {
            "kind": "truncated",
            "events": 1,
            "declared_s": round(end_s, 4),
            "decoded_s": round(start_s, 4),
            "jump_s": round(end_s - start_s, 4),
        }
        return self._finding(max(0.0, start_s), max(0.0, end_s), evidence, track)

    def _closed(self, stream: StreamInfo) -> list[Finding]:
        """Returns a finding of each track of which nothing decodes."""
        found: list[Finding] = []
        for track in stream.tracks:
            if track.is_broken:
                end_s = track.declared_s or stream.duration_s
                evidence = {"kind": "nothing_decodes", "events": 1, "jump_s": round(end_s, 4)}
                found.append(self._finding(0.0, end_s, evidence, track.index))
        return found

    def _clock_faults(
        self, stream: StreamInfo, moved_s: tuple[float, ...], *, late: bool
    ) -> list[Finding]:
        """Returns differences of start and length that no fault already found explains."""
        if stream.video is None or stream.audio is None:
            return []
        found: list[Finding] = []
        offset = stream.audio_start_s
        if abs(offset) > self.params.max_start_offset_s and not late:
            evidence = {"kind": "start_mismatch", "events": 1, "jump_s": round(offset, 4)}
            found.append(self._finding(0.0, abs(offset), evidence))
        if stream.video_duration_s is not None and stream.audio_duration_s is not None:
            video_end, audio_end = stream.video_duration_s, stream.audio_duration_s + offset
            difference = audio_end - video_end
            causes = (offset, *moved_s)
            sums = chain.from_iterable(combinations(causes, n) for n in range(len(causes) + 1))
            limit_s = self.params.max_length_difference_s
            if all(abs(difference - sum(some)) > limit_s for some in sums):
                evidence = {"kind": "length_mismatch", "events": 1, "jump_s": round(difference, 4)}
                start, end = sorted((max(0.0, video_end), max(0.0, audio_end)))
                found.append(self._finding(start, end, evidence))
        return found

    def _finding(
        self, start_s: float, end_s: float, evidence: Mapping[str, Any], track: int = -1
    ) -> Finding:
        rules = self.tuned.severity["stream_integrity"]
        return Finding(
            detector=self.name,
            defect="stream_integrity",
            start_s=start_s,
            end_s=end_s,
            confidence=1.0,  # the stream's own word
            severity=severity_of(rules.get(evidence["kind"], rules["default"]), evidence),
            evidence=evidence,
            track=None if track < 0 else track,
        )


def _tick(time_s: float) -> int:
    """Damaged time stamps can name instants that no table holds: the nearest that one does."""
    return round(max(-_FARTHEST_S, min(_FARTHEST_S, time_s)) * _TICKS_HZ)


class StreamIntegrityAnalysis:
    """Keeps complaints, key frames, and steps between time stamps that change."""

    def __init__(self, stream: StreamInfo) -> None:
        self._steps = None if stream.video is None else StepMeter(stream.video)
        self._tick_s = 0.0 if stream.video is None else float(stream.video.time_base)
        self._events: list[tuple[int, int, float, bool, int]] = []
        self._ends: list[tuple[int, int]] = []
        self._keys: dict[int, float] = {}
        self._rate_hz = 0 if stream.audio is None else stream.audio.rate_hz
        self._bad_hops: set[int] = set()
        self._told_key = self._told_hop = -1

    def push(self, chunk: Chunk) -> None:
        """Takes complaints and time stamps."""
        for event in chunk.events:
            if event.kind == "ended":
                self._ends.append((_tick(event.time_s), event.track))
                continue
            video, track = event.media == "video", event.track
            self._keep(event.kind, event.time_s, event.amount_s, video=video, track=track)
        for run in chunk.audio:
            # The peak is a number below the bound unless some sample is not; only then are they
            # looked at one by one.
            if self._rate_hz and not np.abs(run.data).max(initial=0.0) < LOUDEST:
                bad = np.flatnonzero(~(np.abs(run.data) < LOUDEST).all(axis=1))
                hops = ((run.start + bad) * _HOPS_HZ // self._rate_hz).tolist()
                self._bad_hops.update(hop for hop in hops if hop > self._told_hop)
        if chunk.video is None or self._steps is None:
            return
        self._steps.push(chunk.video.pts, chunk.video.duration)
        for pts in chunk.video.pts[np.flatnonzero(chunk.video.key)].tolist():
            time_s = pts * self._tick_s
            if (number := int(time_s * _KEYS_HZ)) > self._told_key:
                self._keys.setdefault(number, time_s)

    def _keep(
        self, kind: str, time_s: float, amount_s: float, *, video: bool, track: int = -1
    ) -> None:
        self._events.append((_tick(time_s), KINDS.index(kind), amount_s, video, track))

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        taken = self._given(None if self._steps is None else self._steps.take())
        self._events.clear()
        self._ends.clear()
        # The latest interval of each may go on: it is not told twice.
        self._told_key = max(self._keys, default=self._told_key)
        self._told_hop = max(self._bad_hops, default=self._told_hop)
        self._keys.clear()
        self._bad_hops.clear()
        return taken

    def close(self) -> Measurements:
        """Returns the complaints, the key frames and the steps, ordered by time."""
        return self._given(None if self._steps is None else self._steps.table())

    def _given(self, steps: Table | None) -> Measurements:
        for hop in self._bad_hops:
            self._keep("invalid_samples", hop / _HOPS_HZ, 0.0, video=False)
        events = TableBuilder(
            Fraction(_TICKS_HZ),
            at=np.int64,
            kind=np.uint8,
            amount_s=np.float32,
            video=np.uint8,
            track=np.int16,
        )
        if self._events:
            at, kind, amount, video, track = zip(*sorted(self._events), strict=True)
            events.add(at=at, kind=kind, amount_s=amount, video=video, track=track)
        ends = TableBuilder(Fraction(_TICKS_HZ), at=np.int64, track=np.int16)
        for end in sorted(self._ends):
            ends.add(at=[end[0]], track=[end[1]])
        keys = TableBuilder(Fraction(_TICKS_HZ), at=np.int64)
        keys.add(at=[round(time_s * _TICKS_HZ) for time_s in sorted(self._keys.values())])
        tables = {"events": events.table(), "keys": keys.table(), "ends": ends.table()}
        if steps is not None:
            tables["steps"] = steps
        return Measurements("stream_integrity", tables)
