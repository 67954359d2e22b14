"""Black frames: the picture is black by mistake.

Fades to black and cuts on black are normal editing. A black interval is reported if it begins or
ends abruptly, or if it lasts longer than normal editing does. A frame with a title, a logo, credits
or a spinner is not black, however small the lit part is.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.black_frames.params import Params
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.catalogue import DARK_CODES
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve, row_ends, runs
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s
from defectscope.temporal.verdicts import result_of

# Mean luma is kept in 1/128 of an 8-bit-equivalent code, shares in 1/65535.
_STEPS_PER_CODE = 128
_STEPS_PER_SHARE = 65535
# Lettering shows against black from here on; noise and what compression leaves of a frame do not.
_LIT_CODE = 48


class BlackFrames:
    """Finds black frames."""

    name: ClassVar[str] = "black_frames"
    defects: ClassVar[tuple[str, ...]] = ("black_frames",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"luma_sum", "dark_counts", "row_max"}),
        )

    def open(self, stream: StreamInfo) -> BlackFramesAnalysis:
        """Returns a fresh analysis."""
        return BlackFramesAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns luma and the share of dark samples into black intervals."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        luma = column(table, "mean_luma") / _STEPS_PER_CODE
        dark = column(table, "dark_share") / _STEPS_PER_SHARE
        lit = column(table, "lit_share") / _STEPS_PER_SHARE
        black = dark >= self.tuned.thresholds["dark_share"]
        black &= lit < self.tuned.thresholds["lit_share"]
        findings: list[Finding] = []
        for first, last in runs(black):
            duration_s = float(ends_s[last - 1] - starts_s[first])
            contrast = self._contrast(first, last, starts_s, luma)
            abrupt = contrast >= self.tuned.thresholds["abrupt_luma_code"]
            if not abrupt and duration_s < self.params.max_editorial_s:
                continue
            evidence = {
                "duration_s": round(duration_s, 4),
                "mean_luma_code": round(float(np.mean(luma[first:last])), 2),
                "luma_step_code": round(contrast, 2),
            }
            findings.append(
                Finding(
                    detector=self.name,
                    defect="black_frames",
                    start_s=float(starts_s[first]),
                    end_s=float(ends_s[last - 1]),
                    confidence=round(
                        float(np.mean(dark[first:last])) * (0.99 if abrupt else 0.8), 4
                    ),
                    severity=severity_of(self.tuned.severity["black_frames"], evidence),
                    evidence=evidence,
                )
            )
        return result_of("black_frames", findings, curve(starts_s, dark))

    def _contrast(
        self, first: int, last: int, starts_s: NDArray[np.float64], luma: NDArray[np.float64]
    ) -> float:
        """The larger step in mean luma at either end, within the edge window."""
        inside = float(np.mean(luma[first:last]))
        window_s = self.params.edge_window_s
        steps = [0.0]
        if first > 0:
            # The frame just before, unless the fade has been under way for the whole window.
            since = int(np.searchsorted(starts_s, starts_s[first] - window_s))
            steps.append(_step(luma[since:first][::-1], inside))
        if last < len(luma):
            until = int(np.searchsorted(starts_s, starts_s[last] + window_s))
            steps.append(_step(luma[last : max(until, last + 1)], inside))
        return max(steps)


def _step(outward: NDArray[np.float64], inside: float) -> float:
    """How far luma jumps across the edge, given the rows from the edge outward.

    In a fade the first row outside is nearly as dark as the black and further rows go on rising;
    at a cut the first row is already the frame.
    """
    if not len(outward):
        return 0.0
    return float(outward[0] - inside)


def _longest_run(lit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns how many neighbouring rows of each frame are lit; lit is (frames, rows)."""
    place = np.arange(1, lit.shape[1] + 1)
    last_unlit = np.maximum.accumulate(np.where(lit, 0, place), axis=1)
    return np.max(place - last_unlit, axis=1)


class BlackFramesAnalysis:
    """Measures mean luma, how much of the frame is dark, and how high its lit part is."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        self._scale = float(1 << (video.bit_depth - 8))
        # Full-range black is 0, so its dark bound lies 16 codes lower: the nearest count is the
        # same one, which merely is stricter about what else is dark.
        self._samples = video.width * video.height
        self._table = TableBuilder(
            1 / video.time_base,
            pts=np.int64,
            mean_luma=np.uint16,
            dark_share=np.uint16,
            lit_share=np.uint16,
        )

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        dark = video.features["dark_counts"][:, DARK_CODES.index(20)] / self._samples
        luma = video.features["luma_sum"] / self._samples / self._scale
        lit = _longest_run(video.features["row_max"] >= _LIT_CODE * self._scale)
        lit_share = lit / video.features["row_max"].shape[1]
        self._table.add(
            pts=video.pts,
            mean_luma=saturate(luma * _STEPS_PER_CODE, np.uint16),
            dark_share=saturate(dark * _STEPS_PER_SHARE, np.uint16),
            lit_share=saturate(lit_share * _STEPS_PER_SHARE, np.uint16),
        )

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("black_frames", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns luma and dark shares."""
        return Measurements("black_frames", {"frames": self._table.table()})
