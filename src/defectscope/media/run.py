"""One run through the packets of an asset: what each track has come to, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

from defectscope.media.captions.caption_bytes import CaptionBytes
from defectscope.media.clocks import ProgrammeClock
from defectscope.media.cues import Cue
from defectscope.media.decoding import Undecodable
from defectscope.media.frames import DecodeEvent, Frame, Samples
from defectscope.media.framing import Framer
from defectscope.media.sounding import Assembler, Sounder, is_whole, samples_of
from defectscope.media.stream import StreamInfo, VideoInfo

Item = Frame | Samples | Cue | CaptionBytes | DecodeEvent

# Packets that open a stream without a key frame are one capture's late start up to here, seconds.
_LATE_START_S = 30.0
# Formats of plain samples: FFmpeg calls the last packet corrupt when it is short, as it may be.
_PLAIN = frozenset({"wav", "w64", "caf", "au", "aiff"})
# Frames that a decoder needs to begin are no late start.
_TYPICAL_FRAMES = 1.5
_ROUNDING_S = 0.001


class Opened(Protocol):
    """What a run asks of the reader that it is part of."""

    info: StreamInfo
    videos: dict[int, VideoInfo]
    audios: set[int]

    @property
    def origin_s(self) -> Fraction:
        """The container's own time of t = 0, seconds."""
        ...

    def decoded(self, packet: Any) -> Iterator[Any]:
        """Returns what a packet decodes to."""
        ...

    def framer(
        self, index: int, start: Fraction, end: Fraction | None, clock: ProgrammeClock
    ) -> Framer:
        """Returns what turns a video track's frames into frames."""
        ...

    def sounder(
        self, index: int, start: Fraction, end: Fraction | None, clock: ProgrammeClock
    ) -> Sounder:
        """Returns what places a sound track's samples."""
        ...

    def numbered(self, sound: int, sounder: Sounder) -> int:
        """Returns the number of a sound in the layout that its track has now."""
        ...


