"""Hands what is decoded to the detectors of its track: the main ones, and every other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from defectscope.engine.background import BackgroundWorker
from defectscope.engine.contracts import Detector
from defectscope.engine.coverage import Coverage
from defectscope.engine.feed import Feed
from defectscope.engine.spans import Span
from defectscope.engine.tracks import sound_key, takes, view_key, with_others
from defectscope.measurements import Measurements
from defectscope.media.cues import Captions
from defectscope.media.frames import Frame, Samples
from defectscope.media.run import Item
from defectscope.media.stream import Sound, StreamInfo


class Source(Protocol):
    """What feeds must know of the reader that they are fed by.

    Attributes:
        info: Facts of the stream.
        captions: Side-car captions.
        sounds: `info.sounds`, and those that have been added on the way.
    """

    info: StreamInfo
    captions: Captions | None
    sounds: list[Sound]


class Feeds:
    """One feed for the main video and sound, and one for each further track.

    Further tracks are seen by the detectors that look at nothing but their medium.
    """

    def __init__(
        self,
        reader: Source,
        detectors: Sequence[Detector],
        chunk_frames: int | None,
        background: BackgroundWorker,
        coverage: Coverage,
        spans: Mapping[str, Span] | None = None,
    ) -> None:
        self._reader, self._detectors, self._spans = reader, detectors, spans
        self._chunk_frames, self._background = chunk_frames, background
        self._coverage = coverage
        self._main = Feed(reader.info, detectors, chunk_frames, background, spans)
        self._main.push_captions(reader.captions)
        self._others: dict[str, tuple[Feed, list[Detector]]] = {}
        for view in reader.info.views:
            self._open(view_key(view), reader.info.with_view(view), "video")
        for sound in reader.info.sounds[1:]:
            self._open(sound_key(sound), reader.info.with_sound(sound), "audio")
        video = reader.info.video
        self._grids = [
            (Fraction(v.time_base), float(1 / v.frame_rate))
            for v in [*([video] if video else []), *(view.video for view in reader.info.views)]
        ]

    def _open(self, key: str, stream: StreamInfo, medium: str) -> Feed:
        detectors = [d for d in self._detectors if takes(d, medium)]
        feed = Feed(stream, detectors, self._chunk_frames, self._background, self._spans)
        self._others[key] = feed, detectors
        return feed

    def add(self, item: Item) -> float | None:
        """Takes the next item; returns the time reached where it is of a main track."""
        if isinstance(item, Frame):
            tick_s, nominal_s = self._grids[item.view]
            begin_s = item.pts * tick_s.numerator / tick_s.denominator
            self._coverage.frame(item, begin_s, nominal_s, tick_s.numerator / tick_s.denominator)
            if item.view:
                view = self._reader.info.views[item.view - 1]
                self._others[view_key(view)][0].add(item)
                return None
        elif isinstance(item, Samples) and self._reader.sounds:
            sound = self._reader.sounds[item.sound]
            self._coverage.samples(item, sound)
            if item.sound:
                key = sound_key(sound)
                if key in self._others:
                    feed = self._others[key][0]
                else:
                    feed = self._open(key, self._reader.info.with_sound(sound), "audio")
                feed.add(item)
                return None
        return self._main.add(item)

    def take(
        self, due: Collection[str] | None = None, resting: Collection[str] = ()
    ) -> dict[str, Measurements]:
        """Returns what is final of all tracks, by detector, and forgets it.

        Args:
            due: Names of the detectors that look now; the others look later, at all of it
                together. None for all.
            resting: Names of those that never look at what came since the last call.
        """
        others = {key: feed.take(due, resting) for key, (feed, _) in self._others.items()}
        return self._joined(self._main.take(due, resting), others)

    def close(self) -> dict[str, Measurements]:
        """Returns every detector's measurements of all tracks."""
        others = {key: feed.close() for key, (feed, _) in self._others.items()}
        return self._joined(self._main.close(), others)

    def _joined(
        self, main: list[Measurements], others: dict[str, list[Measurements]]
    ) -> dict[str, Measurements]:
        found = {measured.detector: measured for measured in main}
        for key, of_track in others.items():
            for measured in of_track:
                found[measured.detector] = with_others(found[measured.detector], {key: measured})
        return found
