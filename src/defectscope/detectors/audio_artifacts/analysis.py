"""Measures one stream: the network's logits for every second, each half second."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from defectscope.detection.contracts import Chunk
from defectscope.detection.tables import TableBuilder, saturate
from defectscope.detectors.audio_artifacts.grid import Resampler
from defectscope.detectors.audio_artifacts.inference import BATCH, Scorer
from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_AFTER,
    MARGIN_BEFORE,
    Spectra,
    measure,
)
from defectscope.findings import Measurements
from defectscope.media.frames import Samples
from defectscope.media.stream import StreamInfo

WINDOWS_HZ = 2
# Logits are kept in hundredths: finer differences are rounding of the processor.
LOGIT_SCALE = 100.0
# A window needs this share of real sound, more than its forerunner has covered; the very first may
# be as short as a tenth of a second.
_MIN_SHARE = 0.55
_MIN_FIRST_S = 0.1

Floats = NDArray[np.float32]


class AudioArtifactsAnalysis:
    """Feeds sound to the network, a few windows at a time.

    Args:
        stream: What is judged.
        scorer: The network.
        each_channel: Judge every channel instead of their mix; the highest logit counts.
    """

    def __init__(self, stream: StreamInfo, scorer: Scorer, *, each_channel: bool) -> None:
        audio = stream.audio
        assert audio is not None
        names = audio.channels
        # Effects rumble by design.
        self._kept = [i for i, name in enumerate(names) if not name.startswith("LFE")] or [0]
        self._rate_hz = audio.rate_hz
        lanes = len(self._kept) if each_channel else 1
        self._each = each_channel
        self._lanes = [_Lane(audio.rate_hz, scorer) for _ in range(lanes)]
        self._filled: dict[int, int] = {}

    def push(self, chunk: Chunk) -> None:
        """Takes the next runs of sound."""
        for run in chunk.audio:
            self._count(run)
            if self._each:
                for place, lane in zip(self._kept, self._lanes, strict=True):
                    lane.push(run.start, _mixed(run.data, [place]))
            else:
                self._lanes[0].push(run.start, _mixed(run.data, self._kept))

    def close(self) -> Measurements:
        """Gives the logits and the level of every window."""
        columns = {f"logit_{name}": np.int16 for name in CLASSES}
        builder = TableBuilder(Fraction(WINDOWS_HZ), window=np.int64, **columns)
        for lane in self._lanes:
            lane.close()
        logits = self._lanes[0].logits
        for lane in self._lanes[1:]:
            for number, own in lane.logits.items():
                logits[number] = np.maximum(logits[number], own)
        numbers = [number for number in sorted(logits) if self._heard(number)]
        if numbers:
            table = np.stack([logits[number] for number in numbers]) * LOGIT_SCALE
            values = {f"logit_{n}": saturate(table[:, i], np.int16) for i, n in enumerate(CLASSES)}
            builder.add(window=np.array(numbers), **values)
        return Measurements("audio_artifacts", {"windows": builder.table()})

    def _count(self, run: Samples) -> None:
        """Notes how much sound every half second really has."""
        position, end = max(0, run.start), run.start + len(run.data)
        while position < end:
            cell = position * WINDOWS_HZ // self._rate_hz
            edge = min(end, -(-(cell + 1) * self._rate_hz // WINDOWS_HZ))
            self._filled[cell] = self._filled.get(cell, 0) + edge - position
            position = edge

    def _heard(self, number: int) -> bool:
        samples = self._filled.get(number, 0) + self._filled.get(number + 1, 0)
        wanted = _MIN_FIRST_S if number == 0 else _MIN_SHARE
        return samples >= wanted * self._rate_hz


def _mixed(data: Floats, kept: list[int]) -> Floats:
    """Gives the mean of some channels; what is not a number is silence, infinities full scale."""
    # Column by column: a mean along rows of two takes five times as long.
    out = data[:, kept[0]].astype(np.float32)
    for place in kept[1:]:
        out += data[:, place]
    out /= np.float32(len(kept))
    if np.isfinite(np.dot(out, out)):
        return out
    return np.nan_to_num(data[:, kept], nan=0.0, posinf=1.0, neginf=-1.0).mean(axis=1, dtype="f4")


class _Lane:
    """One channel, or the mix: cells, blocks, windows, logits."""

    def __init__(self, rate_hz: int, scorer: Scorer) -> None:
        self.logits: dict[int, Floats] = {}
        self._resampler = Resampler(rate_hz)
        self._scorer = scorer
        self._cells: dict[int, Floats] = {}
        self._block: tuple[int, Spectra] | None = None
        self._waiting: list[tuple[int, Spectra]] = []

    def push(self, start: int, data: Floats) -> None:
        for number, cell in self._resampler.push(start, data):
            self._take(number, cell)

    def close(self) -> None:
        for number, cell in self._resampler.finish():
            self._take(number, cell)
        self._end_stretch()
        self._score()

    def _take(self, number: int, cell: Floats) -> None:
        if self._cells and number != max(self._cells) + 1:
            self._end_stretch()
        self._cells[number] = cell
        if number - 1 in self._cells:
            self._measure(number - 1)
        self._cells.pop(number - 2, None)

    def _end_stretch(self) -> None:
        """The sound stops here: silence completes the last windows."""
        if not self._cells:
            return
        last = max(self._cells)
        silence = np.zeros(BLOCK, np.float32)
        for number in (last + 1, last + 2):
            self._cells[number] = silence
            self._measure(number - 1)
        self._cells.clear()
        self._block = None

    def _measure(self, number: int) -> None:
        before = self._cells.get(number - 1)
        padded = np.concatenate(
            [
                np.zeros(MARGIN_BEFORE, np.float32) if before is None else before[-MARGIN_BEFORE:],
                self._cells[number],
                self._cells[number + 1][:MARGIN_AFTER],
            ]
        )
        block = measure(padded)
        if self._block is not None and self._block[0] == number - 1:
            self._waiting.append((number - 1, Spectra.join(self._block[1], block).window(0.0)))
            if len(self._waiting) == BATCH:
                self._score()
        self._block = (number, block)

    def _score(self) -> None:
        if self._waiting:
            scores = self._scorer([pictures for _, pictures in self._waiting])
            for (number, _), logits in zip(self._waiting, scores, strict=True):
                self.logits[number] = logits
            self._waiting.clear()
