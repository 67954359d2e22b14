"""Intervals that have another cause: what looks like a fault beside a fault of another kind.

Where noise ends, detail falls as it does where blur begins; where blur begins, noise ends. Which of
two neighbours is at fault, a detector tells by what else differs between them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from defectscope.temporal.run_lengths import RunRule
from defectscope.temporal.spans import Rows, hysteresis

Floats = NDArray[np.float64]

# What is suppress_confounded scores so much of what would count.
_SUPPRESSED_SHARE = 0.5


def suppress_confounded(
    measure: Floats, rule: RunRule, is_confounded: Callable[[Rows], bool]
) -> Floats:
    """Returns a measure that stays below what counts in intervals that have another cause.

    Args:
        measure: (rows,), higher is worse.
        rule: When the measure makes an interval.
        is_confounded: Tells whether rows [first, last) have another cause.
    """
    out = measure.copy()
    reach = rule.settle_rows // 2
    for first, last in hysteresis(rule.settled(measure), rule.enter, rule.leave):
        if is_confounded((first, last)):
            inside = slice(max(0, first - reach), last + reach)
            out[inside] = np.minimum(out[inside], _SUPPRESSED_SHARE * rule.leave)
    return out


def sides(values: Floats, rows: Rows, window: int) -> tuple[float, ...]:
    """Returns the median of up to `window` rows before an interval and of those after it.

    One figure where only one side is there, and the interval's own where neither is.
    """
    first, last = rows
    around = (values[max(0, first - window) : first], values[last : last + window])
    found = [each for each in around if len(each)] or [values[first:last]]
    return tuple(float(np.median(each)) for each in found)
