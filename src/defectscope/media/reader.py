"""Decodes a stretch of an asset once: frames, runs of samples, cues and complaints, in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import TracebackType
from typing import Any

import av
import av.error
import numpy as np

from defectscope.errors import UnreadableMediaError
from defectscope.media.captions.clock import on_programme_clock
from defectscope.media.captions.picture_data import CaptionBytes, caption_bytes_of
from defectscope.media.cues import Captions, Cue
from defectscope.media.decoding import Undecodable, VideoDecoder
from defectscope.media.embedded_cues import cue_streams, embedded_cues
from defectscope.media.frames import LOUDEST, DecodeEvent, Frame, Samples
from defectscope.media.limits import Limits
from defectscope.media.pixels import convert, native_format, planes_of
from defectscope.media.probe import audio_stream, describe, video_stream
from defectscope.media.sampleclock import SampleClock
from defectscope.media.source import MediaLike, display_name, open_container
from defectscope.media.stream import StreamInfo

Item = Frame | Samples | Cue | CaptionBytes | DecodeEvent

# How far before the wanted instant a seek aims, in seconds. Sound may lie behind the picture in
# the file, and an index may point at decoding times; a miss is noticed and the next one tried.
_SEEK_MARGINS_S = (1.0, 4.0, 16.0, 64.0)
# An AAC frame overlaps the one before it, and one more settles its predictors.
_AUDIO_PREROLL_S = Fraction(1, 10)


def open_media(
    media: MediaLike,
    *,
    limits: Limits | None = None,
    captions: Captions | None = None,
    uri: str | None = None,
) -> Reader:
    """Opens media and learns what is in it.

    Args:
        media: A local path, the bytes themselves, or a seekable binary file object.
        limits: Bounds on size; defaults apply where None.
        captions: Side-car captions, already parsed.
        uri: The name to report; the path or file name where None.

    Raises:
        MediaNotFoundError: There is no such file.
        MediaTooLargeError: A limit is exceeded.
        UnreadableMediaError: There is no sound and no picture that can be decoded.
    """
    limits = limits or Limits()
    name = uri or display_name(media)
    with open_container(media, limits) as probed:
        info, origin = describe(probed, name, limits, has_captions=captions is not None)
    if info.video is None and info.audio is None:
        raise UnreadableMediaError(f"{name}: no picture and no sound that can be decoded")
    if captions is not None:
        captions = on_programme_clock(captions, info)
    # Opened anew, because the probe's first decode opened the decoders: a decoder takes its number
    # of threads when it opens, and some formats cannot go back to their beginning.
    return Reader(lambda: open_container(media, limits), info, origin, limits, captions)


class Reader:
    """One opened asset. Read it once, or seek by reading again; not thread-safe.

    Attributes:
        info: What is known of the stream.
        captions: The side-car captions.
    """

    def __init__(
        self,
        opened: Callable[[], Any],
        info: StreamInfo,
        origin: int,
        limits: Limits,
        captions: Captions | None,
    ) -> None:
        self.info = info
        self.captions = captions
        self._opened = opened
        self._container = container = opened()
        self._video: Any = video_stream(container) if info.video is not None else None
        self._audio: Any = audio_stream(container) if info.audio is not None else None
        self._cue_streams = cue_streams(container)
        clock = self._video if self._video is not None else self._audio
        self._origin = origin
        self._origin_s = Fraction(origin) * clock.time_base
        self._spares: list[Any] = []
        self._decoder = None
        if self._video is not None:
            self._decoder = VideoDecoder(limits.decode_threads, self._fresh_context)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the decoder and the file."""
        for container in (self._container, *self._spares):
            container.close()

    def read(
        self,
        start_s: float = 0.0,
        end_s: float | None = None,
        *,
        video: bool = True,
        audio: bool = True,
    ) -> Iterator[Item]:
        """Gives everything presented in [start_s, end_s), and the frame on screen at start_s.

        Frames and runs of samples come each in its own order, roughly interleaved. The first
        frame may start before `start_s`: it is the one that was on screen then, so that a
        difference to the previous frame exists from the first frame of the stretch.

        Args:
            start_s: First instant wanted, seconds from t = 0.
            end_s: First instant not wanted; None reads to the end.
            video: Decode the picture.
            audio: Decode the sound.
        """
        start = Fraction(start_s).limit_denominator(1_000_000)
        end = None if end_s is None else Fraction(end_s).limit_denominator(1_000_000)
        streams = [
            s
            for s, wanted in ((self._video, video), (self._audio, audio))
            if s is not None and wanted
        ]
        if not streams:
            return
        margins = [m for m in _SEEK_MARGINS_S if start - Fraction(m) > 0] if start > 0 else []
        for margin in [*margins, None]:
            self._seek(None if margin is None else start - Fraction(margin))
            items = self._decode(streams, start, end)
            if margin is None:
                yield from items
                return
            # A stretch is good when both streams are already running at its start.
            held: list[Item] = []
            missing = {Frame for s in streams if s is self._video}
            missing |= {Samples for s in streams if s is self._audio}
            late = False
            for item in items:
                held.append(item)
                if type(item) in missing:
                    missing.discard(type(item))
                    late = late or self._item_start(item) > start
                if late or not missing:
                    break
            if not late and not missing:
                yield from held
                yield from items
                return

    def _item_start(self, item: Item) -> Fraction:
        if isinstance(item, Frame):
            assert self._video is not None
            return item.pts * Fraction(self._video.time_base)
        assert isinstance(item, Samples)
        assert self.info.audio is not None
        return Fraction(item.start, self.info.audio.rate_hz)

    def _seek(self, time_s: Fraction | None) -> None:
        """To the last random access point at or before an instant; None rewinds."""
        target = -(2**62)
        if time_s is not None:
            target = int((time_s + self._origin_s) * av.time_base)
        with contextlib.suppress(av.error.FFmpegError):
            self._container.seek(target, backward=time_s is not None, any_frame=False)
        if self._decoder is not None:
            self._decoder.reset()
        if self._audio is not None:
            self._audio.codec_context.flush_buffers()

    def _decode(self, streams: list[Any], start: Fraction, end: Fraction | None) -> Iterator[Item]:
        pictures = _Pictures(self.info, self._origin, start, end)
        clock = None
        if self.info.audio is not None:
            first = Fraction(self._audio.start_time or 0) * self._audio.time_base
            clock = SampleClock(
                self.info.audio.rate_hz, self.info.audio.codec, self._origin_s, first
            )
        done = {s.index: False for s in streams}
        packets = self._container.demux(*streams, *self._cue_streams)
        while not all(done.values()):
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                medium = "video" if self._video is not None else "audio"
                yield DecodeEvent("truncated", medium, pictures.last_s)
                packet = None
            if packet is None:
                break
            stream = packet.stream
            if stream in self._cue_streams:
                yield from embedded_cues(packet, self._origin_s, start, end)
                continue
            if done[stream.index]:
                continue
            medium = "video" if stream is self._video else "audio"
            if packet.is_corrupt:
                yield DecodeEvent("corrupt_packet", medium, self._packet_s(packet))
            for native in self._decoded(packet):
                if isinstance(native, Undecodable):
                    at = self._packet_s(native.packet)
                    if at >= start and (end is None or at < end):
                        yield DecodeEvent("decode_error", medium, at)
                elif stream is self._video:
                    yield from pictures.take(native)
                elif clock is not None:
                    yield from _samples(native, clock, start, end)
            if stream is self._video:
                done[stream.index] = pictures.done
            elif clock is not None:
                done[stream.index] = end is not None and clock.position_s >= end
        yield from pictures.flush()

    def _decoded(self, packet: Any) -> Iterator[Any]:
        if self._decoder is not None and packet.stream is self._video:
            yield from self._decoder.decode(packet)
            return
        try:
            yield from packet.decode()
        except (av.error.FFmpegError, ValueError):
            yield Undecodable(packet)

    def _fresh_context(self) -> Any:
        """Gives the video's codec context from a container that nothing was decoded from."""
        if not self._video.codec_context.is_open and not self._spares:
            return self._video.codec_context
        while self._spares:
            self._spares.pop().close()
        self._spares.append(self._opened())
        return self._spares[0].streams[self._video.index].codec_context

    def _packet_s(self, packet: Any) -> float:
        stamp = packet.pts if packet.pts is not None else packet.dts
        return float(stamp * packet.time_base - self._origin_s) if stamp is not None else 0.0


