"""Loudness of the dialogue alone: BS.1770 over those blocks in which somebody speaks.

Speech is told by its syllables: within 100 ms its band dips deeply again and again, which music
and ambience do not. What that is worth is in docs/results/dialogue_gate.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.loudness import gating
from defectscope.measurements import Table
from defectscope.temporal.speech_levels import BLOCKS_HZ, to_dbfs
from defectscope.temporal.tables import column

Series = NDArray[np.float64]
_WINDOW_BLOCKS = 2 * BLOCKS_HZ + 1
# Mean dip of the softest 20 ms below their block, over the window. Chosen between recordings of
# speech and of music, docs/results/dialogue_gate.md.
_LEAST_DIP_DB = 5.5
_DEEPEST_DIP_DB = 40.0
# A block this far below the loudest of its window is a pause.
_PAUSE_DB = 15.0
# Softer than this nothing counts as audible.
_FLOOR_DBFS = -65.0
_WINDOW_OF_400_MS = 4


def speech_blocks(level_dbfs: Series, softest_dbfs: Series) -> NDArray[np.bool_]:
    """Tells for every block of 100 ms whether somebody speaks in it.

    Args:
        level_dbfs: (n,) level of the band of speech.
        softest_dbfs: (n,) level of its softest 20 ms.
    """
    if len(level_dbfs) < _WINDOW_BLOCKS:
        return np.zeros(len(level_dbfs), np.bool_)
    dips = np.clip(level_dbfs - softest_dbfs, 0.0, _DEEPEST_DIP_DB)
    half = _WINDOW_BLOCKS // 2
    around = np.lib.stride_tricks.sliding_window_view
    dip = around(np.pad(dips, half, mode="reflect"), _WINDOW_BLOCKS).mean(axis=1)
    loudest = around(np.pad(level_dbfs, half, mode="reflect"), _WINDOW_BLOCKS).max(axis=1)
    audible = (level_dbfs > loudest - _PAUSE_DB) & (level_dbfs > _FLOOR_DBFS)
    return (dip >= _LEAST_DIP_DB) & audible


def dialogue(speech: Table, block: NDArray[np.int64], energy: Series) -> tuple[float, float]:
    """Returns the loudness of dialogue in LUFS, and its share of the programme, 0 to 1.

    Windows of 400 ms count of which at least half is speech; there is no relative gate, as speech
    is the gate (ITU-R BS.1770-1 has none).

    Args:
        speech: Rows of `block`, `level` and `softest` in codes.
        block: (n,) numbers of the blocks of `energy`.
        energy: (n,) K-weighted energy.
    """
    if not len(speech) or not len(block):
        return gating.SILENCE_LUFS, 0.0
    spoken = speech_blocks(to_dbfs(column(speech, "level")), to_dbfs(column(speech, "softest")))
    flags = np.isin(block, column(speech, "block")[spoken])
    windows = gating.momentary(energy)
    if not len(windows):
        return gating.SILENCE_LUFS, 0.0
    share = gating.sliding(flags.astype(np.float64), _WINDOW_OF_400_MS)
    counted = windows[share >= 0.5]
    loudness = float(gating.lufs(np.array([counted.mean()]))[0]) if len(counted) else None
    return gating.SILENCE_LUFS if loudness is None else loudness, float(flags.mean())
