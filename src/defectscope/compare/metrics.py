"""Compares paired frames: PSNR, SSIM and XPSNR over the programme, and its worst moments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.compare.alignment import Alignment
from defectscope.compare.signature import ActiveArea
from defectscope.compare.window import Window
from defectscope.media.frames import Frame
from defectscope.media.full_reference import Crop, FullReference, Measured
from defectscope.media.main_tracks import main_frames
from defectscope.media.reader import Reader
from defectscope.media.vmaf import Vmaf

_WORST_MOMENTS = 5
# Worst moments lie at least this far apart, seconds.
_APART_S = 2.0
NAMES = Measured._fields


@dataclass(frozen=True)
class QualityCurves:
    """Measures of the candidate against the baseline, per pair of frames.

    Attributes:
        base_frames: (pairs,) frame of the baseline.
        candidate_frames: (pairs,) frame of the candidate.
        times_s: (pairs,) time in the baseline.
        values: By measure: (pairs,) values; `psnr_db`, `ssim`, `xpsnr_db` of the luma; where they
            were asked for, `vmaf` (0 to 100) and `cambi` (0 is no banding).
    """

    base_frames: NDArray[np.int64]
    candidate_frames: NDArray[np.int64]
    times_s: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]

    def to_dict(self) -> dict[str, Any]:
        """Returns mean, 5th percentile and least value by measure, and the worst moments."""
        made: dict[str, Any] = {"frames": len(self.base_frames)}
        for name, values in self.values.items():
            made[name] = {
                "mean": round(float(values.mean()), 4),
                "p5": round(float(np.percentile(values, 5)), 4),
                "min": round(float(values.min()), 4),
            }
        made["worst"] = self.worst()
        return made

    def worst(self) -> list[dict[str, Any]]:
        """Returns the moments of the lowest SSIM, the worst first, some seconds apart."""
        found: list[dict[str, Any]] = []
        for k in np.argsort(self.values["ssim"], kind="stable"):
            time_s = float(self.times_s[k])
            if all(abs(time_s - moment["time_s"]) >= _APART_S for moment in found):
                values = {name: round(float(v[k]), 4) for name, v in self.values.items()}
                frames = {
                    "base_frame": int(self.base_frames[k]),
                    "candidate_frame": int(self.candidate_frames[k]),
                }
                found.append({"time_s": round(time_s, 6), **frames, **values})
            if len(found) == _WORST_MOMENTS:
                break
        return found


def measure_quality(
    base: Reader,
    candidate: Reader,
    alignment: Alignment,
    areas: tuple[ActiveArea, ActiveArea],
    *,
    every: int = 1,
    vmaf: bool = False,
) -> QualityCurves:
    """Decodes both versions once more, side by side, and measures every pair of frames.

    Args:
        base: The baseline.
        candidate: The candidate; its frame is scaled to the baseline's.
        alignment: Which frames are pairs.
        areas: Active areas of both.
        every: Measures every n-th pair alone.
        vmaf: Whether VMAF and CAMBI are measured, too.

    Raises:
        MediaError: One of them cannot be decoded.
        InvalidParameterError: VMAF is asked for and not installed.
    """
    rows = np.flatnonzero(alignment.paired >= 0)[::every]
    wanted = list(zip(rows.tolist(), alignment.paired[rows].tolist(), strict=True))
    comparer = FullReference(*shared_crops(areas, alignment.window), keep=vmaf)
    found: list[Measured] = []
    frames = tuple(enumerate(main_frames(reader)) for reader in (base, candidate))
    more: dict[str, NDArray[np.float64]] = {}
    with Vmaf() if vmaf else nullcontext() as perceived:
        for row, column in wanted:
            pair = tuple(_advance(f, n) for f, n in zip(frames, (row, column), strict=True))
            if pair[0] is None or pair[1] is None:
                break
            found.append(comparer.measure(pair[0], pair[1]))
            if perceived is not None and comparer.shown is not None:
                perceived.add(*comparer.shown)
        if perceived is not None:
            more = perceived.close()
    count = len(found)
    times_s = alignment.base_times_s[::every][:count]
    columns = np.array([column for _, column in wanted[:count]], np.int64)
    table = np.array(found, np.float64).reshape(count, len(NAMES))
    values = {name: table[:, k] for k, name in enumerate(NAMES)} | more
    return QualityCurves(rows[:count], columns, times_s, values)


def _advance(frames: Iterator[tuple[int, Frame]], wanted: int) -> Frame | None:
    for number, frame in frames:
        if number == wanted:
            return frame
    return None


def shared_crops(areas: tuple[ActiveArea, ActiveArea], window: Window) -> tuple[Crop, Crop]:
    """Returns the part of each frame that both versions show."""
    base, candidate = areas
    left, right = max(window.left, 0.0), min(window.right, 1.0)
    top, bottom = max(window.top, 0.0), min(window.bottom, 1.0)
    across, down = window.right - window.left, window.bottom - window.top
    return (
        Crop(
            round((right - left) * base.width),
            round((bottom - top) * base.height),
            base.left + round(left * base.width),
            base.top + round(top * base.height),
        ),
        Crop(
            round((right - left) / across * candidate.width),
            round((bottom - top) / down * candidate.height),
            candidate.left + round((left - window.left) / across * candidate.width),
            candidate.top + round((top - window.top) / down * candidate.height),
        ),
    )
