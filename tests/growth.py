"""How work grows with its input, told without a clock's limit that a slow machine would miss."""

from __future__ import annotations

import time
from collections.abc import Callable

_TIMES = 4
# Four times the input costs four times as much, and sixteen times where all pairs are compared.
_MOST = 10.0
_TRIES = 4


def is_far_from_quadratic(prepared: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Whether work on `size` costs far less than what comparing all pairs would.

    The processor time of a quarter of the input is the measure. What else the machine does can
    spoil one comparison, so that several are made until one shows it.

    Args:
        prepared: Makes the work on an input of a size, ready to be called once.
        size: Of the input.
    """
    for _ in range(_TRIES):
        costs_s: list[float] = []
        for count in (size // _TIMES, size):
            work = prepared(count)
            began_s = time.thread_time()
            work()
            costs_s.append(time.thread_time() - began_s)
        if costs_s[1] < _MOST * max(costs_s[0], 1e-6):
            return True
    return False
