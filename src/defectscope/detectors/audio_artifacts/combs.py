"""Lines of the mains that stand out by themselves, where a note beside them hides their rise.

The layer asks how far hum rises above what the programme has elsewhere. Beside a bass note within
2 Hz of the mains the lines stand there throughout, and hum that sets in raises them too little.
What tells it all the same: a comb of the mains that stands far out of its surroundings and of every
other comb, for seconds, without the skirt of a note and without a note's comb; and a network that
is sure of hum somewhere among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE, LOGIT_SCALE
from defectscope.detectors.audio_artifacts.decision import continuous_runs

DEFECT = "audio_hum"
# Of lines, and of lines beyond other combs, dB; at most of the skirt and of another comb.
LEAST_LINES_DB, LEAST_BEYOND_DB, MOST_SKIRT_DB, MOST_NOTE_DB = 20.0, 12.0, 0.5, 0.6
# Steps on end: two seconds of sound.
LEAST_STEPS = 5
# The network's log odds in one of them at least. In 148 clean minutes that it was not trained on
# no comb more is taken for hum than with 3.0; with -1.0 there are two.
LEAST_LOGIT = 0.0
# What a step of such a comb is told by: likelier hum than not.
LOG_ODDS = 3.0


def standing(
    columns: Mapping[str, NDArray[Any]], starts_s: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Returns in which steps the mains' comb stands out by itself, (n,).

    Args:
        columns: What the analysis measured.
        starts_s: (n,) start of each step's window.
    """
    alone = (
        (columns["lines"] >= LEAST_LINES_DB * DECIBEL_SCALE)
        & (columns["lines_beyond"] >= LEAST_BEYOND_DB * DECIBEL_SCALE)
        & (columns["skirt"] <= MOST_SKIRT_DB * DECIBEL_SCALE)
        & (columns["note"] <= MOST_NOTE_DB * DECIBEL_SCALE)
    )
    out = np.zeros(len(alone), bool)
    for begin, end in continuous_runs(starts_s):
        edges = np.flatnonzero(np.diff(np.r_[False, alone[begin:end], False].astype(np.int8)))
        for first, last in (begin + edges.reshape(-1, 2)).tolist():
            sure = columns[f"logit_{DEFECT}"][first:last].max() >= LEAST_LOGIT * LOGIT_SCALE
            out[first:last] = sure and last - first >= LEAST_STEPS
    return out


def raised(
    log_odds: NDArray[np.float64],
    columns: Mapping[str, NDArray[Any]],
    starts_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Returns log odds of hum, (n,), those of a comb that stands by itself at least `LOG_ODDS`."""
    return np.where(standing(columns, starts_s), np.maximum(log_odds, LOG_ODDS), log_odds)
