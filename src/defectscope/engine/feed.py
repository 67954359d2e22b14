"""Collects what is decoded into chunks bounded by bytes and pushes them to every analysis."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from defectscope.engine.background import BackgroundWorker
from defectscope.engine.chunk_join import joined_chunk, joined_runs
from defectscope.engine.contracts import (
    Analysis,
    Chunk,
    Detector,
    FrameSelection,
    LiveAnalysis,
    VideoChunk,
)
from defectscope.engine.selection import Selector
from defectscope.engine.spans import Gate, Span, only_rgb_frames
from defectscope.features import PlaneGeometry, open_extractor
from defectscope.features.extractor import Batch
from defectscope.measurements import Measurements
from defectscope.media.captions.caption_bytes import CaptionBytes
from defectscope.media.cues import Captions, Cue
from defectscope.media.frames import DecodeEvent, Frame, RgbFrame, Samples
from defectscope.media.stream import StreamInfo

# Features of about 4 MB, or four seconds of 5.1 sound, are pushed at a time: large enough that
# NumPy's overhead per call vanishes, small enough to stay in the cache.
_CHUNK_BYTES = 4_000_000
_MAX_CHUNK_FRAMES = 64
# Frames for networks weigh a thousand times more: ten of 1080 lines.
_CHUNK_RGB_BYTES = 32_000_000
_UNRANKED = np.zeros(1)


@dataclass
class _Track:
    """One detector's analysis, what picks its frames, and what waits until it looks."""

    name: str
    analysis: Analysis
    selection: FrameSelection | None
    # The analysis where it can be taken from: to look that up costs more than many a take.
    live: LiveAnalysis | None = None
    # Lets through what it looks at; None lets through all that is read.
    gate: Gate | None = None
    rgb_frames: list[RgbFrame] = field(default_factory=list[RgbFrame])
    waiting: list[Chunk] = field(default_factory=list[Chunk])


