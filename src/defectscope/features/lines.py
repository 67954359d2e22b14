"""Lines taken from a frame for measures that are too costly for every sample of every frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.media.frames import Plane

Codes = NDArray[np.int16]

# Lines come in pairs this far apart, so that a measure can ask whether a neighbour agrees.
PAIR_PX = 2
# As many lines of each direction as hold this many samples, within bounds.
_SAMPLES = 90_000
_LEAST_PAIRS, _MOST_PAIRS = 12, 48


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of luma, 8-bit-equivalent codes.

    Attributes:
        across: (lines, width) rows; rows 2k and 2k + 1 are a pair.
        down: (lines, height) columns, likewise.
        luma: The plane that they were taken from.
        before: That of the frame before, None where there is none.
        bit_depth: Significant bits of the planes' samples.
        memo: What has been measured of them by name: detectors that ask for the same share it.
    """

    across: Codes
    down: Codes
    luma: Plane
    before: Plane | None
    bit_depth: int
    memo: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)


def lines_of(luma: Plane, bit_depth: int, before: Plane | None = None) -> Lines:
    """Returns evenly spaced pairs of rows and of columns of a luma plane, as copies.

    Args:
        luma: The plane; sides shorter than 3 give pairs of the same line.
        bit_depth: Significant bits of its samples.
        before: The luma plane of the frame before, for measures that compare.
    """
    frame = luma.pixels
    shift = bit_depth - 8
    rows = frame[_pairs(luma.height, luma.width)].astype(np.int16)
    columns = np.ascontiguousarray(frame[:, _pairs(luma.width, luma.height)].T).astype(np.int16)
    if shift:
        rows, columns = rows >> shift, columns >> shift
    return Lines(rows, columns, luma, before, bit_depth)


def _pairs(size: int, length: int) -> NDArray[np.intp]:
    room = max(1, size - PAIR_PX)
    wanted = min(max(_SAMPLES // (2 * length), _LEAST_PAIRS), _MOST_PAIRS)
    count = min(wanted, room)
    first = (2 * np.arange(count) + 1) * room // (2 * count)
    return np.minimum(np.stack([first, first + PAIR_PX], axis=1).reshape(-1), size - 1)
