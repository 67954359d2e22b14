"""Steps: what begins or ends between two frames that were looked at together.

What a frame shows sets the level of the network's decision about it and about the one before it
alike. What is left is damage that came or went, which the small head of `onset` tells by both.
Damage always comes at once, and nearly always goes at once, with the next random access point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Share of all differences that light alone explains, and share of the tiles that it changes.
_PURE_SHARE, _LIT_SHARE = 0.85, 0.75
# Share of the tiles that another shot changes. Damage mostly leaves some.
_REPLACED_SHARE = 0.99
# Where a cut or the light changes everything, each frame looks new beside the other: what the other
# way says counts twice against, and a unit of log-odds on top of it.
_ONE_SIDED, _DOUBT = 2.0, 1.0
# Share of the tiles that must show something for a cut.
_SHOWN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps into the evaluated frames, and what a beginning or an end costs there.

    Attributes:
        begins: For every evaluated frame, log-odds that damage begins with it; NaN where it was not
            looked at together with the one before, or where what changes has another cause.
        ends: Likewise, that damage ends with it.
        begin: What a beginning costs there, log-odds.
        end: What an end costs there.
    """

    begins: Floats
    ends: Floats
    begin: Floats
    end: Floats

    @staticmethod
    def of(
        known_rows: NDArray[np.int64],
        rows: NDArray[np.int64],
        begins: Floats,
        ends: Floats,
        confounded: NDArray[np.bool_],
        cut: NDArray[np.bool_],
        change: float,
        baseline: float,
        weight: float,
    ) -> Steps:
        """Returns the steps of a programme.

        Args:
            known_rows: Rows of the evaluated frames, rising.
            rows: Rows of the frames that were looked at, each with the one before it.
            begins: Log-odds that damage begins with each.
            ends: Log-odds that it ends with each.
            confounded: For every row, whether bars or light change there.
            cut: For every row, whether everything changes there. Where one of the two holds, a
                step is believed as far as it is one-sided: damage that comes or goes is, while
                two shots are strange to each other. Where both hold, none is.
            change: What a beginning or an end costs where nothing tells of it.
            baseline: The log-odds at which it costs as much where it was looked at.
            weight: How much less it costs by each unit of log-odds more.
        """
        seen = rows > 0
        place = np.searchsorted(known_rows, rows[seen])
        out: list[Floats] = []
        for odds, other in ((begins, ends), (ends, begins)):
            known = np.full(len(known_rows), np.nan)
            one_sided = odds - _ONE_SIDED * np.maximum(other, 0) - _DOUBT
            doubted = np.where(one_sided > baseline, one_sided, np.nan)
            told = np.where(confounded[rows] | cut[rows], doubted, odds)
            known[place] = np.where(confounded[rows] & cut[rows], np.nan, told)[seen]
            out.append(known)
        begin, end = (
            np.where(np.isnan(odds), change, change + weight * (baseline - np.nan_to_num(odds)))
            for odds in out
        )
        return Steps(out[0], out[1], begin, end)

    @staticmethod
    def flat(count: int, change: float) -> Steps:
        """Returns steps that tell nothing."""
        same, none = np.full(count, change), np.full(count, np.nan)
        return Steps(none, none, same, same)

    def largest(self, first: int, stop: int) -> float:
        """Returns the largest step into, within or out of an interval; 0 where none is known.

        Args:
            first: First evaluated frame of the interval.
            stop: First one after it.
        """
        into = self.begins[first : first + 1]
        within = np.fmax(self.begins[first + 1 : stop], self.ends[first + 1 : stop])
        out_of = self.ends[stop : stop + 1]
        every = np.concatenate([into, within, out_of])
        return float(np.nanmax(every, initial=0.0)) if np.isfinite(every).any() else 0.0


def borders(rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns how far frames are black from the top, bottom, left and right on, in percent.

    Args:
        rows: (frames, height) which rows are black.
        columns: (frames, width) which columns are black.
    """
    sides = (rows, rows[:, ::-1], columns, columns[:, ::-1])
    runs = [np.logical_and.accumulate(side, axis=1).mean(axis=1) for side in sides]
    return np.rint(100 * np.stack(runs, axis=1)).astype(np.int64)


def bars_moved(borders: NDArray[np.int64], least_percent: int) -> NDArray[np.bool_]:
    """Returns in which frames black bars come, go or move, on two opposite sides at once.

    Args:
        borders: (frames, 4) from `borders`.
        least_percent: By how much both sides change at least.
    """
    moved = np.zeros(len(borders), bool)
    change = np.diff(borders, axis=0)
    for one, other in ((0, 1), (2, 3)):
        same = np.sign(change[:, one]) == np.sign(change[:, other])
        far = np.minimum(np.abs(change[:, one]), np.abs(change[:, other])) >= least_percent
        moved[1:] |= same & far
    return moved


def brightness_moved(
    luma: NDArray[np.float64], sad: NDArray[np.float64], least_code: float
) -> NDArray[np.bool_]:
    """Returns in which frames nothing but the brightness of the whole frame changes.

    In a tile that only becomes lighter, or only darker, the sum of its differences is the
    difference of its sums; and light changes most tiles, all of them in one direction. Damage
    covers some tiles and puts other content there.

    Args:
        luma: (frames + 1, rows, columns) mean luma codes of each tile, the frame before them first.
        sad: (frames, rows, columns) mean absolute difference to the frame before, codes.
        least_code: Mean change of luma from which a tile counts as changed.
    """
    change = np.diff(luma, axis=0)
    counts = np.abs(change) >= least_code
    rising = (counts & (change > 0)).mean(axis=(1, 2))
    falling = (counts & (change < 0)).mean(axis=(1, 2))
    pure = np.abs(change).sum(axis=(1, 2)) >= _PURE_SHARE * sad.sum(axis=(1, 2))
    return pure & (np.maximum(rising, falling) >= _LIT_SHARE)


def replaced(
    luma: NDArray[np.float64], sad: NDArray[np.float64], least_code: float, black_code: float
) -> NDArray[np.bool_]:
    """Returns which frames share nothing with the one before them, as after a cut.

    The network's level depends on content, so its change from shot to shot tells nothing. Tiles
    that are black in both frames, as bars are, do not count.

    Args:
        luma: (frames + 1, rows, columns) mean luma codes of each tile, the frame before them first.
        sad: (frames, rows, columns) mean absolute difference to the frame before, codes.
        least_code: Difference from which a tile counts as changed.
        black_code: Mean luma up to which a tile is black.
    """
    shown = np.maximum(luma[1:], luma[:-1]) > black_code
    changed = ((sad >= least_code) & shown).sum(axis=(1, 2))
    count = shown.sum(axis=(1, 2))
    return (changed >= _REPLACED_SHARE * count) & (count >= _SHOWN_SHARE * shown[0].size)
