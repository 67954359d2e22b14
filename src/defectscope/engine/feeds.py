"""Hands what is decoded to the detectors of its track: the main ones, and every other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from defectscope.engine.background import BackgroundWorker
from defectscope.engine.contracts import Detector
from defectscope.engine.coverage import Coverage
from defectscope.engine.feed import Feed
from defectscope.engine.tracks import sound_key, takes, view_key, with_others
from defectscope.measurements import Measurements
from defectscope.media.frames import Frame, Samples
from defectscope.media.reader import Item, Reader
from defectscope.media.stream import StreamInfo


class Feeds:
    """One feed for the main picture and sound, and one for each further track.

    Further tracks are seen by the detectors that look at nothing but their medium.
    """

    def __init__(
        self,
        reader: Reader,
        detectors: Sequence[Detector],
        chunk_frames: int | None,
        background: BackgroundWorker,
        coverage: Coverage,
    ) -> None:
        self._reader, self._detectors = reader, detectors
        self._chunk_frames, self._background = chunk_frames, background
        self._coverage = coverage
        self._main = Feed(reader.info, detectors, chunk_frames, background)
        self._main.push_captions(reader)
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
        feed = Feed(stream, detectors, self._chunk_frames, self._background)
        self._others[key] = feed, detectors
        return feed

    def take(self, item: Item) -> float | None:
        """Takes the next item; gives the time reached where it is of a main track."""
        if isinstance(item, Frame):
            tick_s, nominal_s = self._grids[item.view]
            begin_s = float(item.pts * tick_s)
            self._coverage.frame(item, begin_s, nominal_s, float(tick_s))
            if item.view:
                view = self._reader.info.views[item.view - 1]
                self._others[view_key(view)][0].take(item)
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
                feed.take(item)
                return None
        return self._main.take(item)

    def close(self) -> dict[str, Measurements]:
        """Gives every detector's measurements of all tracks."""
        found = dict(zip((d.name for d in self._detectors), self._main.close(), strict=True))
        for key, (feed, detectors) in self._others.items():
            for detector, measured in zip(detectors, feed.close(), strict=True):
                found[detector.name] = with_others(found[detector.name], {key: measured})
        return found
