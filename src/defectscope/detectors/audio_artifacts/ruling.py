"""What speaks for a defect and against it, in one order: from what was measured to the runs.

The learned layer gives log odds, classical measures lower or raise those of single steps, and runs
of steps must hold what each defect asks for. The detector and those who choose its decision both
go this way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import (
    against,
    brief,
    ceiling,
    combs,
    impulse,
    supply,
)
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.detectors.audio_artifacts.decision import Layer, Run, features, runs
from defectscope.detectors.audio_artifacts.layout import CLASSES

Doubles = NDArray[np.float64]


def log_odds_of(layer: Layer, columns: Mapping[str, NDArray[Any]], starts_s: Doubles) -> Doubles:
    """Returns log odds of every step, (n, 4), with what speaks for and against each defect.

    Args:
        layer: From features to log odds.
        columns: What the analysis measured.
        starts_s: (n,) start of each step's window.
    """
    out = against.lowered(layer(features(columns, starts_s)), columns, starts_s)
    bent, clicked, hums = map(CLASSES.index, (ceiling.DEFECT, impulse.DEFECT, combs.DEFECT))
    out[:, bent] = ceiling.raised(out[:, bent], ceiling.under_a_ceiling(columns))
    out[:, clicked] = impulse.raised(out[:, clicked], columns)
    out[:, hums] = combs.raised(out[:, hums], columns, starts_s)
    out[:, hums] = supply.raised(out[:, hums], columns, DECIBEL_SCALE)
    return out


def runs_of(
    defect: str,
    log_odds: Doubles,
    columns: Mapping[str, NDArray[Any]],
    starts_s: Doubles,
    *,
    max_gap_s: float,
    drift: float,
    least: float,
) -> list[Run]:
    """Returns the runs of a defect that hold what it asks for.

    Args:
        defect: Which.
        log_odds: (n,) of it, from `log_odds_of`.
        columns: What the analysis measured.
        starts_s: (n,) start of each step's window.
        max_gap_s: Runs at most this far apart are one.
        drift: Log odds above which a step belongs to a run.
        least: Evidence that the lowest sensitivity asks for.
    """
    found = runs(log_odds, starts_s, max_gap_s, drift)
    if defect == ceiling.DEFECT:
        found = ceiling.proved(found, ceiling.under_a_ceiling(columns), least)
        return ceiling.supported(found, columns)
    if defect == impulse.DEFECT:
        return impulse.confirmed(found, columns, log_odds)
    if defect == brief.DEFECT:
        return brief.lasting(found, columns, starts_s)
    return found
