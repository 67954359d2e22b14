"""Hum that comes and goes within seconds, where a note sounds: the note's, not the supply's.

A supply hums as long as it is on. What stands at the mains' harmonics for a second or two amid a
programme, while the comb of another fundamental stands out more somewhere around it, is a bass that
has passed by. At the programme's ends nobody knows how long it has lasted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.detectors.audio_artifacts.decision import STEP_S, Run, wide

DEFECT = "audio_hum"
# A run shorter than this is brief, seconds.
BRIEF_S = 2.5
# How far the comb of another fundamental stands out, mean of four seconds, dB. Brief runs over hum
# of level 2 and more that was put in have 0.7 at most, those of a bass in music 3 to 8.
NOTE_DB = 2.0
# Evidence of supplies switched on for two seconds beside tones: 4 and 6. Such notes have 3.
ENOUGH = 3.5


def lasting(
    found: Sequence[Run], columns: Mapping[str, NDArray[Any]], starts_s: NDArray[np.float64]
) -> list[Run]:
    """Returns the runs of hum without those that a passing note explains.

    Args:
        found: Runs of hum.
        columns: What the analysis measured.
        starts_s: (n,) start of each step's window.
    """
    note_db = columns["note"].astype(np.float64)[:, None] / DECIBEL_SCALE
    noted = wide(note_db, starts_s)[:, 0] >= NOTE_DB

    def passes_by(run: Run) -> bool:
        is_brief = run.evidence < ENOUGH and (run.last - run.first) * STEP_S < BRIEF_S
        return is_brief and _is_amid(run, starts_s) and bool(noted[run.first : run.last].any())

    return [run for run in found if not passes_by(run)]


def _is_amid(run: Run, starts_s: NDArray[np.float64]) -> bool:
    """Returns whether sound was measured right before a run and right after it."""
    if run.first == 0 or run.last == len(starts_s):
        return False
    before, after = np.diff(starts_s)[[run.first - 1, run.last - 1]]
    return bool(max(before, after) < STEP_S * 1.5)
