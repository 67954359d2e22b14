"""Products of matrices in pieces so small that BLAS does them in the calling thread.

Above some size OpenBLAS shares a product among threads that wait for one another actively. Where
other work has the processors, as the decoder has, a product of 0.2 ms then takes 3 ms of processor
time and 40 ms by the clock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Multiplications up to which one thread does a product.
# Source: OpenBLAS, interface/gemm.c: SMP_THRESHOLD_MIN (65,536) times GEMM_MULTITHREAD_THRESHOLD.
_ONE_THREAD = 65_536 * 4


def product(rows: NDArray[Any], matrix: NDArray[Any]) -> NDArray[Any]:
    """Returns `rows @ matrix`, made of groups of rows.

    Args:
        rows: (n, k).
        matrix: (k, m), of the same type.
    """
    room = _ONE_THREAD // max(1, matrix.shape[0] * matrix.shape[1])
    # Powers of two, as BLAS's own kernels take rows: others would round another way at their ends.
    group = 1 << max(0, room.bit_length() - 1)
    if len(rows) <= group:
        return rows @ matrix
    out = np.empty((len(rows), matrix.shape[1]), np.result_type(rows, matrix))
    for first in range(0, len(rows), group):
        np.matmul(rows[first : first + group], matrix, out=out[first : first + group])
    return out
