"""Decodes a part of an asset once: frames, runs of samples, cues and complaints, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from types import TracebackType
from typing import Any

import av
import av.error

from defectscope.errors import MediaTooLongError
from defectscope.media.clocks import ProgrammeClock
from defectscope.media.cues import Captions
from defectscope.media.decoding import Undecodable, VideoDecoder
from defectscope.media.embedded_cues import cue_streams, embedded_cues
from defectscope.media.frames import DecodeEvent, Frame, Samples
from defectscope.media.framing import Framer
from defectscope.media.limits import Limits
from defectscope.media.probe import Probed
from defectscope.media.run import Item, Run
from defectscope.media.sounding import Sounder, is_whole
from defectscope.media.sounds import audio_of, relabelled
from defectscope.media.stream import Sound, VideoInfo

__all__ = ["Item", "Reader"]

_MAX_TARGET = (1 << 62) - 1
# How far before the wanted instant a seek aims, in seconds. Sound may lie behind the frame in
# the file, and an index may point at decoding times; a miss is noticed and the next one tried.
_SEEK_MARGINS_S = (1.0, 4.0, 16.0, 64.0)
# Formats whose packets may carry their order in the file for a time stamp.
_REORDERED = ("avi", "mxf")


class Reader:
    """One opened asset. Read it once, or seek by reading again; not thread-safe.

    Attributes:
        info: What is known of the stream.
        captions: The side-car captions.
        sounds: `info.sounds`, and those that a change of layout on the way has added.
        videos: Facts of the video tracks that are decoded, by track.
        audios: Sound tracks that are decoded.
        is_continuous: Tells whether instants can be sought by their time stamps.
    """

    def __init__(
        self,
        opened: Callable[[], Any],
        probed: Probed,
        limits: Limits,
        captions: Captions | None,
        is_continuous: Callable[[], bool] = lambda: True,
    ) -> None:
        self.info = probed.info
        self.captions = captions
        self.sounds: list[Sound] = list(probed.info.sounds)
        self._probed, self._limits = probed, limits
        self._opened = opened
        self.is_continuous = is_continuous
        self._container: Any = None
        self._spares: dict[int, Any] = {}
        self._decoders: dict[int, VideoDecoder] = {}
        self._used = False
        self.videos: dict[int, VideoInfo] = {}
        self.audios: set[int] = set()
        self._cue_streams: list[Any] = []
        self._streams: dict[int, Any] = {}
        if not self.info.cut_short:
            self._bind()

    @property
    def origin_s(self) -> Fraction:
        """The container's own time of t = 0, seconds."""
        return self._probed.origin_s

    def _bind(self) -> None:
        """Opens the container, and finds the streams that are to be decoded."""
        info = self.info
        self._container = self._opened()
        self._used = False
        streams = self._container.streams
        self.videos = {}
        if info.video is not None and info.video_track is not None:
            self.videos[info.video_track] = info.video
        self.videos |= {view.index: view.video for view in info.views}
        self.audios = {index for sound in info.sounds for index in sound.tracks}
        self._cue_streams = cue_streams(self._container)
        self._streams = {index: streams[index] for index in (*self.videos, *self.audios)}
        for index in self.videos:
            if index not in self._decoders:
                self._decoders[index] = VideoDecoder(
                    self._limits.decode_threads, lambda index=index: self._fresh_context(index)
                )

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
        for container in (self._container, *self._spares.values()):
            if container is not None:
                container.close()
        self._spares.clear()

    def read(
        self,
        start_s: float = 0.0,
        end_s: float | None = None,
        *,
        video: bool = True,
        audio: bool = True,
    ) -> Iterator[Item]:
        """Returns everything presented in [start_s, end_s), and the frame on screen at start_s.

        Frames and runs of samples come each in its own order, roughly interleaved. The first
        frame may start before `start_s`: it is the one that was on screen then, so that a
        difference to the previous frame exists from the first frame of the part.

        Args:
            start_s: First instant wanted, seconds from t = 0.
            end_s: First instant not wanted; None reads to the end.
            video: Decode the frame.
            audio: Decode the sound.
        """
        start = Fraction(start_s).limit_denominator(1_000_000)
        end = None if end_s is None else Fraction(end_s).limit_denominator(1_000_000)
        if self.info.cut_short:
            yield DecodeEvent("truncated", "video", 0.0)
            return
        wanted = [*(self.videos if video else ()), *(self.audios if audio else ())]
        if not wanted:
            return
        main: dict[int | None, type] = {}
        if video and self.info.video is not None:
            main[self.info.video_track] = Frame
        if audio and self.info.sounds:
            main[self.info.sounds[0].tracks[0]] = Samples
        margins = [m for m in _SEEK_MARGINS_S if start - Fraction(m) > 0] if start > 0 else []
        if self._probed.untimed or (margins and not self.is_continuous()):
            margins = []
        for margin in margins:
            if not self._seek(start - Fraction(margin)):
                break
            items = self._decode(wanted, start, end)
            # A part is good when both streams are already running at its start.
            held: list[Item] = []
            missing = set(main.values())
            late = False
            for item in items:
                held.append(item)
                if type(item) in missing and not getattr(item, "view", 0):
                    missing.discard(type(item))
                    late = late or self._item_start(item) > start
                if late or not missing:
                    break
            if not late and not missing:
                yield from held
                yield from items
                return
        self._rewind()
        yield from self._decode(wanted, start, end)

    def _item_start(self, item: Item) -> Fraction:
        if isinstance(item, Frame):
            assert self.info.video is not None
            return item.pts * Fraction(self.info.video.time_base)
        assert isinstance(item, Samples)
        return Fraction(item.start, self.sounds[item.sound].audio.rate_hz)

    def _seek(self, time_s: Fraction) -> bool:
        """Goes to the last random access point at or before an instant, where that is possible."""
        self._used = True
        # An instant beyond what FFmpeg can name is after the end all the same.
        target = min(int((time_s + self._probed.origin_s) * av.time_base), _MAX_TARGET)
        try:
            self._container.seek(target, backward=True, any_frame=False)
        except (av.error.FFmpegError, ValueError, OSError):
            return False
        self._forget()
        return True

    def _rewind(self) -> None:
        """Back to the beginning, by opening anew: not every format can seek there."""
        if self._used:
            self._container.close()
            self._bind()
            self._forget()
        self._used = True

    def _forget(self) -> None:
        for decoder in self._decoders.values():
            decoder.reset()
        for index in self.audios:
            self._streams[index].codec_context.flush_buffers()

    def _decode(self, wanted: list[int], start: Fraction, end: Fraction | None) -> Iterator[Item]:
        run = Run(self, wanted, start, end)
        streams = [self._streams[index] for index in wanted]
        streams += self._cue_streams
        packets = self._container.demux(*streams)
        while not run.done:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError):
                yield DecodeEvent("truncated", run.medium, run.last_s)
                packet = None
            if packet is None:
                yield from run.finished()
                return
            if packet.stream in self._cue_streams:
                shift_s = self._probed.origin_s - run.clock.shift_s
                yield from embedded_cues(packet, shift_s, start, end)
                continue
            yield from run.take(packet)
            if run.last_s > self._limits.max_duration_s:
                limit = self._limits.max_duration_s
                raise MediaTooLongError(f"{self.info.uri}: over the limit of {limit:.0f} s")
        yield from run.stopped()

    def decoded(self, packet: Any) -> Iterator[Any]:
        """Returns what a packet decodes to, or an `Undecodable`."""
        decoder = self._decoders.get(packet.stream.index)
        if decoder is not None:
            yield from decoder.decode(packet)
            return
        try:
            yield from packet.decode()
        except (av.error.FFmpegError, ValueError):
            yield Undecodable(packet)

    def _fresh_context(self, index: int) -> Any:
        """Returns a video's codec context from a container that nothing was decoded from."""
        context = self._streams[index].codec_context
        if not context.is_open and index not in self._spares:
            return context
        old = self._spares.pop(index, None)
        if old is not None:
            old.close()
        self._spares[index] = self._opened()
        return self._spares[index].streams[index].codec_context

    def framer(
        self, index: int, start: Fraction, end: Fraction | None, clock: ProgrammeClock
    ) -> Framer:
        """Returns what turns a video track's frames into frames."""
        info = self.info
        numbers = {view.index: number for number, view in enumerate(info.views, 1)}
        disorder = bool(self._streams[index].codec_context.has_b_frames)
        return Framer(
            self.videos[index],
            index,
            self._probed.origin_s,
            start,
            end,
            programme=clock,
            view=numbers.get(index, 0),
            untimed=self._probed.untimed,
            reordered=disorder and info.container in _REORDERED,
            # What Matroska does not state of frames at their own pace is FFmpeg's guess.
            undated=self.videos[index].variable_frame_rate
            and (disorder or "matroska" in info.container),
        )

    def sounder(
        self, index: int, start: Fraction, end: Fraction | None, clock: ProgrammeClock
    ) -> Sounder:
        """Returns what places a sound track's samples."""
        stream = self._streams[index]
        first_s = Fraction(stream.start_time or 0) * stream.time_base
        context = stream.codec_context
        sound = next(s for s in self.info.sounds if index in s.tracks)
        channels = tuple(channel.name for channel in context.layout.channels)
        audio = sound.audio
        if not is_whole(sound, len(channels)):
            audio = audio_of(context.layout.name, audio.rate_hz, audio.codec)
        return Sounder(audio, index, self._probed.origin_s, first_s, start, end, programme=clock)

    def numbered(self, sound: int, sounder: Sounder) -> int:
        """Returns the number of a sound in the layout that its track has now."""
        channels = sounder.channels
        if channels == len(self.sounds[sound].audio.channels):
            return sound
        audio = audio_of(sounder.layout, sounder.audio.rate_hz, sounder.audio.codec)
        changed = relabelled(self.sounds[sound], audio)
        for number, known in enumerate(self.sounds):
            if (known.audio.layout, known.sources) == (audio.layout, changed.sources):
                return number
        self.sounds.append(changed)
        return len(self.sounds) - 1
