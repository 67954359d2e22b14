"""One channel, or the mix: cells, blocks, windows, what they say, and logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.grid import Resampler
from defectscope.detectors.audio_artifacts.inference import BATCH, Scorer
from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_AFTER,
    MARGIN_BEFORE,
    Spectra,
    measure,
)
from defectscope.detectors.audio_artifacts.surroundings import REACH

Floats = NDArray[np.float32]


class Lane:
    """Turns sound, as it comes, into logits of windows half a second apart.

    Args:
        rate_hz: Rate of the sound.
        scorer: The network.
    """

    def __init__(self, rate_hz: int, scorer: Scorer) -> None:
        self.logits: dict[int, Floats] = {}
        self._resampler = Resampler(rate_hz)
        self._scorer = scorer
        self._cells: dict[int, Floats] = {}
        self._block: tuple[int, Spectra] | None = None
        self._waiting: list[tuple[int, Spectra]] = []
        # What windows say, those of the last seconds; the last window of each stretch of sound.
        self._heard: dict[int, Floats] = {}
        self._last: set[int] = set()
        self._next_judged: list[int] = []

    def push(self, start: int, data: Floats) -> None:
        """Takes a run of sound."""
        for number, cell in self._resampler.push(start, data):
            self._take(number, cell)

    def close(self) -> None:
        """Judges what is left."""
        for number, cell in self._resampler.finish():
            self._take(number, cell)
        self._end_stretch()
        self._hear()

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
        self._last.add(last)
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
                self._hear()
        self._block = (number, block)

    def _hear(self) -> None:
        if not self._waiting:
            return
        heard = self._scorer.hear([pictures for _, pictures in self._waiting])
        for (number, _), own in zip(self._waiting, heard, strict=True):
            self._heard[number] = own
            self._next_judged.append(number)
        self._waiting.clear()
        ready = [number for number in self._next_judged if self._ready(number)]
        self._next_judged = [number for number in self._next_judged if number not in set(ready)]
        for first in range(0, len(ready), BATCH):
            part = ready[first : first + BATCH]
            logits = self._scorer.judge([self._near(number) for number in part])
            self.logits.update(zip(part, logits, strict=True))
        reached = min(self._next_judged, default=max(self._heard) + 1) - REACH
        self._heard = {k: v for k, v in self._heard.items() if k >= reached}

    def _ready(self, number: int) -> bool:
        """Whether everything that will ever follow closely has been heard."""
        after = range(number, number + REACH + 1)
        return after[-1] in self._heard or any(k in self._heard and k in self._last for k in after)

    def _near(self, number: int) -> list[Floats | None]:
        # The last window of a stretch is half silence that never was: nobody's surroundings.
        return [
            self._heard.get(k) if k == number or k not in self._last else None
            for k in range(number - REACH, number + REACH + 1)
        ]
