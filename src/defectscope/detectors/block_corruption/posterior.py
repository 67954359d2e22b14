"""How likely each evaluated frame is damaged, all the others and the steps between them known.

Source: L. E. Baum et al. 1970 (the forward and backward sums over all paths of a chain).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.steps import Steps


def posterior(evidence: NDArray[np.float64], steps: Steps) -> NDArray[np.float64]:
    """Returns log-odds of damage in each evaluated frame, over all paths of clean and damaged runs.

    `best_runs` takes the best of the same paths: damage pays for its beginning and its end.

    Args:
        evidence: For damage in each frame (positive) or against it, log-odds.
        steps: What a beginning or an end costs where.
    """
    count = len(evidence)
    says, begins, ends = evidence.tolist(), steps.begin.tolist(), steps.end.tolist()
    forth = np.empty((count, 2))
    clean, damaged = 0.0, -math.inf
    for k in range(count):
        clean, damaged = (
            _either(clean, damaged - ends[k]),
            _either(damaged, clean - begins[k]) + says[k],
        )
        forth[k] = clean, damaged
    odds = np.empty(count)
    clean = damaged = 0.0
    for k in range(count - 1, -1, -1):
        odds[k] = (forth[k, 1] + damaged) - (forth[k, 0] + clean)
        clean, damaged = (
            _either(clean, damaged + says[k] - begins[k]),
            _either(damaged + says[k], clean - ends[k]),
        )
    return odds


def _either(one: float, other: float) -> float:
    """Returns ln(exp(one) + exp(other))."""
    high, low = (one, other) if one >= other else (other, one)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
