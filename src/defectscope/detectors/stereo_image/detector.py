"""Errors of the stereo channels, with width, depth and centre as curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from defectscope.detectors.stereo_image import faults
from defectscope.detectors.stereo_image.image import Pair, bands_from, overlaps, pair_from
from defectscope.detectors.stereo_image.imbalance import imbalanced
from defectscope.detectors.stereo_image.meter import (
    BANDS,
    BLOCKS_HZ,
    HOPS_HZ,
    ImageMeter,
    Measured,
    pairs_of,
)
from defectscope.detectors.stereo_image.params import Params
from defectscope.detectors.stereo_image.phase import inverted
from defectscope.detectors.stereo_image.reversals import laid_out
from defectscope.detectors.stereo_image.surround import (
    centre_missing,
    effects_elsewhere,
    effects_full_band,
)
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.findings import Curve, DetectorResult, Finding
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import StreamInfo
from defectscope.spatial.stage import panorama
from defectscope.temporal.spans import Rows, curve
from defectscope.temporal.tables import TableBuilder


class StereoImage:
    """Evaluates what the channels of a pair have in common."""

    name: ClassVar[str] = "stereo_image"
    defects: ClassVar[tuple[str, ...]] = (
        "phase_inversion",
        "mono_collapse",
        "channel_imbalance",
        "channel_missing",
    )
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        # Blocks are whole 100 ms of the grid: one on either side completes those of a segment.
        self.needs = Needs(media=frozenset({"audio"}), context_before_s=0.2, context_after_s=0.2)

    def open(self, stream: StreamInfo) -> StereoImageAnalysis:
        """Returns a fresh analysis."""
        return StereoImageAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Finds the faults of every pair, the gravest first: what is missing is not analyzed on."""
        audio = stream.audio
        assert audio is not None
        pairs = pairs_of(audio.channels)
        if not pairs:
            return DetectorResult("not_applicable")
        table = measurements.tables["hops"]
        if not len(table):
            return DetectorResult("inconclusive")
        findings: list[Finding] = []
        curves: dict[str, Curve] = {}
        for index, (left, right) in enumerate(pairs):
            names = (audio.channels[left], audio.channels[right])
            pair = pair_from(table, index, (left, right), names)
            findings += self._decide(pair, measurements if index == 0 else None)
            if index == 0:
                curves = _curves(pair)
                looks = measurements.tables["looks"]
                findings += self._surround(table, looks, pair, audio.channels)
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=tuple(findings),
            peak_score={
                defect: max((f.confidence for f in findings if f.defect == defect), default=0.0)
                for defect in self.defects
            },
            curves=curves,
        )

    def _decide(self, pair: Pair, measurements: Measurements | None) -> list[Finding]:
        """Returns the findings of one pair; bands are measured for the front pair alone."""
        tuned, params = self.tuned.thresholds, self.params
        blocks = None if measurements is None else measurements.tables["blocks"]
        bands = bands_from(blocks) if blocks is not None and len(blocks) else None
        steps = [
            ("channel_missing", faults.missing(pair, tuned, params.min_missing_s)),
            ("phase_inversion", inverted(pair, bands, tuned, params.min_inverted_s)),
            ("mono_collapse", faults.collapsed(pair, tuned, params.min_mono_s)),
        ]
        if bands is not None:
            found = imbalanced(pair, bands, tuned, params.min_imbalance_s)
            steps.append(("channel_imbalance", found))
        taken: list[Rows] = []
        findings: list[Finding] = []
        for defect, found in steps:
            fresh = [f for f in found if not overlaps(f.rows, taken)]
            # The end of one fault is not the beginning of another.
            taken += [(f.rows[0] - _MARGIN_ROWS, f.rows[1] + _MARGIN_ROWS) for f in fresh]
            findings += [self._finding(defect, pair, fault) for fault in fresh]
        return findings

    def _surround(
        self, table: Table, looks: Table, front: Pair, channels: Sequence[str]
    ) -> list[Finding]:
        """Returns what is wrong with centre and effects, and with the order of all channels."""
        tuned, least_s = self.tuned.thresholds, self.params.min_surround_s
        found: list[tuple[str, list[str], faults.Fault]] = []
        silent = centre_missing(table, front, channels, tuned, least_s)
        if silent is not None:
            found.append(("silent", ["FC"], silent))
        full = effects_full_band(table, looks, channels, tuned, least_s)
        if full is not None:
            elsewhere = effects_elsewhere(table, looks, channels, tuned, least_s)
            kind = "wrong_order" if elsewhere else "full_band"
            found.append((kind, ["LFE", *elsewhere], full))
        return [
            replace(made, evidence={**made.evidence, "channels": names, "kind": kind})
            for kind, names, fault in found
            for made in [self._finding("channel_missing", front, fault)]
        ]

    def _finding(self, defect: str, pair: Pair, fault: faults.Fault) -> Finding:
        first, last = fault.rows
        start_s = float(pair.starts_s[first])
        end_s = float(pair.starts_s[last - 1] + 1 / HOPS_HZ)
        evidence: dict[str, Any] = {"duration_s": round(end_s - start_s, 3)}
        evidence["channels"] = list(pair.names)
        if fault.channel is not None:
            evidence["channels"] = [pair.names[fault.channel]]
        # How sure: how far beyond its bound the quantity lies, over the range that it can have.
        if defect == "phase_inversion":
            evidence["correlation"] = round(fault.size, 3)
            sure = -fault.size
        else:
            key = "width_fall_db" if defect == "mono_collapse" else "level_difference_db"
            evidence[key] = round(abs(fault.size), 1)
            sure = abs(fault.size) / _CERTAIN_DB[defect]
        return Finding(
            detector=self.name,
            defect=defect,
            start_s=start_s,
            end_s=end_s,
            confidence=round(float(np.clip(0.5 + sure / 2, 0.5, 0.99)), 4),
            severity=severity_of(self.tuned.severity[defect], evidence),
            evidence=evidence,
        )


