"""Frames and sound in memory as an asset: written without loss to a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import write_clip


@contextmanager
def as_file(frames: NDArray[Any], frame_rate: float | Fraction | None) -> Generator[Path]:
    """Returns a file of frames that lie in memory; it is gone afterwards.

    Args:
        frames: (n, height, width) grey or (n, height, width, 3) RGB, uint8.
        frame_rate: Frames a second.

    Raises:
        InvalidParameterError: The array is of another shape or type, or there is no frame rate.
    """
    if frame_rate is None or not frame_rate > 0:
        raise InvalidParameterError("frames in memory need frame_rate=, frames a second")
    grey = frames.ndim == 3
    if frames.dtype != np.uint8 or not (grey or (frames.ndim == 4 and frames.shape[3] == 3)):
        raise InvalidParameterError(
            "frames are (n, height, width) or (n, height, width, 3) of uint8, "
            f"not {frames.shape} of {frames.dtype}"
        )
    count, height, width = frames.shape[:3]
    if not (count and height and width):
        raise InvalidParameterError("there are no frames")
    rate = Fraction(frame_rate).limit_denominator(1001)
    encoding = VideoEncoding(
        width, height, rate, codec="ffv1", crf=None, pixel_format="gray" if grey else "yuv444p"
    )
    with tempfile.TemporaryDirectory(prefix="defectscope-") as folder:
        path = Path(folder) / "frames.mkv"
        write_clip(path, frames=_frames(frames), video=encoding)
        yield path


def _frames(frames: NDArray[Any]) -> Iterator[Frame]:
    for index, frame in enumerate(frames):
        planes = (frame,) if frame.ndim == 2 else _ycbcr(frame)
        kept = tuple(Plane(np.ascontiguousarray(p), p.shape[1], p.shape[0]) for p in planes)
        yield Frame(pts=index, duration=1, planes=kept, bit_depth=8)


# Source: ITU-R BT.709, luma coefficients and the quantisation of 8 bits in limited range.
_RED, _BLUE = 0.2126, 0.0722


def _ycbcr(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Full-range RGB as Y'CbCr of BT.709 in limited range."""
    red, green, blue = (rgb[..., k].astype(np.float32) / 255 for k in range(3))
    luma = _RED * red + (1 - _RED - _BLUE) * green + _BLUE * blue
    cb = (blue - luma) / (2 * (1 - _BLUE))
    cr = (red - luma) / (2 * (1 - _RED))
    codes = (16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr)
    return tuple(np.clip(np.rint(each), 0, 255).astype(np.uint8) for each in codes)
