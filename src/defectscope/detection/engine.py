"""Decodes once and feeds every detector's analysis, in chunks bounded by bytes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np

from defectscope.detection.aside import Aside
from defectscope.detection.contracts import Analysis, Chunk, Detector, VideoChunk
from defectscope.detection.prefetch import ahead
from defectscope.detection.selection import Selector
from defectscope.errors import InvalidParameterError
from defectscope.features import PlaneGeometry, open_extractor
from defectscope.features.extractor import Batch
from defectscope.findings import Measurements, Table
from defectscope.media.cues import Cue
from defectscope.media.frames import DecodeEvent, Frame, RgbPicture, Samples
from defectscope.media.reader import Reader
from defectscope.media.stream import StreamInfo

Progress = Callable[[float], None]

# Features of about 4 MB, or four seconds of 5.1 sound, are pushed at a time: large enough that
# NumPy's overhead per call vanishes, small enough to stay in the cache.
_CHUNK_BYTES = 4_000_000
_MAX_CHUNK_FRAMES = 64
# Pictures for networks weigh a thousand times more: ten of 1080 lines.
_CHUNK_PICTURE_BYTES = 32_000_000
# Frames and runs of sound decoded ahead: 2160p frames of 10 bit take 25 MB each.
_DECODED_AHEAD = 4
_UNRANKED = np.zeros(1)


def is_applicable(detector: Detector, stream: StreamInfo) -> bool:
    """Tells whether a stream has all the media that a detector needs."""
    present = {
        "video": stream.video is not None,
        "audio": stream.audio is not None,
        "captions": stream.has_captions,
    }
    return all(present[medium] for medium in detector.needs.media)


def measure(
    reader: Reader,
    detectors: Sequence[Detector],
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    progress: Progress | None = None,
    chunk_frames: int | None = None,
) -> dict[str, Measurements]:
    """Measures [start_s, end_s) of an asset with every applicable detector.

    Each detector sees the context it asked for on both sides; only rows anchored inside the
    stretch are kept, so that the measurements of consecutive stretches join to those of one pass.

    Args:
        reader: The opened asset.
        detectors: What to run.
        start_s: First instant, seconds from t = 0; None for the beginning.
        end_s: First instant after; None for the end.
        progress: Called with the programme time reached, in seconds.
        chunk_frames: Frames pushed at a time; None lets the engine choose. Changes no result.

    Raises:
        InvalidParameterError: The stretch is empty or lies before the programme.
    """
    if (start_s is not None and start_s < 0) or (
        end_s is not None and end_s <= (start_s if start_s is not None else 0.0)
    ):
        raise InvalidParameterError(f"there is no stretch from {start_s} s to {end_s} s")
    stream = reader.info
    running = [d for d in detectors if is_applicable(d, stream)]
    if not running:
        return {}
    before = max(d.needs.context_before_s for d in running)
    after = max(d.needs.context_after_s for d in running)
    wants_video = any(d.needs.features or d.needs.pictures for d in running) or any(
        "video" in d.needs.media or not d.needs.media for d in running
    )
    wants_audio = any("audio" in d.needs.media or not d.needs.media for d in running)
    items = reader.read(
        max(0.0, (start_s or 0.0) - before),
        None if end_s is None else end_s + after,
        video=wants_video,
        audio=wants_audio,
    )
    with Aside() as aside:
        feed = _Feed(stream, running, chunk_frames, aside)
        feed.push_captions(reader)
        with closing(ahead(items, _DECODED_AHEAD)) as decoded:
            for item in decoded:
                reached_s = feed.take(item)
                if progress is not None and reached_s is not None:
                    progress(reached_s)
        found = feed.close()
    return {
        detector.name: cut(measured, start_s, end_s)
        for detector, measured in zip(running, found, strict=True)
    }


def cut(measurements: Measurements, start_s: float | None, end_s: float | None) -> Measurements:
    """Keeps the rows anchored in [start_s, end_s); None leaves that side open."""

    def row_at(table: Table, time_s: float) -> int:
        numerator, denominator = table.ticks_hz
        exact = Fraction(time_s).limit_denominator(1_000_000) * Fraction(numerator, denominator)
        return bisect_left(table.anchors, exact)

    return Measurements(
        measurements.detector,
        {
            name: table.rows(
                0 if start_s is None else row_at(table, start_s),
                len(table) if end_s is None else row_at(table, end_s),
            )
            for name, table in measurements.tables.items()
        },
    )


def segments(duration_s: float, count: int) -> list[tuple[float | None, float | None]]:
    """Splits a programme into `count` stretches with open outer ends, cut at whole seconds."""
    edges = sorted({round(duration_s * k / count) for k in range(1, count)} - {0})
    inner: list[float | None] = [float(e) for e in edges if e < duration_s]
    return list(pairwise([None, *inner, None]))


@dataclass
class _Track:
    """One detector's analysis and, for networks, what picks its frames."""

    analysis: Analysis
    selector: Selector | None
    pictures: list[RgbPicture]


