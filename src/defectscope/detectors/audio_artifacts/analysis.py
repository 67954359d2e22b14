"""Measures one stream: the network's logits for every second, each quarter of a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.channel_pipeline import ChannelPipeline
from defectscope.detectors.audio_artifacts.classical import corners
from defectscope.detectors.audio_artifacts.layout import CLASSES, WindowScorer
from defectscope.engine.contracts import Chunk
from defectscope.measurements import Measurements
from defectscope.media.frames import Samples
from defectscope.media.stream import StreamInfo
from defectscope.temporal.tables import TableBuilder, saturate

WINDOWS_HZ = 4
# Logits are kept in hundredths: finer differences are rounding of the processor.
LOGIT_SCALE = 100.0
# Levels in tenths of a decibel.
DECIBEL_SCALE = 10.0
MEASURED = ("lines", "lines_beyond", "skirt", "note", "supply", "floor", "level")
PEAKS = ("tops", "even")
COLUMNS = (
    *(f"logit_{name}" for name in CLASSES),
    *MEASURED, *PEAKS, "corners", "hollow", "isolated", "repeated",
)  # fmt: skip
# Shares in thousandths.
SHARE_SCALE = 1000.0
# Cells of time and treble that are too few to tell a share by.
_FEW_CELLS = 50
# A window needs this share of real sound, more than its forerunner has covered; the very first may
# be as short as a tenth of a second.
_MIN_SHARE = 0.55
_MIN_FIRST_S = 0.1

Floats = NDArray[np.float32]


class AudioArtifactsAnalysis:
    """Feeds sound to the network, a few windows at a time.

    Args:
        stream: What is evaluated.
        scorer: The network.
        each_channel: Analyze every channel instead of their mix; the highest logit counts.
    """

    def __init__(self, stream: StreamInfo, scorer: WindowScorer, *, each_channel: bool) -> None:
        audio = stream.audio
        assert audio is not None
        names = audio.channels
        # Effects rumble by design.
        self._kept = [i for i, name in enumerate(names) if not name.startswith("LFE")] or [0]
        self._rate_hz = audio.rate_hz
        count = len(self._kept) if each_channel else 1
        self._each = each_channel
        self._pipelines = [ChannelPipeline(audio.rate_hz, scorer) for _ in range(count)]
        self._filled: dict[int, int] = {}
        # Corners in every quarter of a second, by channel, and the samples that may begin one.
        self._corners: dict[int, NDArray[np.int64]] = {}
        self._held = np.zeros((0, len(self._kept)), np.float32)
        self._held_end = 0

    def push(self, chunk: Chunk) -> None:
        """Takes the next runs of sound."""
        for run in chunk.audio:
            self._count(run)
            self._count_corners(run)
            if self._each:
                for place, pipeline in zip(self._kept, self._pipelines, strict=True):
                    pipeline.push(run.start, _mixed(run.data, [place]))
            else:
                self._pipelines[0].push(run.start, _mixed(run.data, self._kept))

    def close(self) -> Measurements:
        """Returns the logits and the level of every window."""
        columns = {name: np.int16 for name in COLUMNS}
        builder = TableBuilder(Fraction(WINDOWS_HZ), window=np.int64, **columns)
        for pipeline in self._pipelines:
            pipeline.close()
        logits = self._pipelines[0].logits
        for pipeline in self._pipelines[1:]:
            for number, own in pipeline.logits.items():
                logits[number] = np.maximum(logits[number], own)
        classical, peaks = self._pipelines[0].classical, self._pipelines[0].peaks
        for pipeline in self._pipelines[1:]:
            for number, values in pipeline.classical.items():
                classical[number] = np.maximum(classical[number], values)
            for number, values in pipeline.peaks.items():
                peaks[number] = np.maximum(peaks[number], values)
        moments, again = self._pipelines[0].moments, self._pipelines[0].repeats
        for pipeline in self._pipelines[1:]:
            for number, own in pipeline.moments.items():
                moments[number] = np.maximum(moments[number], own)
            for number, own in pipeline.repeats.items():
                again[number] = np.maximum(again[number], own)
        counts = self._pipelines[0].hollows
        for pipeline in self._pipelines[1:]:
            for number, values in pipeline.hollows.items():
                counts[number] = counts[number] + values
        numbers = [number for number in sorted(logits) if self._within(number)]
        if numbers:
            table = np.stack([logits[number] for number in numbers]) * LOGIT_SCALE
            values = {f"logit_{n}": saturate(table[:, i], np.int16) for i, n in enumerate(CLASSES)}
            measured = np.stack([classical[number] for number in numbers]) * DECIBEL_SCALE
            values |= {n: saturate(measured[:, i], np.int16) for i, n in enumerate(MEASURED)}
            table = _greatest(peaks, numbers) * DECIBEL_SCALE
            values |= {n: saturate(table[:, i], np.int16) for i, n in enumerate(PEAKS)}
            values["isolated"] = saturate(_greatest(moments, numbers) * DECIBEL_SCALE, np.int16)
            values["repeated"] = saturate(_greatest(again, numbers) * DECIBEL_SCALE, np.int16)
            shares = np.array([_share(counts, number) for number in numbers])
            values["hollow"] = saturate(shares * SHARE_SCALE, np.int16)
            corners = np.array([self._corners_in(number) for number in numbers])
            values["corners"] = saturate(corners, np.int16)
            builder.add(window=np.array(numbers), **values)
        return Measurements("audio_artifacts", {"windows": builder.table()})

    def _count(self, run: Samples) -> None:
        """Notes how much sound every quarter of a second really has."""
        position, end = max(0, run.start), run.start + len(run.data)
        while position < end:
            cell = position * WINDOWS_HZ // self._rate_hz
            edge = min(end, -(-(cell + 1) * self._rate_hz // WINDOWS_HZ))
            self._filled[cell] = self._filled.get(cell, 0) + edge - position
            position = edge

    def _count_corners(self, run: Samples) -> None:
        """Counts corners where they are, whatever runs the samples came in."""
        data = run.data[:, self._kept]
        if not np.isfinite(data).all():
            data = np.nan_to_num(data, nan=0.0, posinf=1.0, neginf=-1.0)
        joined = run.start == self._held_end and len(self._held) > 0
        near = np.concatenate([self._held, data]) if joined else data
        first = run.start + len(data) - len(near)
        if len(near) > 3:
            for place in range(near.shape[1]):
                at = np.flatnonzero(corners(near[:, place])) + first + 1
                cells, counts = np.unique(at * WINDOWS_HZ // self._rate_hz, return_counts=True)
                for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
                    own = self._corners.setdefault(cell, np.zeros(near.shape[1], np.int64))
                    own[place] += count
        self._held, self._held_end = near[-3:].copy(), run.start + len(data)

    def _corners_in(self, number: int) -> int:
        """Returns the corners in a window's second, of the channel that has most."""
        cells = [self._corners[k] for k in range(number, number + WINDOWS_HZ) if k in self._corners]
        return int(np.sum(cells, axis=0).max()) if cells else 0

    def _within(self, number: int) -> bool:
        samples = sum(self._filled.get(number + k, 0) for k in range(WINDOWS_HZ))
        wanted = _MIN_FIRST_S if number == 0 else _MIN_SHARE
        return samples >= wanted * self._rate_hz


