"""Loudness and true peak, compared with a delivery target."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import numpy as np

from defectscope.detectors.loudness import gating
from defectscope.detectors.loudness.dialogue import dialogue
from defectscope.detectors.loudness.meter import BLOCKS_HZ, Meter
from defectscope.detectors.loudness.params import Params
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import bridge, curve, runs
from defectscope.temporal.speech_levels import SpeechMeter
from defectscope.temporal.tables import TableBuilder, column, times_s


class Loudness:
    """Measures loudness and true peak, and evaluates them against the target."""

    name: ClassVar[str] = "loudness"
    defects: ClassVar[tuple[str, ...]] = ("loudness", "true_peak")
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        # The slowest pole of the K filter (38 Hz) has decayed by more than 400 dB in 0.5 s; the
        # momentary window reaches back another 0.4 s.
        # The loudness of an interval is that of the interval alone.
        self.needs = Needs(
            media=frozenset({"audio"}),
            context_before_s=1.0,
            context_after_s=0.2,
            surroundings_s=0.0,
        )

    def open(self, stream: StreamInfo) -> LoudnessAnalysis:
        """Returns a fresh analysis."""
        return LoudnessAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Gates the blocks, and compares with the target."""
        table = measurements.tables["blocks"]
        starts_s = times_s(table)
        energy = column(table, "energy")
        peak_db = 20 * np.log10(np.maximum(column(table, "true_peak"), 1e-6))
        windows = gating.momentary(energy)
        if not len(windows):
            return DetectorResult("inconclusive")
        short = gating.short_term(energy)
        programme = gating.integrated(windows)
        block_s = 1 / BLOCKS_HZ
        end_s = float(starts_s[-1] + block_s)
        measured = {
            "integrated_lufs": round(programme, 2),
            "loudness_range_lu": round(gating.loudness_range(short), 2),
            "max_momentary_lufs": round(float(gating.lufs(column(table, "momentary")).max()), 2),
            "max_true_peak_dbtp": round(float(peak_db.max()), 2),
        }
        spoken_lufs, share = dialogue(measurements.tables["speech"], column(table, "block"), energy)
        measured["dialogue_share"] = round(share, 4)
        if share > 0:
            measured["dialogue_lufs"] = round(spoken_lufs, 2)
        if len(short):
            measured["max_short_term_lufs"] = round(float(gating.lufs(short).max()), 2)
        findings: list[Finding] = []
        off = programme - self.params.target_lufs
        length_s = end_s - float(starts_s[0])
        long_enough = length_s >= self.params.min_programme_s - block_s
        missed = programme > gating.SILENCE_LUFS and abs(off) > self.params.tolerance_lu
        if long_enough and missed:
            evidence = {**measured, "deviation_lu": round(off, 2)}
            findings.append(self._finding("loudness", float(starts_s[0]), end_s, evidence))
        overs = runs(peak_db > self.params.max_true_peak_dbtp)
        for first, last in bridge(overs, starts_s, starts_s + block_s, self.params.join_peaks_s):
            over = float(peak_db[first:last].max())
            evidence = {
                "max_true_peak_dbtp": round(over, 2),
                "over_target_db": round(over - self.params.max_true_peak_dbtp, 2),
            }
            start, end = float(starts_s[first]), float(starts_s[last - 1] + block_s)
            findings.append(self._finding("true_peak", start, end, evidence))
        unsure = missed and not long_enough and not findings
        return DetectorResult(
            verdict="fail" if findings else "inconclusive" if unsure else "pass",
            findings=tuple(findings),
            reason=(
                f"{programme:.1f} LUFS over {length_s:.1f} s; programme loudness is held against "
                f"the target from {self.params.min_programme_s:g} s on"
                if unsure
                else ""
            ),
            peak_score=measured,
            curves={
                "loudness": curve(starts_s[: len(windows)], gating.lufs(windows)),
                "true_peak": curve(starts_s, peak_db),
            },
        )

    def _finding(
        self, defect: str, start_s: float, end_s: float, evidence: dict[str, float]
    ) -> Finding:
        return Finding(
            detector=self.name,
            defect=defect,
            start_s=start_s,
            end_s=end_s,
            confidence=1.0,  # a measurement against a number, not an estimate
            severity=severity_of(self.tuned.severity[defect], evidence),
            evidence=evidence,
        )


class LoudnessAnalysis:
    """Measures every 100 ms of sound."""

    def __init__(self, stream: StreamInfo) -> None:
        audio = stream.audio
        assert audio is not None
        self._meter = Meter(audio.rate_hz, audio.channels)
        self._speech = SpeechMeter(audio.rate_hz, audio.channels)
        self._table = TableBuilder(
            Fraction(BLOCKS_HZ),
            block=np.int64,
            energy=np.float64,
            momentary=np.float32,
            sample_peak=np.float32,
            true_peak=np.float32,
        )

    def push(self, chunk: Chunk) -> None:
        """Takes the next runs of sound."""
        for run in chunk.audio:
            self._meter.push(run.start, run.data)
            self._speech.push(run.start, run.data)
        if self._meter.rows:
            block, energy, momentary, sample_peak, true_peak = zip(*self._meter.rows, strict=True)
            self._table.add(
                block=block,
                energy=energy,
                momentary=momentary,
                sample_peak=sample_peak,
                true_peak=true_peak,
            )
            self._meter.rows.clear()

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements(
            "loudness", {"blocks": self._table.take(), "speech": self._speech.take()}
        )

    def close(self) -> Measurements:
        """Returns energies, peaks and levels of speech by block."""
        return Measurements(
            "loudness", {"blocks": self._table.table(), "speech": self._speech.table()}
        )