_MARGIN_ROWS = 10
# Differences at which nothing but a fault remains.
_CERTAIN_DB = {"channel_missing": 60.0, "mono_collapse": 40.0, "channel_imbalance": 12.0}


def _curves(pair: Pair) -> dict[str, Curve]:
    """Returns width (side against total, dB), depth as coherence, the phantom centre's share."""
    left, right = (10 ** (level / 10) for level in pair.levels)
    cross = pair.correlation * np.sqrt(left * right)
    centre = panorama(left, right, cross)[1]
    width = np.clip(pair.side - pair.total, -60, 6)
    audible = pair.total > -100
    return {
        "correlation": curve(pair.starts_s, pair.correlation),
        "width_db": curve(pair.starts_s, np.where(audible, width, -60)),
        "coherence": curve(pair.starts_s, np.abs(pair.correlation)),
        "phantom_centre": curve(pair.starts_s, centre),
    }


class StereoImageAnalysis:
    """Measures every pair of channels."""

    def __init__(self, stream: StreamInfo) -> None:
        audio = stream.audio
        assert audio is not None
        self._channels = len(audio.channels)
        self._meter = ImageMeter(audio.rate_hz, audio.channels)

    def push(self, chunk: Chunk) -> None:
        """Takes the next runs of sound."""
        if not self._meter.pairs:
            return
        for run in chunk.audio:
            self._meter.push(run.start, run.data)

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return self._given(self._meter.taken())

    def close(self) -> Measurements:
        """Returns levels, correlations and side by hop, and the front pair's bands by block."""
        return self._given(self._meter.rows())

    def _given(self, measured: Measured) -> Measurements:
        pairs = range(len(self._meter.pairs))
        hop_types: dict[str, Any] = {f"level_{k}": np.uint8 for k in range(self._channels)}
        hop_types |= {f"correlation_{k}": np.int8 for k in pairs}
        hop_types |= {f"side_{k}": np.uint8 for k in pairs}
        if pairs:
            hop_types |= {"turn": np.int8, "turn_even": np.int8}
        block_types: dict[str, Any] = {}
        for band in range(BANDS):
            block_types[f"left_{band}"] = block_types[f"right_{band}"] = np.uint8
            block_types[f"correlation_{band}"] = np.int8
        # Laid out once: run by run an hour of them would take minutes.
        origin = measured.hops[0][0] if measured.hops else 0
        last = max((f + len(c["level_0"]) for f, c in measured.hops), default=origin)
        reversals = laid_out(measured.reversals, origin, last - origin)
        tables = {}
        for name, rate, types, rows in (
            ("hops", HOPS_HZ, hop_types, measured.hops),
            ("blocks", BLOCKS_HZ, block_types, measured.blocks),
        ):
            builder = TableBuilder(Fraction(rate), row=np.int64, **types)
            for first, columns in rows:
                length = len(next(iter(columns.values())))
                if name == "hops" and pairs:
                    own = slice(first - origin, first - origin + length)
                    columns = {**columns, "turn": reversals[0][own], "turn_even": reversals[1][own]}
                builder.add(row=np.arange(first, first + length), **columns)
            tables[name] = builder.table()
        edge_types = {f"edge_{k}": np.uint8 for k in range(self._channels)}
        builder = TableBuilder(Fraction(HOPS_HZ), row=np.int64, **edge_types)
        for numbers, columns in measured.looks:
            builder.add(row=numbers, **columns)
        tables["looks"] = builder.table()
        return Measurements("stereo_image", tables)
