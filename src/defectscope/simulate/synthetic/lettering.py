"""Letters of 5 by 7 dots, so that slates and credits need no fonts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Seven rows of five dots each, one hexadecimal pair a row, most significant dot to the left.
_GLYPHS = {
    "A": "0e11111f111111",
    "B": "1e11111e11111e",
    "C": "0e11101010110e",
    "D": "1e11111111111e",
    "E": "1f10101e10101f",
    "F": "1f10101e101010",
    "G": "0e11101711110f",
    "H": "1111111f111111",
    "I": "0e04040404040e",
    "J": "0702020202120c",
    "K": "11121418141211",
    "L": "1010101010101f",
    "M": "111b1515111111",
    "N": "11191915131311",
    "O": "0e11111111110e",
    "P": "1e11111e101010",
    "Q": "0e11111115120d",
    "R": "1e11111e141211",
    "S": "0f10100e01011e",
    "T": "1f040404040404",
    "U": "1111111111110e",
    "V": "11111111110a04",
    "W": "1111111515150a",
    "X": "11110a040a1111",
    "Y": "11110a04040404",
    "Z": "1f01020408101f",
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
    ":": "00040000000400",
    ".": "00000000000c0c",
    "-": "0000001f000000",
    "/": "01020204080810",
}
_ROWS, _COLUMNS = 7, 5


def lettering(text: str, scale: int) -> NDArray[np.float32]:
    """Returns a line of text as coverage, 0 or 1.

    Args:
        text: Letters, digits and `:.-/`; anything else is a space.
        scale: Pixels per dot.

    Returns:
        (7 * scale, 6 * scale * len(text)) float32.
    """
    dots = np.zeros((_ROWS, (_COLUMNS + 1) * max(1, len(text))), np.float32)
    for place, letter in enumerate(text.upper()):
        rows = bytes.fromhex(_GLYPHS.get(letter, "00" * _ROWS))
        for row, bits in enumerate(rows):
            for column in range(_COLUMNS):
                if bits >> (_COLUMNS - 1 - column) & 1:
                    dots[row, place * (_COLUMNS + 1) + column] = 1.0
    return np.kron(dots, np.ones((scale, scale), np.float32))


def write_text(
    luma: NDArray[np.float32], text: str, *, top: int, left: int, scale: int, code: float
) -> None:
    """Writes a line of text into a luma plane, in place; what lies outside is cut off.

    Args:
        luma: (height, width) codes.
        text: What to write.
        top: Row of the letters' upper edge; may be negative.
        left: Column of the first letter; may be negative.
        scale: Pixels per dot.
        code: Luma of the letters.
    """
    cover = lettering(text, scale)
    y0, x0 = max(0, top), max(0, left)
    y1 = min(luma.shape[0], top + cover.shape[0])
    x1 = min(luma.shape[1], left + cover.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    part = luma[y0:y1, x0:x1]
    part += (np.float32(code) - part) * cover[y0 - top : y1 - top, x0 - left : x1 - left]
