"""Sends frames through an encoder and its decoder, in memory: what real compression does."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import av
import av.error
import numpy as np
from av.video.codeccontext import VideoCodecContext

from defectscope.errors import InvalidParameterError
from defectscope.media.frames import Frame
from defectscope.media.pixels import planes_of

# FFmpeg's decoder for each encoder that is offered.
_DECODERS = {
    "libx264": "h264",
    "libx265": "hevc",
    "mpeg2video": "mpeg2video",
    "mpeg4": "mpeg4",
    "mjpeg": "mjpeg",
}


class Roundtrip:
    """Encodes and decodes frames one after the other; order, number and time stamps stay."""

    def __init__(
        self,
        width: int,
        height: int,
        rate: Fraction,
        *,
        codec: str,
        quantizer: int,
        gop_frames: int = 12,
        options: dict[str, str] | None = None,
    ) -> None:
        """Opens encoder and decoder.

        Args:
            width: Frame width in pixels, even.
            height: Frame height in pixels, even.
            rate: Frames per second.
            codec: FFmpeg's encoder: `libx264`, `libx265`, `mpeg2video`, `mpeg4` or `mjpeg`.
            quantizer: Fixed quantiser: 0 to 51 for x264 and x265, 1 to 31 for the others.
            gop_frames: Distance of key frames.
            options: Further options of the encoder.

        Raises:
            InvalidParameterError: There is no such codec, or it refuses the settings.
        """
        if codec not in _DECODERS:
            raise InvalidParameterError(f"codec is one of {', '.join(_DECODERS)}, not {codec!r}")
        self._size = (width, height)
        self._waiting: deque[Frame] = deque()
        self._count = 0
        # JPEG's levels are full range; everything else leaves them alone.
        self._format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        encoder = cast("VideoCodecContext", av.CodecContext.create(codec, "w"))
        encoder.width, encoder.height = width, height
        encoder.pix_fmt = self._format
        encoder.time_base, encoder.framerate = 1 / rate, rate
        encoder.gop_size, encoder.max_b_frames = gop_frames, 0
        encoder.thread_count = 1
        given = dict(options or {})
        if codec in ("libx264", "libx265"):
            given = {"preset": "veryfast", "tune": "zerolatency", "qp": str(quantizer), **given}
        else:
            encoder.qmin = encoder.qmax = quantizer
            # Room enough for the quantiser to be what was asked for.
            encoder.bit_rate = width * height * 20
        encoder.options = given
        decoder = cast("VideoCodecContext", av.CodecContext.create(_DECODERS[codec], "r"))
        decoder.thread_count = 1
        try:
            encoder.open()
            decoder.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise InvalidParameterError(f"{codec} refused the settings ({error})") from None
        self._encoder, self._decoder = encoder, decoder

    def push(self, frame: Frame) -> list[Frame]:
        """Takes one 8-bit 4:2:0 frame and gives those that are ready."""
        native = av.VideoFrame(*self._size, self._format)
        for target, plane in zip(native.planes, frame.planes, strict=True):
            rows = np.frombuffer(cast("Any", target), np.uint8)
            rows = rows[: target.line_size * target.height]
            rows.reshape(target.height, -1)[:, : plane.width] = plane.pixels
        native.pts = self._count
        self._count += 1
        self._waiting.append(frame)
        return self._decode(self._encoder.encode(native))

    def flush(self) -> list[Frame]:
        """Returns the frames that are still inside."""
        out = self._decode(self._encoder.encode(None))
        return out + self._taken(self._decoder.decode(None))

    def _decode(self, packets: list[Any]) -> list[Frame]:
        out: list[Frame] = []
        for packet in packets:
            out += self._taken(self._decoder.decode(packet))
        return out

    def _taken(self, natives: list[Any]) -> list[Frame]:
        return [
            replace(self._waiting.popleft(), planes=planes_of(native, 8), native=None)
            for native in natives
        ]
