"""Writes frames and samples to a file with exact time stamps: for simulators and for test media."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from os import PathLike, fspath
from types import TracebackType
from typing import Any, Literal, Self, cast

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from defectscope.errors import InvalidParameterError, MediaError, UnreadableMediaError
from defectscope.media.codecs import add_copied_stream
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Samples
from defectscope.media.interleave import interleave
from defectscope.media.packet_copy import PacketCopy
from defectscope.media.scheduling import scheduling_kept

# FFmpeg's number of full range (AVCOL_RANGE_JPEG) and limited range (AVCOL_RANGE_MPEG).
_RANGE = {True: 2, False: 1}


class Writer:
    """Encodes and muxes; a context manager that leaves a finished file.

    Streams that are not written to can be copied from another file, packet by packet, with
    `copy_from`; they are interleaved with what is written.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        video: VideoEncoding | None = None,
        audio: AudioEncoding | None = None,
        container_format: str | None = None,
        container_options: Mapping[str, str] | None = None,
    ) -> None:
        """Opens the file.

        Args:
            path: Where to write; the suffix names the container.
            video: How to encode frames, None for none.
            audio: How to encode sound, None for none.
            container_format: FFmpeg's muxer, where the suffix does not say.
            container_options: Options of the muxer.

        Raises:
            InvalidParameterError: There is no such encoder or container, or they do not fit.
        """
        self._path = fspath(path)
        self._copies: list[PacketCopy] = []
        self._next_sample: int | None = None
        try:
            self._out: OutputContainer = av.open(
                "file:" + self._path,
                mode="w",
                format=container_format,
                options=dict(container_options or {}),
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise InvalidParameterError(f"{self._path}: cannot be written ({error})") from None
        try:
            self._video_encoding = video
            self._video = None if video is None else self._add_video(video)
            self._audio_encoding = audio
            self._audio = None if audio is None else self._add_audio(audio)
        except (av.error.FFmpegError, ValueError, TypeError) as error:
            self._out.close()
            raise InvalidParameterError(f"{self._path}: no such encoding ({error})") from None

    def _add_video(self, encoding: VideoEncoding) -> VideoStream:
        made = self._out.add_stream(
            encoding.codec, rate=encoding.rate, options=encoding.encoder_options()
        )
        stream = cast("VideoStream", made)
        context = stream.codec_context
        time_base = encoding.time_base or 1 / encoding.rate
        context.width, context.height = encoding.width, encoding.height
        context.pix_fmt = encoding.pixel_format
        context.time_base = time_base
        stream.time_base = time_base
        context.framerate = encoding.rate
        context.color_range = _RANGE[encoding.full_range]
        context.thread_count = encoding.threads
        if encoding.bit_rate is not None and (
            encoding.crf is None or encoding.codec not in ("libx264", "libx265")
        ):
            context.bit_rate = encoding.bit_rate
        if encoding.gop_frames is not None:
            context.gop_size = encoding.gop_frames
        if encoding.b_frames is not None:
            context.max_b_frames = encoding.b_frames
        if encoding.rotation_deg:
            # FFmpeg's matrix turns anticlockwise.
            stream.set_display_rotation(-encoding.rotation_deg)
        self._tick = time_base
        return stream

    def _add_audio(self, encoding: AudioEncoding) -> AudioStream:
        made = self._out.add_stream(
            encoding.codec, rate=encoding.rate_hz, options=dict(encoding.options)
        )
        stream = cast("AudioStream", made)
        context = stream.codec_context
        context.layout = encoding.layout
        context.time_base = Fraction(1, encoding.rate_hz)
        if encoding.bit_rate is not None:
            context.bit_rate = encoding.bit_rate
        # The encoder's own first choice, where it does not take planar floats.
        formats = context.codec.audio_formats
        names = [f.name for f in formats] if formats else ["fltp"]
        context.format = "fltp" if "fltp" in names else names[0]
        return stream

    def copy_from(
        self,
        source: str | PathLike[str],
        medium: Literal["video", "audio"],
        *,
        shift_s: float = 0.0,
    ) -> None:
        """Has the first video or sound stream of another file copied along, untouched.

        Call before writing the first frame or sample.

        Args:
            source: The other file.
            medium: Which stream.
            shift_s: Added to its time stamps, seconds.

        Raises:
            UnreadableMediaError: The file has no such stream, or the container cannot hold it.
        """
        try:
            container = av.open("file:" + fspath(source))
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableMediaError(f"{fspath(source)}: {error}") from None
        streams = getattr(container.streams, medium)
        if not streams:
            container.close()
            raise UnreadableMediaError(f"{fspath(source)}: no {medium} to copy")
        try:
            made = add_copied_stream(self._out, streams[0])
        except (av.error.FFmpegError, ValueError) as error:
            container.close()
            raise UnreadableMediaError(
                f"{self._path}: cannot hold this {medium} ({error})"
            ) from None
        self._copies.append(PacketCopy(container, streams[0], made, shift_s))

    def write_frame(self, frame: Frame) -> None:
        """Encodes one frame at `frame.pts` ticks.

        Raises:
            InvalidParameterError: The frame does not fit the encoding.
        """
        if self._video is None or self._video_encoding is None:
            raise InvalidParameterError("the writer was opened without video")
        encoding = self._video_encoding
        native = av.VideoFrame(encoding.width, encoding.height, encoding.pixel_format)
        if len(native.planes) != len(frame.planes):
            raise InvalidParameterError(
                f"{len(frame.planes)} planes do not make a {encoding.pixel_format} frame"
            )
        for target, plane in zip(native.planes, frame.planes, strict=True):
            item = plane.data.dtype.itemsize
            rows = np.frombuffer(cast("Any", target), plane.data.dtype)
            stride = target.line_size // item
            if (target.width, target.height) != (plane.width, plane.height):
                raise InvalidParameterError(
                    f"a plane of {plane.width}x{plane.height} where {encoding.pixel_format} at"
                    f" {encoding.width}x{encoding.height} has {target.width}x{target.height}"
                )
            rows = rows[: stride * target.height].reshape(target.height, stride)
            rows[:, : plane.width] = plane.pixels
        native.pts = frame.pts
        native.time_base = self._tick
        native.color_range = _RANGE[encoding.full_range]
        self._mux(self._encode(self._video, native), frame.pts * self._tick)

    def write_samples(self, samples: Samples) -> None:
        """Encodes a run of sound at `samples.start`.

        Gaps between runs are written as silence and overlaps are left out: encoders know no gaps.

        Raises:
            InvalidParameterError: The number of channels does not fit the encoding.
        """
        if self._audio is None or self._audio_encoding is None:
            raise InvalidParameterError("the writer was opened without sound")
        if len(samples.data) == 0:
            return
        encoding = self._audio_encoding
        data, start = samples.data, samples.start
        if self._next_sample is not None:
            missing = start - self._next_sample
            data = np.pad(data, ((max(0, missing), 0), (0, 0)))[max(0, -missing) :]
            start = self._next_sample
            if len(data) == 0:
                return
        self._next_sample = start + len(data)
        planar = np.ascontiguousarray(data.T, dtype=np.float32)
        try:
            sound = av.AudioFrame.from_ndarray(planar, format="fltp", layout=encoding.layout)
        except ValueError as error:
            raise InvalidParameterError(f"{len(planar)} channels: {error}") from None
        sound.sample_rate = encoding.rate_hz
        sound.pts = start
        sound.time_base = Fraction(1, encoding.rate_hz)
        now_s = Fraction(start, encoding.rate_hz)
        self._mux(self._encode(self._audio, sound), now_s)

    def _encode(self, stream: VideoStream | AudioStream, frame: Any) -> list[Any]:
        try:
            with scheduling_kept():
                return list(stream.encode(frame))
        except av.error.FFmpegError as error:
            # Encoders open with the first frame: what they cannot do shows only here.
            name = stream.codec_context.name
            raise InvalidParameterError(f"{self._path}: {name} refused ({error})") from None

    def _mux(self, packets: Iterable[Any], until_s: Fraction | None) -> None:
        for copy in self._copies:
            for packet in copy.until(until_s):
                self._out.mux(packet)
        for packet in packets:
            self._out.mux(packet)

    def close(self) -> None:
        """Flushes the encoders and finishes the file."""
        try:
            for stream in (self._video, self._audio):
                if stream is not None:
                    self._out.mux(cast("Any", stream.encode(None)))
            self._mux((), None)
        except av.error.FFmpegError as error:
            raise MediaError(f"{self._path}: writing failed ({error})") from None
        finally:
            self._release()

    def _release(self) -> None:
        for copy in self._copies:
            copy.container.close()
        self._copies.clear()
        self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._release()


def write_clip(
    path: str | PathLike[str],
    *,
    frames: Iterable[Frame] = (),
    runs: Iterable[Samples] = (),
    video: VideoEncoding | None = None,
    audio: AudioEncoding | None = None,
    container_options: Mapping[str, str] | None = None,
) -> None:
    """Writes frames and sound as one file, interleaved by time.

    Args:
        path: Where to write.
        frames: Frames in order of presentation.
        runs: Sound in order.
        video: How to encode frames.
        audio: How to encode sound.
        container_options: Options of the muxer.
    """
    tick = Fraction(1) if video is None else video.time_base or 1 / video.rate
    rate_hz = 1 if audio is None else audio.rate_hz
    with Writer(path, video=video, audio=audio, container_options=container_options) as writer:
        for item, _ in interleave(frames, runs, tick_s=tick, rate_hz=rate_hz):
            if isinstance(item, Frame):
                writer.write_frame(item)
            else:
                writer.write_samples(item)


__all__ = ["AudioEncoding", "VideoEncoding", "Writer", "write_clip"]
