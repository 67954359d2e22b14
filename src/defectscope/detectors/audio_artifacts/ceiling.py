"""A ceiling that needs no learned evidence: peaks in a heap, corners where the waveform meets it.

Either alone is found in clean sound: a held note piles its peaks up, a coarse word leaves corners.
Both in one second were not, in any clean recording that the limits were chosen on.

Where peaks lie in no heap at all, more has to speak for distortion: music that is distorted on
purpose and voices that a coder has worn are what is left then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.detectors.audio_artifacts.decision import STEP_S, Run

DEFECT = "audio_distortion"
# Hundredths of the highest samples that lie at the very top, and corners in a second: twice the
# most that 26 minutes of clean sound had together with such a heap.
LEAST_TOPS, LEAST_CORNERS = 20.0, 22
# Evidence that needs no heap anywhere in the run.
ENOUGH = 30.0
# A run so long is how a programme sounds; it must have heaps in this share of its steps. Music of
# guitars and synthesisers has 0 to 0.16, music that was clipped from end to end 0.49 to 1.
LONG_S, LEAST_SHARE = 20.0, 0.3
# What a step under a ceiling is told by: likelier distorted than not.
LOG_ODDS = 3.0


def under_a_ceiling(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Returns which steps lie under a ceiling, (n,)."""
    return _heaped(columns) & (columns["corners"] >= LEAST_CORNERS)


def raised(log_odds: NDArray[np.float64], ceiling: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns log odds of distortion, (n,), those under a ceiling at least `LOG_ODDS`."""
    return np.where(ceiling, np.maximum(log_odds, LOG_ODDS), log_odds)


def proved(found: Sequence[Run], ceiling: NDArray[np.bool_], enough: float) -> list[Run]:
    """Returns runs, those that hold a ceiling with the evidence that suffices at least.

    Args:
        found: Runs of distortion.
        ceiling: (n,) which steps lie under one.
        enough: Evidence that the lowest sensitivity asks for.
    """
    return [
        replace(run, evidence=max(run.evidence, enough))
        if ceiling[run.first : run.last].any()
        else run
        for run in found
    ]


def supported(found: Sequence[Run], columns: Mapping[str, NDArray[Any]]) -> list[Run]:
    """Returns the runs of distortion whose peaks lie in a heap, or are sure without one.

    A short run needs one step with a heap, or more evidence than others; one that goes on and on
    needs heaps again and again, whatever the evidence: so sounds what is distorted on purpose.
    """
    heaped = _heaped(columns)

    def is_supported(run: Run) -> bool:
        own = heaped[run.first : run.last]
        if len(own) * STEP_S > LONG_S:
            return bool(own.mean() >= LEAST_SHARE)
        return run.evidence >= ENOUGH or bool(own.any())

    return [run for run in found if is_supported(run)]


def _heaped(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    return columns["tops"] / DECIBEL_SCALE >= LEAST_TOPS
