"""Passages that have another cause: what looks like a fault beside a fault of another kind.

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
_EXCUSED_SHARE = 0.5


def suppress_confounded(measure: Floats, rule: RunRule, excuse: Callable[[Rows], bool]) -> Floats:
    """Gives a measure that stays below what counts in passages that have another cause.

    Args:
        measure: (rows,), higher is worse.
        rule: When the measure makes a passage.
        excuse: Tells whether rows [first, last) have another cause.
    """
    out = measure.copy()
    reach = rule.settle_rows // 2
    for first, last in hysteresis(rule.settled(measure), rule.enter, rule.leave):
        if excuse((first, last)):
            inside = slice(max(0, first - reach), last + reach)
            out[inside] = np.minimum(out[inside], _EXCUSED_SHARE * rule.leave)
    return out


def sides(values: Floats, rows: Rows, window: int) -> tuple[float, ...]:
    """Gives the median of up to `window` rows before a passage and of those after it.

    One figure where only one side is there, and the passage's own where neither is.
    """
    first, last = rows
    around = (values[max(0, first - window) : first], values[last : last + window])
    found = [each for each in around if len(each)] or [values[first:last]]
    return tuple(float(np.median(each)) for each in found)
