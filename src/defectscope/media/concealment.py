"""Decodes damaged streams as players do: concealment chosen, broken frames shown, never dropped.

The reader behind detectors asks a decoder for its best; a receiver in the field shows whatever its
decoder makes of a broken stream. Simulators need the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike, fspath
from typing import Any, Literal

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from defectscope.errors import UnreadableMediaError
from defectscope.media.pixels import convert

Concealment = Literal["motion", "inter", "none"]
CONCEALMENTS: tuple[Concealment, ...] = ("motion", "inter", "none")

# FFmpeg's `ec`: how libavcodec fills what it could not decode in H.264 and MPEG-2. HEVC has no
# concealment of its own there: it shows what it has.
_EC: dict[Concealment, str] = {
    "motion": "guess_mvs+deblock",
    "inter": "guess_mvs+deblock+favor_inter",
    "none": "0",
}

YuvFrame = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def decode_as_shown(
    path: str | PathLike[str], concealment: Concealment = "motion"
) -> Iterator[tuple[float, YuvFrame]]:
    """Returns what a player would show of a damaged file: instants in seconds, and 4:2:0 frames.

    Args:
        path: The damaged file.
        concealment: What the decoder does about lost parts: `motion` guesses vectors and filters
            the seams, `inter` prefers copies of the frame before, `none` leaves them.

    Yields:
        Presentation time on the container's own clock, and luma (height, width) and chroma
        (height / 2, width / 2) planes, all uint8.

    Raises:
        UnreadableMediaError: Nothing is left that a demuxer recognises.
    """
    try:
        container = av.open("file:" + fspath(path), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise UnreadableMediaError(f"{fspath(path)}: not a media file ({error})") from None
    with container:
        if not container.streams.video:
            raise UnreadableMediaError(f"{fspath(path)}: no video")
        stream = container.streams.video[0]
        context = stream.codec_context
        context.thread_count = 1
        context.options = {"ec": _EC[concealment], "flags": "+output_corrupt"}
        size: tuple[int, int] | None = None
        for native in _frames(container, stream):
            if native.pts is None:
                continue
            size = size or (native.width, native.height)
            shown = convert(native, "yuv420p", *size)
            yield float(native.pts * stream.time_base), _planes(shown)


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Every frame that comes out, whatever the demuxer and the decoder complain about."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        try:
            yield from packet.decode()
        except (av.error.FFmpegError, ValueError):
            continue


def _planes(frame: Any) -> YuvFrame:
    out: list[NDArray[np.uint8]] = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height]
        out.append(rows.reshape(plane.height, plane.line_size)[:, : plane.width].copy())
    return out[0], out[1], out[2]
