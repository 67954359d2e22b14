"""What a moment that stands out says of clicks: without any there is none, a sure one is one.

What the network takes for clicks in music, a bass with a sharp attack or a synthetic drum, has no
single moment that stands out of what follows it. Where most of the programme has such moments they
are how it sounds: percussion. A buffer that is heard again needs none: that it equals what was
heard before, on one side of a break alone, proves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.detectors.audio_artifacts.decision import STEP_S, Run

DEFECT = "audio_clicks"
# Nine in ten seconds of clean sound have 12 dB at most.
LEAST_DB = 13.0
# In 54 minutes of clean sound one synthetic drum reached it, and nothing else.
SURE_DB = 40.0
# A break with sound on one side that equals its past so much better than the other side. In 85
# minutes of clean sound one sample of a game reached it; the next had 26.5.
AGAIN_DB = 28.0
# Evidence that needs no moment: lost packets of sound leave holes, which the network hears.
# The most that a run without one had in clean sound was 14.2.
ENOUGH = 15.0
# Log odds that clicks must reach somewhere in a run: about even.
LEAST_LOG_ODDS = -0.25
# Share of the seconds outside a run from which on moments are how the programme sounds, and how
# much of it tells, seconds: a record that crackles from end to end leaves nothing outside.
PERCUSSION, OUTSIDE_S = 0.5, 10.0
# What a step that holds a sure one, or a buffer heard again, is told by: likelier clicks than not.
LOG_ODDS = 3.0


def raised(
    log_odds: NDArray[np.float64], columns: Mapping[str, NDArray[Any]]
) -> NDArray[np.float64]:
    """Returns log odds of clicks, (n,), those of steps with a sure moment at least `LOG_ODDS`."""
    sure = (columns["isolated"] >= SURE_DB * DECIBEL_SCALE) | _again(columns)
    return np.where(sure, np.maximum(log_odds, LOG_ODDS), log_odds)


def confirmed(
    found: Sequence[Run], columns: Mapping[str, NDArray[Any]], log_odds: NDArray[np.float64]
) -> list[Run]:
    """Returns the runs of clicks that hold a moment that stands out, or are sure without one.

    Somewhere in a run clicks must be about as likely as not: seconds of some doubt are no click.

    Args:
        found: Runs of clicks.
        columns: What the analysis measured.
        log_odds: (n,) that the runs were made from.
    """
    isolated, again = columns["isolated"] / DECIBEL_SCALE, _again(columns)

    def is_confirmed(run: Run) -> bool:
        own = slice(run.first, run.last)
        if run.evidence >= ENOUGH or again[own].any():
            return True
        outside = np.delete(isolated, np.arange(run.first, run.last)) > LEAST_DB
        is_percussion = len(outside) * STEP_S >= OUTSIDE_S and outside.mean() > PERCUSSION
        likely, stands = log_odds[own].max() >= LEAST_LOG_ODDS, isolated[own].max() >= LEAST_DB
        return bool(likely and stands and not is_percussion)

    return [run for run in found if is_confirmed(run)]


def _again(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    return columns["repeated"] >= AGAIN_DB * DECIBEL_SCALE
