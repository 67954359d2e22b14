"""Evidence against: what the layer takes for a defect, and classical measures know better.

    hum         what stands at the mains' harmonics is the skirt of a line beside them, or the comb
                of another fundamental stands out far more: a held note
    hiss        the floor lies so far under the programme that nobody hears it
    distortion  the treble has gaps between bands that sound: a coder or a robot's voice made them,
                and a bent waveform would have filled them

Such steps are told by odds that no run can hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import ceiling
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE, SHARE_SCALE
from defectscope.detectors.audio_artifacts.decision import wide
from defectscope.detectors.audio_artifacts.layout import CLASSES

Doubles = NDArray[np.float64]
# Means of about four seconds, dB, where lines stand out at all. Nine in ten steps of hum that was
# put in, or recorded, have 0.7 at most; a held low G of 49 Hz has 2 to 16.
MOST_SKIRT_DB, STANDING_DB = 1.5, 10.0
# Hum that was put in, or recorded, has 0.6 dB at most; a synthesiser's held G sharp of 51.9 Hz 8 to
# 23.
MOST_NOTE_DB = 8.0
# Floor between 2 and 12 kHz under the whole sound.
MOST_BELOW_DB = 39.0
# Share of the treble that is hollow, mean of about four seconds.
MOST_HOLLOW = 0.004
# Below every drift that runs are chosen with.
LOG_ODDS = -12.0


def lowered(log_odds: Doubles, columns: Mapping[str, NDArray[Any]], starts_s: Doubles) -> Doubles:
    """Returns log odds, (n, 4), those of steps that something speaks against at most `LOG_ODDS`.

    Args:
        log_odds: (n, 4) from the layer and what stands on it.
        columns: What the analysis measured.
        starts_s: (n,) start of each step's window.
    """
    out = log_odds.copy()
    for defect, speaks in {
        "audio_hum": is_skirt(columns, starts_s) | is_note(columns, starts_s),
        "audio_hiss": is_far_below(columns),
        "audio_distortion": is_hollow(columns, starts_s) & ~ceiling.under_a_ceiling(columns),
    }.items():
        place = CLASSES.index(defect)
        out[speaks, place] = np.minimum(out[speaks, place], LOG_ODDS)
    return out


def is_skirt(columns: Mapping[str, NDArray[Any]], starts_s: Doubles) -> NDArray[np.bool_]:
    """Returns in which steps the mains' lines belong to a note beside them, (n,)."""
    measured = np.column_stack([columns["skirt"], columns["lines"]]) / DECIBEL_SCALE
    skirt_db, lines_db = wide(measured, starts_s).T
    return (skirt_db >= MOST_SKIRT_DB) & (lines_db >= STANDING_DB)


def is_note(columns: Mapping[str, NDArray[Any]], starts_s: Doubles) -> NDArray[np.bool_]:
    """Returns around which steps another fundamental than the mains' stands out far more, (n,)."""
    note_db = columns["note"].astype(np.float64)[:, None] / DECIBEL_SCALE
    return wide(note_db, starts_s)[:, 0] >= MOST_NOTE_DB


def is_far_below(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Returns in which steps the floor is too far under the sound to be heard as hiss, (n,)."""
    below = columns["level"].astype(np.float64) - columns["floor"]
    return below > MOST_BELOW_DB * DECIBEL_SCALE


def is_hollow(columns: Mapping[str, NDArray[Any]], starts_s: Doubles) -> NDArray[np.bool_]:
    """Returns around which steps the treble has gaps, (n,)."""
    shares = columns["hollow"].astype(np.float64)[:, None] / SHARE_SCALE
    return wide(shares, starts_s)[:, 0] >= MOST_HOLLOW