class Run:
    """One run through the packets from some point on: what each track has come to."""

    def __init__(
        self, reader: Opened, wanted: list[int], start: Fraction, end: Fraction | None
    ) -> None:
        info = reader.info
        self.clock = ProgrammeClock(info.container)
        self._reader, self._start, self._end = reader, start, end
        self._framers = {
            index: reader.framer(index, start, end, self.clock)
            for index in wanted
            if index in reader.videos
        }
        self._sounders = {
            index: reader.sounder(index, start, end, self.clock)
            for index in wanted
            if index in reader.audios
        }
        self._assemblers: dict[int, Assembler] = {}
        self._whole: dict[int, int] = {}
        for number, sound in enumerate(info.sounds):
            if not self._sounders:
                break
            index = sound.tracks[0]
            if is_whole(sound, self._sounders[index].channels):
                self._whole[index] = number
            else:
                self._assemblers[number] = Assembler(sound, number)
        self._waiting = set(wanted)
        # Time stamp, length and time base of the packet that reaches furthest, by track.
        self._furthest: dict[int, tuple[int, int, Fraction]] = {}
        self._main = info.video_track if info.video_track in self._framers else None
        self._before_first: float | None = None
        self._started = self._main is None or start > 0
        self.medium: Any = "video" if self._framers else "audio"

    @property
    def done(self) -> bool:
        """No track has anything more that is wanted."""
        return not self._waiting

    @property
    def last_s(self) -> float:
        """Where the main track has come to, seconds."""
        if self._main is not None:
            return self._framers[self._main].last_s
        return max((s.end_s for s in self._sounders.values()), default=0.0)

    def take(self, packet: Any) -> Iterator[Item]:
        """Takes the next packet; returns what it decodes to."""
        index = packet.stream.index
        if index not in self._waiting:
            return
        medium: Any = "video" if index in self._framers else "audio"
        if packet.is_corrupt and self._started and not self._is_rest(packet, index):
            yield DecodeEvent("corrupt_packet", medium, self._packet_s(packet), 0.0, index)
        framer = self._framers.get(index)
        if framer is not None:
            framer.sent(packet)
            if not self._started and index == self._main:
                yield from self._opening(packet)
        for native in self._reader.decoded(packet):
            if isinstance(native, Undecodable):
                if framer is not None:
                    framer.lost()
                yield from self._undecodable(native.packet, medium, index)
            elif framer is not None:
                if index == self._main:
                    yield from self._late_start()
                yield from framer.take(native)
            else:
                yield from self._sound(index, native)
        finished = self._sounders[index].done if framer is None else framer.done
        if packet.size and packet.pts is not None:
            self._note(index, packet.pts, packet.duration or 0, packet)
        if finished:
            self._waiting.discard(index)

    def _is_rest(self, packet: Any, index: int) -> bool:
        """Tells whether a packet is the rest of plain samples of which none are missing."""
        info = self._reader.info
        declared_s = next((t.declared_s for t in info.tracks if t.index == index), None)
        if info.container not in _PLAIN or declared_s is None:
            return False
        end_s = self._packet_s(packet) + float((packet.duration or 0) * packet.time_base)
        return end_s >= declared_s - _ROUNDING_S

    def _opening(self, packet: Any) -> Iterator[Item]:
        """Notes when the first packets came, which no frame may come of."""
        if self._before_first is None and packet.size:
            self._before_first = self._packet_s(packet)
        return iter(())

    def _late_start(self) -> Iterator[DecodeEvent]:
        """Says once that a capture began between two random access points."""
        if self._started:
            return
        self._started = True
        before = self._before_first
        assert self._main is not None
        if before is not None and -_LATE_START_S < before < -_TYPICAL_FRAMES / self._rate():
            yield DecodeEvent("late_start", "video", 0.0, -before, self._main)

    def _rate(self) -> float:
        video = self._reader.info.video
        return 25.0 if video is None else float(video.frame_rate)

    def _undecodable(self, packet: Any, medium: Any, index: int) -> Iterator[Item]:
        at_s = self._packet_s(packet)
        inside = at_s >= self._start and (self._end is None or at_s < self._end)
        if inside and self._started:
            yield DecodeEvent("decode_error", medium, at_s, 0.0, index)

    def _sound(self, index: int, native: Any) -> Iterator[Item]:
        sounder = self._sounders[index]
        for item in sounder.take(native):
            if isinstance(item, DecodeEvent):
                yield item
                continue
            position, data = item
            if index in self._whole:
                number = self._reader.numbered(self._whole[index], sounder)
                yield samples_of(position, data, number)
            for assembler in self._assemblers.values():
                if index in assembler.tracks:
                    yield from assembler.take(index, position, data)

    def stopped(self) -> Iterator[Item]:
        """Returns the items held back so far, when the requested end is reached."""
        for framer in self._framers.values():
            yield from framer.flush()
        for assembler in self._assemblers.values():
            yield from assembler.flush()

    def finished(self) -> Iterator[Item]:
        """Likewise at the end of the file, and says where each track has ended."""
        yield from self.stopped()
        for index, framer in self._framers.items():
            end_s = self._end_of(index, framer.end_s)
            yield DecodeEvent("ended", "video", end_s, 0.0, index)
        for index, sounder in self._sounders.items():
            end_s = self._end_of(index, sounder.end_s)
            yield DecodeEvent("ended", "audio", end_s, 0.0, index)

    def _note(self, index: int, pts: int, duration: int, packet: Any) -> None:
        """Notes how far packets reach; in seconds only once it is asked for."""
        known = self._furthest.get(index)
        if known is None or pts + duration > known[0] + known[1]:
            self._furthest[index] = pts, duration, packet.time_base

    def _end_of(self, index: int, decoded_s: float) -> float:
        """The later of what was decoded and what its packets stand for, on an unshifted clock."""
        furthest = self._furthest.get(index)
        if self.clock.shift_s or furthest is None:
            return decoded_s
        pts, duration, time_base = furthest
        begin_s = float(pts * time_base - self._reader.origin_s)
        return max(decoded_s, begin_s + float(duration * time_base))

    def _packet_s(self, packet: Any) -> float:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None:
            return self.last_s
        origin_s = self._reader.origin_s
        return float(stamp * packet.time_base - origin_s + self.clock.shift_s)