class _Pictures:
    """Turns decoded pictures into frames of one stretch, holding back the one before it."""

    def __init__(
        self, info: StreamInfo, origin: int, start: Fraction, end: Fraction | None
    ) -> None:
        self.done = False
        self.last_s = 0.0
        self._info = info
        self._origin = origin
        self._held: Frame | None = None
        self._last_pts: int | None = None
        self._shown: int | None = None
        if info.video is not None:
            base = info.video.time_base
            self._start_ticks = start / base
            self._end_ticks = None if end is None else end / base
            self._format, self._depth = native_format(info.video.pixel_format)

    def take(self, native: av.VideoFrame) -> Iterator[Frame | CaptionBytes | DecodeEvent]:
        video = self._info.video
        if video is None or self.done:
            return
        if native.pts is None:
            # A raw stream without time stamps plays at its nominal rate.
            step = round(1 / (video.frame_rate * video.time_base))
            pts = 0 if self._last_pts is None else self._last_pts + step
        else:
            pts = native.pts - self._origin
        self._last_pts = pts
        if pts < 0:
            return
        if self._shown is not None and pts <= self._shown:
            # A frame is presented once; time stamps that step back are the stream's fault.
            if pts >= self._start_ticks:
                back_s = float((self._shown - pts) * video.time_base)
                yield DecodeEvent("video_overlap", "video", self.last_s, back_s)
            return
        self._shown = pts
        self.last_s = float(pts * video.time_base)
        if self._end_ticks is not None and pts >= self._end_ticks:
            self.done = True
            yield from self.flush()
            return
        resized = (native.width, native.height) != (video.width, video.height)
        before = pts < self._start_ticks
        # Pictures of another size are judged at the stream's first one, so that every measure
        # keeps its geometry; that it happened is an event.
        if not before and resized:
            yield DecodeEvent("size_change", "video", self.last_s)
        if not before and native.is_corrupt:
            yield DecodeEvent("corrupt_frame", "video", self.last_s)
        picture = convert(native, self._format, video.width, video.height)
        frame = Frame(
            pts=pts,
            duration=native.duration or 0,
            planes=planes_of(picture, self._depth),
            bit_depth=self._depth,
            corrupt=native.is_corrupt,
            key=native.key_frame,
            flagged_interlaced=native.interlaced_frame,
            size_changed=resized,
            native=picture,
        )
        if before:
            self._held = frame
            return
        yield from self.flush()
        if data := caption_bytes_of(native):
            yield CaptionBytes(self.last_s, data)
        yield frame

    def flush(self) -> Iterator[Frame]:
        if self._held is not None:
            yield self._held
            self._held = None


