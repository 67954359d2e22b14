"""The mark of a frame: a QR code that says which title, when, which frame, at which rate.

Source: CTA WAVE Device Observation Framework, `content;HH:MM:SS.mmm;frame;rate`, frames from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import zxingcpp
from numpy.typing import NDArray

_FORM = re.compile(r"([^;]{1,64});(\d{2}):([0-5]\d):([0-5]\d)\.(\d{3});(\d{7});(\d+(?:\.\d+)?)")
# White around a code, in modules. Source: ISO/IEC 18004, 4 modules.
_QUIET_MODULES = 4
# More codes than a frame can need: four of the film and those of a test page beside it.
_MAX_CODES = 8


@dataclass(frozen=True, slots=True)
class FrameMark:
    """What one frame says of itself.

    Attributes:
        content: Name of the title.
        frame: Number of the frame, from 1.
        rate: Frames a second.
    """

    content: str
    frame: int
    rate: Fraction

    @property
    def media_s(self) -> float:
        """When the frame is due, seconds from the first."""
        return float((self.frame - 1) / self.rate)

    def text(self) -> str:
        """Returns what the code holds."""
        whole_ms = int((self.frame - 1) * 1000 / self.rate)
        seconds, ms = divmod(whole_ms, 1000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
        return f"{self.content};{clock};{self.frame:07d};{float(self.rate):.6g}"

    def modules(self) -> NDArray[np.uint8]:
        """Returns the code as an image of one sample a module, 0 or 255, with its quiet zone."""
        code: Any = zxingcpp.create_barcode(
            self.text(), zxingcpp.BarcodeFormat.QRCode, ec_level="M"
        )
        plain = np.array(zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False))
        return np.pad(plain, _QUIET_MODULES, constant_values=255)


def parse(text: str) -> FrameMark | None:
    """Returns the mark that a code's text is, or None where it is something else."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    rate = _standard(float(found.group(7)))
    frame = int(found.group(6))
    return None if rate is None or frame < 1 else FrameMark(found.group(1), frame, rate)


def read_marks(luma: NDArray[np.uint8]) -> list[FrameMark]:
    """Returns the marks in a frame: several while one frame fades into the next.

    Args:
        luma: (height, width) 8-bit samples.
    """
    wanted = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    codes: Any = zxingcpp.read_barcodes(np.ascontiguousarray(luma), formats=wanted)
    marks = [parse(code.text) for code in codes[:_MAX_CODES]]
    return [mark for mark in marks if mark is not None]


def _standard(rate: float) -> Fraction | None:
    """Returns the exact rate of a rounded one: 29.97 is 30000/1001."""
    if not 1.0 <= rate <= 1000.0:
        return None
    for whole in (24, 30, 48, 60, 120):
        if abs(rate - whole * 1000 / 1001) < 0.006:
            return Fraction(whole * 1000, 1001)
    return Fraction(rate).limit_denominator(1000)