class Feed:
    """Collects items into chunks and pushes them to every analysis."""

    def __init__(
        self,
        stream: StreamInfo,
        detectors: Sequence[Detector],
        chunk_frames: int | None,
        background: BackgroundWorker,
        spans: Mapping[str, Span] | None = None,
    ) -> None:
        self._stream = stream
        self._background = background
        video = stream.video
        self._tracks = [
            _track(
                d.name,
                d.open(stream),
                d.needs.frames if video else None,
                None if spans is None else Gate(spans[d.name], stream),
            )
            for d in detectors
        ]
        # Those that ask for the same frames share them, and what is measured of them.
        self._selectors = {
            track.selection: Selector(track.selection, video.time_base)
            for track in self._tracks
            if track.selection and video
        }
        names = frozenset[str]().union(*(d.needs.features for d in detectors))
        names |= {
            d.needs.frames.suspicion
            for d in detectors
            if d.needs.frames and d.needs.frames.suspicion
        }
        self._extractor = None
        self._capacity = chunk_frames or _MAX_CHUNK_FRAMES
        if video is not None and names:
            geometry = PlaneGeometry(
                video.width, video.height, video.chroma_width, video.chroma_height, video.bit_depth
            )
            self._extractor = open_extractor(geometry, names)
            if chunk_frames is None:
                record_bytes = 4 * self._extractor.layout.words
                self._capacity = max(1, min(_MAX_CHUNK_FRAMES, _CHUNK_BYTES // record_bytes))
        self._renew()

    def _renew(self) -> None:
        self._batch = None if self._extractor is None else Batch(self._extractor, self._capacity)
        self._frames: list[tuple[int, int, bool, bool, bool]] = []
        self._audio: list[Samples] = []
        self._audio_bytes = 0
        self._rgb_bytes = 0
        self._cues: list[Cue] = []
        self._caption_bytes: list[CaptionBytes] = []
        self._events: list[DecodeEvent] = []

    def push_captions(self, captions: Captions | None) -> None:
        """Hands side-car captions, whole, to every analysis."""
        if captions is not None:
            for track in self._tracks:
                track.analysis.push(Chunk(captions=captions))

    def add(self, item: Frame | Samples | Cue | CaptionBytes | DecodeEvent) -> float | None:
        """Takes the next item; returns the time reached where it is a frame or a run of sound."""
        reached_s = None
        if isinstance(item, Frame):
            assert self._stream.video is not None
            tick_s = self._stream.video.time_base
            reached_s = item.pts * tick_s.numerator / tick_s.denominator
            self._take_frame(item)
        elif isinstance(item, Samples):
            assert self._stream.audio is not None
            self._audio.append(item)
            self._audio_bytes += item.data.nbytes
            reached_s = item.start / self._stream.audio.rate_hz
        elif isinstance(item, Cue):
            self._cues.append(item)
        elif isinstance(item, CaptionBytes):
            self._caption_bytes.append(item)
        else:
            self._events.append(item)
        if (
            len(self._frames) >= self._capacity
            or self._audio_bytes > _CHUNK_BYTES
            or self._rgb_bytes > _CHUNK_RGB_BYTES
        ):
            self._push()
        return reached_s

    def _take_frame(self, frame: Frame) -> None:
        flags = (frame.corrupt, frame.flagged_interlaced, frame.key)
        self._frames.append((frame.pts, frame.duration, *flags))
        latest = None
        if self._batch is not None:
            self._batch.add(frame.planes)
        for selection, selector in self._selectors.items():
            suspicion = _UNRANKED
            if selection.suspicion is not None and self._batch is not None:
                latest = latest or self._batch.features()
                suspicion = latest[selection.suspicion][-1]
            self._hand_on(selection, selector.take(frame, suspicion))

    def _hand_on(self, selection: FrameSelection, rgb_frames: Sequence[RgbFrame]) -> None:
        self._rgb_bytes += sum(p.shown.held_bytes for p in rgb_frames)
        if rgb_frames:
            for track in self._tracks:
                if track.selection == selection:
                    track.rgb_frames += rgb_frames

    def _push(self, due: Collection[str] | None = None) -> None:
        video = None
        if self._frames:
            facts = np.array(self._frames, np.int64)
            video = VideoChunk(
                pts=facts[:, 0],
                duration=facts[:, 1],
                corrupt=facts[:, 2].astype(bool),
                interlaced=facts[:, 3].astype(bool),
                key=facts[:, 4].astype(bool),
                features={} if self._batch is None else self._batch.features(),
            )
        chunk = Chunk(
            video=video,
            audio=joined_runs(self._audio),
            cues=tuple(self._cues),
            caption_bytes=tuple(self._caption_bytes),
            events=tuple(self._events),
        )
        # Analyses that look at the same frames share what they measure of them: one job for each
        # selection, in the order of the detectors, after that of the chunk before.
        jobs: dict[FrameSelection | None, list[tuple[Analysis, Chunk]]] = {}
        # Those that waited for the same intervals share what is joined of them.
        joined: dict[tuple[int, ...], tuple[list[Chunk], Chunk]] = {}
        kept: dict[int, RgbFrame] = {}
        for track in self._tracks:
            own = chunk
            if video is not None and track.rgb_frames:
                frames = track.rgb_frames
                if due is not None and track.selection is not None and track.selection.luma:
                    # Some look later: those that share a frame share what is kept of it as well.
                    frames = [_kept(frame, kept) for frame in frames]
                own = replace(chunk, video=replace(video, rgb_frames=tuple(frames)))
                track.rgb_frames.clear()
            track.waiting += [own] if track.gate is None else track.gate.admitted(own)
            if not track.waiting:
                continue
            if due is None or track.name in due:
                ids = tuple(id(each) for each in track.waiting)
                if ids not in joined:
                    # With what was joined, so that no other chunk gets its number meanwhile.
                    joined[ids] = track.waiting, joined_chunk(track.waiting)
                jobs.setdefault(track.selection, []).append((track.analysis, joined[ids][1]))
                track.waiting = []
        # While the analyses look at these frames, the next are decoded and measured.
        self._background.follow(
            {(id(self), selection): partial(_look, pushes) for selection, pushes in jobs.items()}
        )
        self._renew()

    def take(
        self, due: Collection[str] | None = None, resting: Collection[str] = ()
    ) -> list[Measurements]:
        """Pushes what waits, and returns what every analysis of a live stream has as final.

        Args:
            due: Names of the detectors that look now; the others look later, at all of it
                together. None for all.
            resting: Names of those that never look at what came since the last call.
        """
        self._push_rest(due)
        self._background.wait()
        for track in self._tracks:
            if track.name in resting:
                track.waiting = []
        return [
            track.live.take()
            for track in self._tracks
            if track.live is not None and (due is None or track.name in due)
        ]

    def _push_rest(self, due: Collection[str] | None = None) -> None:
        fresh = self._frames or self._audio or self._cues or self._caption_bytes or self._events
        if fresh or any(t.waiting and (due is None or t.name in due) for t in self._tracks):
            self._push(due)

    def close(self) -> list[Measurements]:
        """Pushes what is left and gives every detector's measurements."""
        for selection, selector in self._selectors.items():
            self._hand_on(selection, selector.flush())
        self._push_rest()
        self._background.wait()
        for track in self._tracks:
            # Frames of the last bucket, when its last chunk had already gone.
            frames = track.rgb_frames
            if track.gate is not None:
                for held in track.gate.rest():
                    track.analysis.push(held)
                frames = track.gate.span.of_frames(frames, self._stream)
            if frames:
                track.analysis.push(Chunk(video=only_rgb_frames(frames)))
        return [track.analysis.close() for track in self._tracks]


def _track(
    name: str, analysis: Analysis, selection: FrameSelection | None, gate: Gate | None
) -> _Track:
    live = analysis if isinstance(analysis, LiveAnalysis) else None
    return _Track(name, analysis, selection, live, gate)


def _kept(frame: RgbFrame, kept: dict[int, RgbFrame]) -> RgbFrame:
    if id(frame) not in kept:
        kept[id(frame)] = frame.luma_alone()
    return kept[id(frame)]


def _look(chunks: Sequence[tuple[Analysis, Chunk]]) -> None:
    for analysis, chunk in chunks:
        analysis.push(chunk)