def _samples(
    native: Any, clock: SampleClock, start: Fraction, end: Fraction | None
) -> Iterator[Samples | DecodeEvent]:
    """One decoded run of sound on the sample grid, cut to the stretch."""
    data = native.to_ndarray()
    if native.format.name != "fltp":
        data = _to_float(data, native)
    if not (data.size and data.min() >= -LOUDEST and data.max() <= LOUDEST):
        data = np.clip(data, -LOUDEST, LOUDEST, where=np.isfinite(data), out=data.copy())
    channels = len(native.layout.channels)
    if channels != data.shape[0]:
        return
    placed = clock.place(native.pts, native.time_base, data.shape[1])
    position, jump = placed.position, placed.jump
    data = data[:, placed.left_out :]
    if placed.missing:
        # Too short a gap to leave: the last value is held, which clicks less than silence.
        held = np.repeat(data[:, :1], placed.missing, axis=1)
        data, position = np.concatenate((held, data), axis=1), position - placed.missing
    first = max(0, int((start - _AUDIO_PREROLL_S) * clock.rate_hz), 0)
    if jump and position >= first:
        kind = "audio_gap" if jump > 0 else "audio_overlap"
        yield DecodeEvent(kind, "audio", position / clock.rate_hz, abs(jump) / clock.rate_hz)
    wanted_from = max(0, -(-start.numerator * clock.rate_hz // start.denominator))
    cut_head = max(0, wanted_from - position)
    cut_tail = data.shape[1]
    if end is not None:
        wanted_to = -(-end.numerator * clock.rate_hz // end.denominator)
        cut_tail = min(cut_tail, wanted_to - position)
    if cut_tail > cut_head:
        yield Samples(position + cut_head, np.ascontiguousarray(data[:, cut_head:cut_tail].T))


def _to_float(data: Any, native: Any) -> Any:
    """Planar float32 from whatever the decoder gave, full scale 1."""
    channels = len(native.layout.channels)
    if not native.format.is_planar:
        data = data.reshape(-1, channels).T
    if data.dtype == np.uint8:
        return ((data.astype(np.float32) - 128.0) / 128.0).astype(np.float32)
    if np.issubdtype(data.dtype, np.integer):
        return (data / float(np.iinfo(data.dtype).max + 1)).astype(np.float32)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        return data.astype(np.float32)