def _greatest(
    quarters: Mapping[int, NDArray[np.float64] | np.float64], numbers: Sequence[int]
) -> NDArray[np.float64]:
    """Returns the greatest of the four quarters that each window of a second holds."""
    windows = [[quarters[k] for k in range(n, n + WINDOWS_HZ) if k in quarters] for n in numbers]
    return np.stack([np.max(window, axis=0) for window in windows])


def _share(counts: Mapping[int, NDArray[np.float64]], number: int) -> float:
    """Returns the share of a window's treble that is hollow, of all channels together."""
    quarters = [counts[k] for k in range(number, number + WINDOWS_HZ) if k in counts]
    hollow, audible = np.sum(quarters, axis=0)
    return float(hollow / (audible + _FEW_CELLS))


def _mixed(data: Floats, kept: list[int]) -> Floats:
    """Returns the mean of some channels; NaN counts as silence, infinity as full scale."""
    # Column by column: a mean along rows of two takes five times as long.
    out = data[:, kept[0]].astype(np.float32)
    for place in kept[1:]:
        out += data[:, place]
    out /= np.float32(len(kept))
    if np.isfinite(np.dot(out, out)):
        return out
    return np.nan_to_num(data[:, kept], nan=0.0, posinf=1.0, neginf=-1.0).mean(axis=1, dtype="f4")
