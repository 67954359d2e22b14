"""Native planes without a copy, and the one conversion for every other pixel format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from defectscope.media.frames import Plane

# One thread converts a frame. Asked for several, FFmpeg starts and ends them for every frame, which
# took 2 to 14 ms each, more than the conversion itself; the codes are the same.
CONVERTING_THREADS = 1
# Formats read in place: planar, 8 bit in bytes or more in the low bits of 16-bit words.
_NATIVE: dict[str, int] = {
    "gray": 8,
    "yuv420p": 8,
    "yuvj420p": 8,
    "yuv422p": 8,
    "yuvj422p": 8,
    "gray10le": 10,
    "gray12le": 12,
    "yuv420p10le": 10,
    "yuv422p10le": 10,
    "yuv420p12le": 12,
    "yuv422p12le": 12,
}


def native_format(pixel_format: str) -> tuple[str, int]:
    """Returns the format that frames of `pixel_format` are analysed in, and its bit depth.

    Formats that are not read in place become yuv420p, or yuv420p10le where they carry more than
    8 bits: enough for every measure, and one conversion to reason about.
    """
    if pixel_format in _NATIVE:
        return pixel_format, _NATIVE[pixel_format]
    try:
        deep = any(c.bits > 8 for c in av.VideoFormat(pixel_format).components)
    except ValueError:
        deep = False
    return ("yuv420p10le", 10) if deep else ("yuv420p", 8)


def planes_of(frame: av.VideoFrame, bit_depth: int) -> tuple[Plane, ...]:
    """Returns read-only views on the planes of a frame that is in a native format."""
    planes: list[Plane] = []
    for plane in frame.planes:
        # Negative strides (frames stored bottom up) cannot be viewed as plain rows.
        buffer: Any = memoryview(plane)
        data: NDArray[Any] = np.frombuffer(buffer, np.uint8 if bit_depth == 8 else np.uint16)
        stride = plane.line_size // data.itemsize
        view = data[: stride * plane.height].reshape(plane.height, stride)
        view.flags.writeable = False
        planes.append(Plane(view, plane.width, plane.height))
    return tuple(planes)


def convert(frame: av.VideoFrame, pixel_format: str, width: int, height: int) -> av.VideoFrame:
    """Returns the frame in another format or size; itself where nothing changes."""
    if frame.format.name == pixel_format and (frame.width, frame.height) == (width, height):
        return frame
    converted = frame.reformat(
        width=width, height=height, format=pixel_format, threads=CONVERTING_THREADS
    )
    converted.pts = frame.pts
    return converted


def frame_of(planes: Sequence[NDArray[np.uint8]]) -> av.VideoFrame:
    """Returns a native frame of 8-bit 4:2:0 planes: luma, then blue and red colour difference."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, own in zip(frame.planes, planes, strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : plane.width] = own
        plane.update(padded.tobytes())
    return frame


def scaled_plane(plane: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Returns an 8-bit plane in another size, by a bicubic filter; itself where nothing changes."""
    if plane.shape == (height, width):
        return plane
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), "gray")
    scaled = frame.reformat(
        width=width, height=height, interpolation="BICUBIC", threads=CONVERTING_THREADS
    )
    return np.asarray(scaled.to_ndarray()[:height, :width], np.uint8)


def reduced_size(width: int, height: int, max_height_px: int | None) -> tuple[int, int]:
    """Returns width and height of a frame that is scaled down to at most `max_height_px`."""
    if max_height_px is None or height <= max_height_px:
        return width, height
    return max(1, round(width * max_height_px / height)), max_height_px


def to_rgb(frame: av.VideoFrame, max_height_px: int | None = None) -> NDArray[np.uint8]:
    """Returns a frame as (height, width, 3) uint8 RGB, scaled down to at most `max_height_px`."""
    width, height = reduced_size(frame.width, frame.height, max_height_px)
    # A converter of its own: that of a frame must not be used by two threads at once.
    converter = VideoReformatter()
    # Means over areas: as true as the default's filter when a frame shrinks, at half its cost.
    small = converter.reformat(
        frame, width, height, "rgb24", interpolation="AREA", threads=CONVERTING_THREADS
    )
    rgb: Any = small.to_ndarray()
    return rgb
