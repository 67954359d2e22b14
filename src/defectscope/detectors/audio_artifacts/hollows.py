"""Classical evidence of hollowness: bands of treble that fall silent between bands that sound.

A coder that lacks bits leaves bands out, frame by frame; a voice put together from sharp resonances
has such gaps too. Either has more to do with how the sound was made than with a bent waveform,
which fills gaps. Between the harmonics of a note there is a gap as well, but it stays.

Source: Erne 2001, "Perceptual Audio Coders: What to listen for", AES 111, for "birdies", bands that
come and go.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.classical import mel_centres_hz
from defectscope.detectors.audio_artifacts.spectra import Spectra

Doubles = NDArray[np.float64]
CELLS = 2
_BAND_HZ = (3000.0, 14000.0)
# Bands on either side of a gap that are looked at.
_NEIGHBOURS = 4
_SILENT_DB, _AUDIBLE_DB = -86.0, -70.0
# A gap lies so far under its own band's loudest in the same quarter of a second.
_FALL_DB = 10.0
_NOTHING_DB = -200.0


def hollows(block: Spectra) -> Doubles:
    """Returns how many cells of time and treble are hollow, and how many are looked at, (2, 2).

    A cell is a frame of 10 ms and a mel band. It is looked at where one of the four bands below it
    and one of the four above are both louder than -70 dB of a full-scale sine, and hollow where it
    is next to digital silence, -86 dB, though its own band sounded in the same quarter of a second.

    Args:
        block: Half a second; rows are its two quarters.
    """
    low, high = _treble()
    level_db = 10 * block.mel[:, low:high, 0].astype(np.float64)
    padded = np.pad(level_db, ((0, 0), (_NEIGHBOURS, _NEIGHBOURS)), constant_values=_NOTHING_DB)
    loudest = sliding_window_view(padded, _NEIGHBOURS, axis=1).max(axis=2)
    count = high - low
    sides = np.minimum(loudest[:, :count], loudest[:, _NEIGHBOURS + 1 : _NEIGHBOURS + 1 + count])
    audible = sides > _AUDIBLE_DB
    loudest_db = level_db.reshape(CELLS, -1, count).max(axis=1, keepdims=True)
    fallen = loudest_db - level_db.reshape(CELLS, -1, count) > _FALL_DB
    hollow = audible & (level_db < _SILENT_DB) & fallen.reshape(-1, count)
    counts = np.stack([hollow.sum(axis=1), audible.sum(axis=1)], axis=1).astype(np.float64)
    return counts.reshape(CELLS, -1, 2).sum(axis=1)


@cache
def _treble() -> tuple[int, int]:
    """Returns the first mel band whose centre lies in the treble, and the first after it."""
    inside = np.flatnonzero((mel_centres_hz() >= _BAND_HZ[0]) & (mel_centres_hz() <= _BAND_HZ[1]))
    return int(inside[0]), int(inside[-1]) + 1
