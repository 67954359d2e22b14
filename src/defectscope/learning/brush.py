"""Painted masks as Label Studio packs them.

Of four channels of eight bits the fourth marks. The stream of bits has the count of values (32
bits), the size of a value less one (5), four sizes of lengths less one (4 each), and runs: a bit
that says whether one value is repeated, two bits that choose a size, the length less one, and the
value or values.

Source: the packed run lengths of thi.ng/rle-pack, which Label Studio's exports use.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from defectscope.errors import MalformedRequestError
from defectscope.learning.regions import MOST_PIXELS, Mask

# Far more than a hand paints: a hostile export ends here.
MOST_BYTES = 4_000_000
_CHANNELS, _WORD_BITS = 4, 8
_SIZES = (3, 4, 8, 16)


def packed(mask: Mask) -> list[int]:
    """Returns a mask as Label Studio packs it, one byte an entry."""
    flat = np.repeat(mask.ravel(), _CHANNELS)
    bits = f"{len(flat):032b}{_WORD_BITS - 1:05b}" + "".join(f"{n - 1:04b}" for n in _SIZES)
    parts = [bits]
    places = np.flatnonzero(np.diff(flat)) + 1
    for run in np.split(flat, places):
        value, left = (f"{255:08b}" if run[0] else f"{0:08b}"), len(run)
        while left:
            choice = next((k for k, n in enumerate(_SIZES) if left <= 1 << n), len(_SIZES) - 1)
            length = min(left, 1 << _SIZES[choice])
            parts.append(f"1{choice:02b}{length - 1:0{_SIZES[choice]}b}{value}")
            left -= length
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return [int(text[k : k + 8], 2) for k in range(0, len(text), 8)]


def unpacked(rle: Sequence[int], width: int, height: int) -> Mask:
    """Returns the mask (height, width) that Label Studio packed.

    Args:
        rle: Bytes.
        width: Of the image that was painted on.
        height: Of it.

    Raises:
        MalformedRequestError: They are no mask of that size.
    """
    if not 0 < width * height <= MOST_PIXELS or len(rle) > MOST_BYTES:
        raise MalformedRequestError(f"a mask of {width} x {height} pixels is not read")
    try:
        bits = _Bits(bytes(rle))
        count, word = bits.take(32), bits.take(5) + 1
        sizes = [bits.take(4) + 1 for _ in range(4)]
        if count != width * height * _CHANNELS:
            raise MalformedRequestError(f"a mask of {count} values is not of {width} x {height}")
        out = np.zeros(count, np.uint32)
        at = 0
        while at < count:
            repeated = bits.take(1)
            end = at + bits.take(sizes[bits.take(2)]) + 1
            if end > count:
                raise MalformedRequestError("a mask goes on beyond its image")
            out[at:end] = bits.take(word) if repeated else [bits.take(word) for _ in range(at, end)]
            at = end
    except (ValueError, TypeError, IndexError) as error:
        raise MalformedRequestError(f"a mask is cut short or damaged ({error})") from None
    return np.asarray(out.reshape(height, width, _CHANNELS)[:, :, -1] > 0)


class _Bits:
    """Reads numbers from bytes, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        """Returns the next bits as a number."""
        first, end = self._at // 8, (self._at + count + 7) // 8
        if end > len(self._data):
            raise IndexError("no more bits")
        whole = int.from_bytes(self._data[first:end], "big")
        self._at += count
        return (whole >> (end * 8 - self._at)) & ((1 << count) - 1)
