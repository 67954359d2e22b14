"""One channel, or the mix: cells, blocks, windows, what they say, and logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import repeats
from defectscope.detectors.audio_artifacts.classical import floor_and_level, standing_lines
from defectscope.detectors.audio_artifacts.grid import Resampler
from defectscope.detectors.audio_artifacts.hollows import hollows
from defectscope.detectors.audio_artifacts.layout import BATCH, REACH, WindowScorer
from defectscope.detectors.audio_artifacts.moments import LEAD, of_quarters, stand_out
from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_AFTER,
    MARGIN_BEFORE,
    Spectra,
    measure,
    slow_block,
)
from defectscope.detectors.audio_artifacts.supply import steady_line
from defectscope.detectors.audio_artifacts.tops import tops

# Windows are so many steps away from their surroundings, half a second.
APART = 2
# Blocks before and after a window's first that its lines are looked for in: three seconds in all.
_LINES_BEFORE, _LINES_AFTER = 2, 3
# What is known of a window beside its logits, the first of them its lines.
_CLASSICAL, _LINE_MEASURES = 7, 5
Floats = NDArray[np.float32]


class ChannelPipeline:
    """Turns sound, as it comes, into logits of windows a quarter of a second apart.

    Args:
        rate_hz: Rate of the sound.
        scorer: The network.
    """

    def __init__(self, rate_hz: int, scorer: WindowScorer) -> None:
        self.logits: dict[int, Floats] = {}
        # Of every window (lines, lines beyond, skirt, note, supply, floor, level), dB.
        self.classical: dict[int, NDArray[np.float64]] = {}
        # Of every quarter of a second what `tops` gives, (2,).
        self.peaks: dict[int, NDArray[np.float64]] = {}
        # Of every quarter of a second how far its most isolated moment stands out, dB.
        self.moments: dict[int, np.float64] = {}
        # Of every quarter of a second what `repeated` gives, dB.
        self.repeats: dict[int, np.float64] = {}
        # Of every quarter of a second what `hollows` gives, (2,).
        self.hollows: dict[int, NDArray[np.float64]] = {}
        self._slow: dict[int, Floats] = {}
        self._next_lines = 0
        self._resampler = Resampler(rate_hz)
        self._scorer = scorer
        self._cells: dict[int, Floats] = {}
        # The blocks measured last, at most two.
        self._blocks: dict[int, Spectra] = {}
        self._waiting: list[tuple[int, Spectra]] = []
        # What windows say, those of the last seconds; those that outlast the sound of a run.
        self._embeddings: dict[int, Floats] = {}
        self._last: set[int] = set()
        self._next_classified: list[int] = []

    def push(self, start: int, data: Floats) -> None:
        """Takes a run of sound."""
        for number, cell in self._resampler.push(start, data):
            self._take(number, cell)

    def close(self) -> None:
        """Evaluates what is left."""
        for number, cell in self._resampler.finish():
            self._take(number, cell)
        self._end_run()
        self._embed()

    def _take(self, number: int, cell: Floats) -> None:
        if self._cells and number != max(self._cells) + 1:
            self._end_run()
        self._cells[number] = cell
        if number - 1 in self._cells:
            self._measure(number - 1)
        self._cells.pop(number - 2, None)

    def _end_run(self) -> None:
        """The sound stops here: silence completes the last windows."""
        if not self._cells:
            return
        last = max(self._cells)
        self._last |= {2 * last - 1, 2 * last}
        silence = np.zeros(BLOCK, np.float32)
        for number in (last + 1, last + 2):
            self._cells[number] = silence
            self._measure(number - 1)
        self._stand(last, last)
        self._cells.clear()
        self._blocks.clear()
        self._slow.clear()

    def _measure(self, number: int) -> None:
        before = self._cells.get(number - 1)
        lead = repeats.LEAD
        longest = np.concatenate(
            [
                np.zeros(lead, np.float32) if before is None else before[-lead:],
                self._cells[number],
                self._cells[number + 1][:MARGIN_AFTER],
            ]
        )
        padded = longest[lead - MARGIN_BEFORE :]
        self._blocks[number] = measure(padded)
        self._slow[number] = slow_block(padded)
        self.peaks |= {2 * number + k: own for k, own in enumerate(tops(padded))}
        over_db, at = stand_out(longest[lead - LEAD :])
        self.moments |= {2 * number + k: own for k, own in enumerate(of_quarters(over_db))}
        again = repeats.repeated(longest, over_db, at)
        self.repeats |= {2 * number + k: own for k, own in enumerate(again)}
        counted = hollows(self._blocks[number])
        self.hollows |= {2 * number + k: own for k, own in enumerate(counted)}
        self._stand(number - _LINES_AFTER, number)
        second_last, last = self._blocks.get(number - 2), self._blocks.get(number - 1)
        if last is not None:
            two = Spectra.join(last, self._blocks[number])
            if second_last is not None:
                self._wait(2 * number - 3, Spectra.join(second_last, two).window(0.25))
            self._wait(2 * number - 2, two.window(0.0))
        self._blocks.pop(number - 2, None)

    def _stand(self, upto: int, last: int) -> None:
        """Measures the lines around the blocks up to one, none after the last heard."""
        for number in sorted(self._slow):
            if number > upto:
                break
            if number < self._next_lines:
                continue
            near = range(number - _LINES_BEFORE, min(number + _LINES_AFTER, last) + 1)
            slow = np.concatenate([self._slow[k] for k in near if k in self._slow])
            lines = [*standing_lines(slow), steady_line(slow)]
            for window in (2 * number, 2 * number + 1):
                self.classical.setdefault(window, np.zeros(_CLASSICAL))[:_LINE_MEASURES] = lines
            self._next_lines = number + 1
        for number in [k for k in self._slow if k < self._next_lines - _LINES_BEFORE]:
            del self._slow[number]

    def _wait(self, number: int, spectra: Spectra) -> None:
        own = self.classical.setdefault(number, np.zeros(_CLASSICAL))
        own[_LINE_MEASURES:] = floor_and_level(spectra)
        self._waiting.append((number, spectra))
        if len(self._waiting) == BATCH:
            self._embed()

    def _embed(self) -> None:
        if not self._waiting:
            return
        embedded = self._scorer.embed_windows([spectra for _, spectra in self._waiting])
        for (number, _), own in zip(self._waiting, embedded, strict=True):
            self._embeddings[number] = own
            self._next_classified.append(number)
        self._waiting.clear()
        ready = [number for number in self._next_classified if self._ready(number)]
        self._next_classified = [
            number for number in self._next_classified if number not in set(ready)
        ]
        for first in range(0, len(ready), BATCH):
            part = ready[first : first + BATCH]
            logits = self._scorer.classify([self._near(number) for number in part])
            self.logits.update(zip(part, logits, strict=True))
        reached = min(self._next_classified, default=max(self._embeddings) + 1) - REACH * APART
        self._embeddings = {k: v for k, v in self._embeddings.items() if k >= reached}

    def _ready(self, number: int) -> bool:
        """Whether everything that will ever follow closely has been heard."""
        after = range(number, number + REACH * APART + 1, APART)
        return after[-1] in self._embeddings or any(
            k in self._embeddings and k in self._last for k in after
        )

    def _near(self, number: int) -> list[Floats | None]:
        # The last window of an interval is half silence that never was: nobody's surroundings.
        return [
            self._embeddings.get(k) if k == number or k not in self._last else None
            for k in range(number - REACH * APART, number + REACH * APART + 1, APART)
        ]
