"""Where in the frame: boxes as shares of it, and painted masks as run lengths.

A mask is width, height and then the lengths of runs in row order, unmarked and marked in turn, as
COCO's uncompressed masks are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Box = tuple[float, ...]
# A frame of 8K.
MOST_PIXELS = 7680 * 4320


def runs_of(mask: Mask) -> tuple[int, ...]:
    """Returns width, height and run lengths of a mask (height, width)."""
    height, width = mask.shape
    flat = np.concatenate([[False], mask.ravel(), [not mask.ravel()[-1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return (width, height, *np.diff(ends, prepend=0).tolist())


def check_runs(runs: Sequence[int]) -> None:
    """Accepts run lengths of a mask.

    Raises:
        ValueError: They are none.
    """
    # What JSON held may be of any type, whatever the type promises.
    values: Sequence[Any] = runs
    if len(runs) < 3 or not all(isinstance(n, int) and n >= 0 for n in values):
        raise ValueError("a mask is width, height and lengths of runs")
    width, height, *lengths = runs
    if not 0 < width * height <= MOST_PIXELS or sum(lengths) != width * height:
        raise ValueError(f"runs of {sum(lengths)} pixels are no mask of {width} x {height}")


def mask_of(runs: Sequence[int]) -> Mask:
    """Returns the mask (height, width) of run lengths.

    Raises:
        ValueError: They are none.
    """
    check_runs(runs)
    width, height, *lengths = runs
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(height, width)


def box_of(mask: Mask) -> Box:
    """Returns x, y, width, height around what is marked, as shares; empty where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return ()
    height, width = mask.shape
    x, y = columns[0] / width, rows[0] / height
    right, bottom = (columns[-1] + 1) / width, (rows[-1] + 1) / height
    return float(x), float(y), float(right - x), float(bottom - y)


def around(boxes: Sequence[Sequence[float]]) -> Box:
    """Returns the box around boxes (x, y, width, height as shares), cut to the frame."""
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    x, y, x_end, y_end = (min(1.0, max(0.0, v)) for v in (left, top, right, bottom))
    return x, y, x_end - x, y_end - y
