"""Single frames at chosen instants, and JPEG of them: what a report needs to show a finding."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from defectscope.media.first_frames import first_frame, video_stream
from defectscope.media.frames import Rendering, RgbFrame
from defectscope.media.limits import Limits
from defectscope.media.pixels import convert, to_rgb
from defectscope.media.source import MediaLike, open_container

# Wanted instants closer than this are reached by decoding on instead of by a new seek, seconds.
_DECODE_ON_S = 2
# A seek lands before the instant, or is tried again from further back, seconds.
_SEEK_MARGINS_S = (0, 2, 8, 32)
# Most frames decoded in search of one frame: ten seconds at 60 fps, a long group of pictures.
_MAX_FRAMES_PER_STILL = 600
# 4:2:0 is what every JPEG reader takes; the `j` means the full range that JPEG implies.
_JPEG_FORMAT = "yuvj420p"


def read_stills(
    media: MediaLike, times_s: Sequence[float], max_height_px: int
) -> list[RgbFrame | None]:
    """Returns the frame on screen at each of some instants.

    Args:
        media: A local path, the bytes themselves, or a seekable binary file object.
        times_s: Instants in seconds from the first presented frame, in any order.
        max_height_px: Taller frames are scaled down to this.

    Returns:
        One frame per instant; None where nothing could be decoded.

    Raises:
        MediaError: The media cannot be opened, or exceeds a limit.
    """
    limits = Limits()
    found: list[RgbFrame | None] = [None] * len(times_s)
    with open_container(media, limits) as probed:
        stream = video_stream(probed)
        first = None if stream is None else first_frame(probed, stream)
    if first is None or first.pts is None:
        return found
    with open_container(media, limits) as container:
        stream, origin = video_stream(container), first.pts
        seeker = _Seeker(container, stream, origin)
        for index in sorted(range(len(times_s)), key=lambda i: times_s[i]):
            frame = seeker.at(Fraction(max(times_s[index], 0.0)).limit_denominator(1_000_000))
            if frame is not None and frame.pts is not None:
                shown = Rendering.of(to_rgb(frame, max_height_px))
                found[index] = RgbFrame(frame.pts - origin, shown)
    return found


def encode_jpeg(rgb: NDArray[np.uint8], quantiser: int = 5) -> bytes:
    """Returns a frame as a baseline JPEG file.

    Args:
        rgb: (height, width, 3) uint8.
        quantiser: 2 (best) to 31 (smallest).
    """
    height, width = (max(2, side - side % 2) for side in rgb.shape[:2])
    image = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    image = convert(image, _JPEG_FORMAT, width, height)
    image.pts = 0
    codec: Any = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height = width, height
    codec.pix_fmt = _JPEG_FORMAT
    codec.time_base = Fraction(1, 25)
    codec.options = {"qmin": str(quantiser), "qmax": str(quantiser)}
    packets = [*codec.encode(image), *codec.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


class _Seeker:
    """Walks one stream forward and jumps where that is shorter."""

    def __init__(self, container: Any, stream: Any, origin: int) -> None:
        self._container = container
        self._stream = stream
        self._origin = origin
        self._base = Fraction(stream.time_base)
        self._frames: Iterator[Any] = iter(())
        self._walk = _DECODE_ON_S / self._base
        self._current: Any = None
        self._ahead: Any = None

    def at(self, time_s: Fraction) -> Any:
        """The frame presented last at or before an instant, else the first that can be had."""
        target = self._origin + time_s / self._base
        here = None if self._current is None else self._current.pts
        if here is None or target < here:
            self._jump(target)
        elif self._ahead is not None and target > here + self._walk:
            self._jump(target)
            # Random access points that lie far apart make walking on as cheap as jumping.
            if self._current is not None:
                self._walk = max(self._walk, target - self._current.pts)
        for _ in range(_MAX_FRAMES_PER_STILL):
            if self._ahead is None or self._ahead.pts > target:
                break
            self._current, self._ahead = self._ahead, next(self._frames, None)
        return self._current

    def _jump(self, target: Fraction) -> None:
        for margin in _SEEK_MARGINS_S:
            aim = target - margin / self._base
            if aim <= self._origin:
                break
            if self._restart(int(aim)) and self._current.pts <= target:
                return
        self._restart(-(2**62))

    def _restart(self, pts: int) -> bool:
        with contextlib.suppress(av.error.FFmpegError):
            backward = pts > -(2**62)
            self._container.seek(
                pts,
                backward=backward,
                any_frame=False,
                **({"stream": self._stream} if backward else {}),
            )
        self._stream.codec_context.flush_buffers()
        self._frames = self._decode()
        self._current = next(self._frames, None)
        self._ahead = next(self._frames, None)
        return self._current is not None

    def _decode(self) -> Iterator[Any]:
        try:
            for packet in self._container.demux(self._stream):
                # Damage is what reports are about: go on with the next packet.
                with contextlib.suppress(av.error.FFmpegError, ValueError):
                    for frame in packet.decode():
                        if frame.pts is not None and frame.pts >= self._origin:
                            yield frame
        except av.error.FFmpegError:
            return
