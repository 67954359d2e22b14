"""Captions: missing, late, overlapping, too fast, too long, too close, or in a wrong format."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from defectscope.detectors.caption_quality import rules
from defectscope.detectors.caption_quality.embedded import bytes_table, embedded_tracks
from defectscope.detectors.caption_quality.params import Params
from defectscope.detectors.caption_quality.speech import shown
from defectscope.detectors.caption_quality.timing import timing_breaks
from defectscope.detectors.caption_quality.track import (
    EMPTY,
    Track,
    cue_table,
    extent_from,
    extent_table,
    fault_table,
    tracks_from,
)
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.findings import Curve, DetectorResult, Finding
from defectscope.measurements import Measurements, Table
from defectscope.media.captions.caption_bytes import CaptionBytes, track_name
from defectscope.media.cues import Captions, Cue
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve
from defectscope.temporal.speech_levels import BLOCKS_HZ, Series, SpeechMeter, to_dbfs
from defectscope.temporal.tables import column

# One file can break one rule a million times; nobody reads more of them than this.
_MAX_FINDINGS = 200


class CaptionQuality:
    """Evaluates a caption track by itself, and against the sound where there is some."""

    name: ClassVar[str] = "caption_quality"
    defects: ClassVar[tuple[str, ...]] = (
        "caption_missing",
        "caption_drift",
        "caption_overlap",
        "caption_speed",
        "caption_length",
        "caption_gap",
        "caption_format",
    )
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        # Sound is used where there is some; without captions the verdict is `not_applicable`.
        self.needs = Needs(media=frozenset(), context_before_s=0.2, context_after_s=0.2)

    def open(self, stream: StreamInfo) -> CaptionQualityAnalysis:
        """Returns a fresh analysis."""
        return CaptionQualityAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Holds every cue of every track against the rules, and its track against the speech."""
        tables = measurements.tables
        tracks = tracks_from(tables["cues"], stream.duration_s)
        tracks |= embedded_tracks(tables["bytes"], stream.duration_s)
        if not stream.has_captions and not tracks:
            return DetectorResult("not_applicable")
        if not tracks and not len(tables["faults"]) and not len(tables["extent"]):
            # A part of the programme, or a track of the container, that shows nothing.
            return DetectorResult("not_judged", reason="no caption in what was looked at")
        # Faults without a single cue belong to a side-car file too.
        tracks = tracks or {0: EMPTY}
        level, softest = _levels(tables["speech"])
        used = dict.fromkeys(self.defects, 0)
        findings: list[Finding] = []
        for number, track in sorted(tracks.items()):
            broken = self._broken(track, level, softest)
            if number == 0:
                broken += rules.fault_breaks(tables["faults"])
                extent = extent_from(tables["extent"])
                if extent is not None:
                    broken += rules.outside_breaks(extent, stream.duration_s)
            for each in broken:
                used[each.defect] += 1
                if used[each.defect] <= _MAX_FINDINGS:
                    findings.append(self._finding(each, track_name(number)))
        curves: dict[str, Curve] = {}
        if len(level):
            times = np.arange(len(level)) / BLOCKS_HZ
            curves["speech_dbfs"] = curve(times, level)
            first = tracks[min(tracks)]
            curves["captions"] = curve(times, _on_screen(first, len(level)))
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=tuple(findings),
            peak_score={defect: float(count) for defect, count in used.items()},
            curves=curves,
        )

    def _broken(self, track: Track, level: Series, softest: Series) -> list[rules.Break]:
        """Returns what is wrong with one track."""
        p = self.params
        limits = rules.Limits(
            p.max_characters_per_s,
            p.max_line_characters,
            p.max_lines,
            p.min_gap_s,
            p.min_duration_s,
            p.max_duration_s,
            p.min_overlap_s,
        )
        broken = [
            *rules.time_breaks(track),
            *rules.empty_breaks(track),
            *rules.reading_breaks(track, limits),
            *rules.spacing_breaks(track, limits),
        ]
        if not track.forced:
            tuned = self.tuned.thresholds
            broken += timing_breaks(track, level, softest, tuned, p.max_late_s)
        return broken

    def _finding(self, broken: rules.Break, track: str) -> Finding:
        rule = self.tuned.severity[broken.defect]
        evidence = {**broken.evidence, **({"track": track} if track else {})}
        estimated = (
            broken.defect in ("caption_missing", "caption_drift") and "problem" not in evidence
        )
        agreement = float(evidence.get("agreement", 0.5))
        severity_rule = rule
        if "measure" in rule and rule["measure"] not in evidence:
            severity_rule = {"always": "minor"}
        return Finding(
            detector=self.name,
            defect=broken.defect,
            start_s=broken.start_s,
            end_s=broken.end_s,
            # A rule is broken or it is not; only what is heard is an estimate.
            confidence=round(0.5 + agreement / 2, 4) if estimated else 1.0,
            severity=severity_of(severity_rule, evidence),
            evidence=evidence,
        )


def _on_screen(track: Track, blocks: int) -> Series:
    visible = ~track.empty
    return shown(track.start_s[visible], track.end_s[visible], blocks)


def _levels(table: Table) -> tuple[Series, Series]:
    """Returns levels by block from t = 0 on; blocks that were not measured are silent."""
    block = column(table, "block")
    if not len(block):
        return np.empty(0), np.empty(0)
    good = block >= 0
    level = np.full(int(block.max(initial=-1)) + 1, -127.0)
    softest = level.copy()
    level[block[good]] = to_dbfs(column(table, "level")[good])
    softest[block[good]] = to_dbfs(column(table, "softest")[good])
    return level, softest


class CaptionQualityAnalysis:
    """Collects cues and measures the level of speech."""

    def __init__(self, stream: StreamInfo) -> None:
        audio = stream.audio
        self._meter = None
        # Without captions there is nothing to hold the sound against.
        if audio is not None and (stream.has_captions or stream.has_bitmap_captions):
            self._meter = SpeechMeter(audio.rate_hz, audio.channels)
        self._duration_s = stream.duration_s
        self._captions: Captions | None = None
        self._cues: list[Cue] = []
        self._latest: dict[int, int] = {}
        self._bytes: list[CaptionBytes] = []

    def push(self, chunk: Chunk) -> None:
        """Takes side-car captions, embedded cues and sound."""
        if chunk.captions is not None:
            self._captions = chunk.captions
        self._cues += chunk.cues
        self._bytes += chunk.caption_bytes
        if self._meter is not None:
            for run in chunk.audio:
                self._meter.push(run.start, run.data)

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        taken = self.close()
        self._captions = None
        self._cues.clear()
        self._bytes.clear()
        if self._meter is not None:
            self._meter.rows.clear()
        return taken

    def close(self) -> Measurements:
        """Returns the cues and bytes of all tracks, faults, and levels by block."""
        side = () if self._captions is None else self._captions.cues
        cues, left_out = cue_table((*side, *self._cues), self._latest)
        meter = self._meter or SpeechMeter(BLOCKS_HZ, ("FC",))  # one that heard nothing
        tables = {
            "cues": cues,
            "bytes": bytes_table(self._bytes),
            "extent": extent_table(self._captions, self._duration_s),
            "faults": fault_table(self._captions, left_out),
            "speech": meter.table(),
        }
        return Measurements("caption_quality", tables)
