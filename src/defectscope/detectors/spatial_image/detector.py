"""The image of a stereo programme: width, centre, depth and position, and their errors."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from defectscope.detectors.spatial_image.faults import Fault, delayed, leaning, narrowed
from defectscope.detectors.spatial_image.meter import BANDS, BLOCKS_HZ, StageMeter, front_pair
from defectscope.detectors.spatial_image.params import Params
from defectscope.detectors.spatial_image.stage_rows import Blocks, Image, blocks_from, image_of
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.findings import Curve, DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve
from defectscope.temporal.tables import TableBuilder


class SpatialImage:
    """Measures the image between two loudspeakers, and finds what the path did to it."""

    name: ClassVar[str] = "spatial_image"
    defects: ClassVar[tuple[str, ...]] = ("spatial_image",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        # Blocks are whole 200 ms of the grid: one on either side completes those of a segment.
        self.needs = Needs(media=frozenset({"audio"}), context_before_s=0.4, context_after_s=0.4)

    def open(self, stream: StreamInfo) -> SpatialImageAnalysis:
        """Returns a fresh analysis."""
        return SpatialImageAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Finds late channels, narrowing and lean of the front pair, and draws its image."""
        audio = stream.audio
        assert audio is not None
        pair = front_pair(audio.channels)
        if pair is None:
            return DetectorResult("not_applicable")
        table = measurements.tables["blocks"]
        if not len(table):
            return DetectorResult("inconclusive")
        blocks, tuned, params = blocks_from(table), self.tuned.thresholds, self.params
        image = image_of(blocks)
        faults = delayed(blocks, tuned, params.min_delay_s)
        faults += narrowed(blocks, tuned, params.min_narrow_s)
        faults += leaning(blocks, tuned, params.min_lean_s)
        names = [audio.channels[index] for index in pair]
        findings = [self._finding(fault, blocks, image, names) for fault in faults]
        findings.sort(key=lambda finding: finding.start_s)
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=tuple(findings),
            peak_score={self.name: max((f.confidence for f in findings), default=0.0)},
            curves=_curves(blocks, image),
        )

    def _finding(self, fault: Fault, blocks: Blocks, image: Image, names: list[str]) -> Finding:
        first, last = fault.rows
        start_s = float(blocks.starts_s[first])
        end_s = float(blocks.starts_s[last - 1] + 1 / BLOCKS_HZ)
        evidence: dict[str, Any] = {"kind": fault.kind, "duration_s": round(end_s - start_s, 3)}
        if fault.kind == "delay":
            evidence["channels"] = [names[1 if fault.size > 0 else 0]]
            evidence["delay_ms"] = round(abs(fault.size), 2)
        elif fault.kind == "narrow":
            before = image.width_deg[max(0, first - BLOCKS_HZ) : first]
            evidence["channels"] = names
            evidence["narrowing_db"] = round(fault.size, 1)
            evidence["width_deg"] = round(float(np.median(image.width_deg[first:last])), 1)
            evidence["width_before_deg"] = round(float(np.median(before)), 1)
        else:
            evidence["channels"] = [names[0 if fault.size > 0 else 1]]
            evidence["level_difference_db"] = round(abs(fault.size), 1)
            evidence["lean_deg"] = round(float(np.median(image.middle_deg)), 1)
        return Finding(
            detector=self.name,
            defect=self.name,
            start_s=start_s,
            end_s=end_s,
            confidence=round(float(np.clip(0.5 + fault.sure / 2, 0.5, 0.99)), 4),
            severity=severity_of(self.tuned.severity[self.name], evidence),
            evidence=evidence,
        )


def _curves(blocks: Blocks, image: Image) -> dict[str, Curve]:
    sounding = blocks.audible.any(axis=1)
    late = sounding & (blocks.peak >= 0.1)
    values = {
        "width_deg": image.width_deg,
        "middle_deg": image.middle_deg,
        "direct_to_ambient_db": image.direct_db,
        "coherence": blocks.coherence,
        "phantom_centre": image.centre,
    }
    curves = {
        name: curve(blocks.starts_s, np.where(sounding, series, 0.0))
        for name, series in values.items()
    }
    curves["delay_ms"] = curve(blocks.starts_s, np.where(late, blocks.delay_us / 1000, 0.0))
    return curves


_TYPES: dict[str, Any] = {
    **{f"{name}_{band}": np.uint8 for band in range(BANDS) for name in ("left", "right", "side")},
    "coherence": np.uint8,
    "delay_us": np.int32,
    "peak": np.uint8,
    "zero": np.uint8,
}


class SpatialImageAnalysis:
    """Measures the front pair."""

    def __init__(self, stream: StreamInfo) -> None:
        audio = stream.audio
        assert audio is not None
        pair = front_pair(audio.channels)
        self._meter = StageMeter(audio.rate_hz, pair) if pair is not None else None
        self._builder = TableBuilder(Fraction(BLOCKS_HZ), block=np.int64, **_TYPES)

    def push(self, chunk: Chunk) -> None:
        """Takes the next runs of sound."""
        if self._meter is not None:
            for run in chunk.audio:
                self._meter.push(run.start, run.data)
            self._collect(self._meter)

    def _collect(self, meter: StageMeter) -> None:
        # At once: an hour of rows as objects takes 30 MB, as columns 0.6 MB.
        rows, meter.rows = meter.rows, []
        self._builder.add(
            block=[number for number, _ in rows],
            **{name: [row.get(name, 0) for _, row in rows] for name in _TYPES},
        )

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them: a live channel never ends."""
        return Measurements("spatial_image", {"blocks": self._builder.take()})

    def close(self) -> Measurements:
        """Returns one row a block; digital silence has zeros."""
        return Measurements("spatial_image", {"blocks": self._builder.table()})
