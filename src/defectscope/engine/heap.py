"""Returns memory that was freed to the system, where the C library keeps it.

glibc keeps what is freed for the next request. Between one detector's decision over an hour and the
next it held 40 MB that nobody used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

# A shorter programme leaves little behind; to give it back would cost a short run more than it has.
_LEAST_S = 60.0


def give_back(measured_s: float) -> None:
    """Returns free memory to the system after a programme of more than a minute.

    Does nothing where the C library has no such call: musl, macOS and Windows.

    Args:
        measured_s: How much of the programme was measured.
    """
    trim = _trim() if measured_s > _LEAST_S else None
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