class _Feed:
    """Collects items into chunks and pushes them to every analysis."""

    def __init__(
        self,
        stream: StreamInfo,
        detectors: Sequence[Detector],
        chunk_frames: int | None,
        aside: Aside,
    ) -> None:
        self._stream = stream
        self._aside = aside
        video = stream.video
        self._tracks = [
            _Track(
                d.open(stream),
                Selector(d.needs.pictures, video.time_base) if d.needs.pictures and video else None,
                [],
            )
            for d in detectors
        ]
        names = frozenset[str]().union(*(d.needs.features for d in detectors))
        names |= {
            d.needs.pictures.suspicion
            for d in detectors
            if d.needs.pictures and d.needs.pictures.suspicion
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
        self._picture_bytes = 0
        self._cues: list[Cue] = []
        self._events: list[DecodeEvent] = []

    def push_captions(self, reader: Reader) -> None:
        """Hands side-car captions, whole, to every analysis."""
        if reader.captions is not None:
            for track in self._tracks:
                track.analysis.push(Chunk(captions=reader.captions))

    def take(self, item: Frame | Samples | Cue | DecodeEvent) -> float | None:
        """Takes the next item; gives the time reached where it is a frame or a run of sound."""
        reached_s = None
        if isinstance(item, Frame):
            assert self._stream.video is not None
            reached_s = float(item.pts * self._stream.video.time_base)
            self._take_frame(item)
        elif isinstance(item, Samples):
            assert self._stream.audio is not None
            self._audio.append(item)
            self._audio_bytes += item.data.nbytes
            reached_s = item.start / self._stream.audio.rate_hz
        elif isinstance(item, Cue):
            self._cues.append(item)
        else:
            self._events.append(item)
        if (
            len(self._frames) >= self._capacity
            or self._audio_bytes > _CHUNK_BYTES
            or self._picture_bytes > _CHUNK_PICTURE_BYTES
        ):
            self._push()
        return reached_s

    def _take_frame(self, frame: Frame) -> None:
        flags = (frame.corrupt, frame.flagged_interlaced, frame.key)
        self._frames.append((frame.pts, frame.duration, *flags))
        latest = None
        if self._batch is not None:
            self._batch.add(frame.planes)
        for track in self._tracks:
            selector = track.selector
            if selector is None:
                continue
            suspicion = _UNRANKED
            if selector.selection.suspicion is not None and self._batch is not None:
                latest = latest or self._batch.features()
                suspicion = latest[selector.selection.suspicion][-1]
            pictures = selector.take(frame, suspicion)
            track.pictures += pictures
            self._picture_bytes += sum(p.shown.held_bytes for p in pictures)

    def _push(self) -> None:
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
            audio=_joined(self._audio),
            cues=tuple(self._cues),
            events=tuple(self._events),
        )
        looking: list[tuple[Analysis, Chunk]] = []
        for track in self._tracks:
            own = chunk
            if video is not None and track.pictures:
                own = replace(chunk, video=replace(video, pictures=tuple(track.pictures)))
                track.pictures.clear()
            if track.selector is not None:
                looking.append((track.analysis, own))
        if looking:
            self._aside.run(partial(_look, looking))
        for track in self._tracks:
            if track.selector is None:
                track.analysis.push(chunk)
        self._renew()

    def close(self) -> list[Measurements]:
        """Pushes what is left and gives every detector's measurements."""
        for track in self._tracks:
            if track.selector is not None:
                track.pictures += track.selector.flush()
        if self._frames or self._audio or self._cues or self._events:
            self._push()
        self._aside.wait()
        for track in self._tracks:
            # Pictures of the last bucket, when its last chunk had already gone.
            if track.pictures:
                track.analysis.push(Chunk(video=_only_pictures(tuple(track.pictures))))
        return [track.analysis.close() for track in self._tracks]


def _look(chunks: Sequence[tuple[Analysis, Chunk]]) -> None:
    for analysis, chunk in chunks:
        analysis.push(chunk)


def _joined(runs: list[Samples]) -> tuple[Samples, ...]:
    """Makes one run of those that follow each other: packets are short, and every push costs."""
    out: list[list[Samples]] = []
    end = -1
    for run in runs:
        if not out or run.start != end:
            out.append([])
        out[-1].append(run)
        end = run.start + len(run.data)
    return tuple(
        group[0]
        if len(group) == 1
        else Samples(group[0].start, np.concatenate([run.data for run in group]))
        for group in out
    )


def _only_pictures(pictures: tuple[RgbPicture, ...]) -> VideoChunk:
    ticks, flags = np.empty(0, np.int64), np.empty(0, bool)
    return VideoChunk(ticks, ticks, flags, flags, {}, pictures)
