"""Reads a live source from one frame on, for as long as the frame keeps its raster."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

from defectscope.media.clocks import ProgrammeClock
from defectscope.media.cues import Captions
from defectscope.media.decoding import Undecodable
from defectscope.media.embedded_cues import embedded_cues
from defectscope.media.framing import Framer
from defectscope.media.live_facts import Facts, shape_of
from defectscope.media.run import Item, Run
from defectscope.media.sounding import Sounder
from defectscope.media.sounds import audio_of, relabelled
from defectscope.media.stream import Sound, VideoInfo

_BEGINNING = Fraction(0)


class Packets(Protocol):
    """Where a reader gets packets with what they decode to."""

    def packets(self) -> Iterator[tuple[Any, list[Any]]]:
        """Yields packets as they come."""
        ...

    def put_back(self, packet: Any, natives: list[Any]) -> None:
        """Takes back what the next reader is to begin with."""
        ...


class LiveReader:
    """One interval of a live source, with one set of facts.

    Attributes:
        info: What is known of the stream.
        captions: There is no side-car.
        sounds: `info.sounds`, and those that a change of layout on the way has added.
        videos: Facts of the video tracks that are decoded, by track.
        audios: Sound tracks that are decoded.
    """

    def __init__(self, source: Packets, facts: Facts) -> None:
        self.info = facts.info
        self.captions: Captions | None = None
        self.sounds: list[Sound] = list(facts.info.sounds)
        self.videos: dict[int, VideoInfo] = {}
        if facts.info.video is not None and facts.info.video_track is not None:
            self.videos[facts.info.video_track] = facts.info.video
        self.audios = {index for sound in facts.info.sounds for index in sound.tracks}
        self._source, self._facts = source, facts
        self._natives: list[Any] = []
        self._stopping = False
        self.changed = False

    @property
    def origin_s(self) -> Fraction:
        """The stream's own time of t = 0, seconds."""
        return self._facts.origin_s

    def stop(self) -> None:
        """Ends the reading at the next random access point."""
        self._stopping = True

    def read(self) -> Iterator[Item]:
        """Yields frames, runs of samples, cues and complaints as they come."""
        main = self.info.video_track
        run = Run(self, [*self.videos, *self.audios], _BEGINNING, None)
        for packet, natives in self._source.packets():
            index = packet.stream.index
            if packet.stream.type == "subtitle":
                shift_s = self.origin_s - run.clock.shift_s
                yield from embedded_cues(packet, shift_s, _BEGINNING, None)
                continue
            cut = len(natives)
            if index == main:
                cut = self._until(packet, natives)
            self._natives = natives[:cut]
            yield from run.take(packet)
            if cut < len(natives):
                self._source.put_back(packet, natives[cut:])
                break
        yield from run.stopped()

    def _until(self, packet: Any, natives: list[Any]) -> int:
        """Counts how many of a packet's frames belong to this reader."""
        for place, native in enumerate(natives):
            if isinstance(native, Undecodable):
                continue
            if self._stopping and native.key_frame:
                return place
            if shape_of(native) != self._facts.shape:
                self.changed = True
                return place
        return len(natives)

    def decoded(self, packet: Any) -> Iterator[Any]:
        """Returns what a packet decoded to."""
        yield from self._natives

    def framer(
        self, index: int, start: Fraction, end: Fraction | None, clock: ProgrammeClock
    ) -> Framer:
        """Returns what turns a video track's frames into frames."""
        return Framer(self.videos[index], index, self.origin_s, start, end, programme=clock)

    def sounder(
        self, index: int, start: Fraction, end: Fraction | None, clock: ProgrammeClock
    ) -> Sounder:
        """Returns what places a sound track's samples."""
        audio, origin_s = self._facts.audios[index], self.origin_s
        return Sounder(audio, index, origin_s, origin_s, start, end, programme=clock)

    def numbered(self, sound: int, sounder: Sounder) -> int:
        """Returns the number of a sound in the layout that its track has now."""
        if sounder.channels == len(self.sounds[sound].audio.channels):
            return sound
        audio = audio_of(sounder.layout, sounder.audio.rate_hz, sounder.audio.codec)
        changed = relabelled(self.sounds[sound], audio)
        for number, known in enumerate(self.sounds):
            if (known.audio.layout, known.sources) == (audio.layout, changed.sources):
                return number
        self.sounds.append(changed)
        return len(self.sounds) - 1
