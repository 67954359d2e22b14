"""Decodes once and feeds every detector, whole programmes or intervals that join."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from itertools import pairwise

from defectscope.engine.background import BackgroundWorker
from defectscope.engine.contracts import Detector, Preparing
from defectscope.engine.coverage import NAME as COVERAGE
from defectscope.engine.coverage import Coverage
from defectscope.engine.feeds import Feeds
from defectscope.engine.prefetch import ahead
from defectscope.engine.spans import Span
from defectscope.engine.surroundings import Surroundings
from defectscope.errors import InvalidParameterError
from defectscope.measurements import Measurements, Table
from defectscope.media.reader import Reader
from defectscope.media.stream import StreamInfo

Progress = Callable[[float], None]

# Frames and runs of sound decoded ahead: 2160p frames of 10 bit take 25 MB each.
_DECODED_AHEAD = 4


def is_applicable(detector: Detector, stream: StreamInfo) -> bool:
    """Tells whether a stream has all the media that a detector needs."""
    present = {
        "video": stream.video is not None,
        "audio": stream.audio is not None,
        "captions": stream.has_captions,
    }
    return all(present[medium] for medium in detector.needs.media)


def decoded_media(detectors: Sequence[Detector], stream: StreamInfo) -> frozenset[str]:
    """Returns which of `video` and `audio` the applicable detectors have decoded."""
    needs = [d.needs for d in detectors if is_applicable(d, stream)]
    # What asks for no medium takes whatever the asset has.
    wanted = {
        "video": any(n.features or n.frames or "video" in n.media or not n.media for n in needs),
        "audio": any("audio" in n.media or not n.media for n in needs),
    }
    return frozenset(medium for medium, is_wanted in wanted.items() if is_wanted)


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
    interval are kept, so that the measurements of consecutive intervals join to those of one pass.

    Args:
        reader: The opened asset.
        detectors: What to run.
        start_s: First instant, seconds from t = 0; None for the beginning.
        end_s: First instant after; None for the end.
        progress: Called with the programme time reached, in seconds.
        chunk_frames: Frames pushed at a time; None lets the engine choose. Changes no result.

    Raises:
        InvalidParameterError: The interval is empty or lies before the programme.
    """
    found, coverage = _rows(reader, detectors, start_s, end_s, 0.0, progress, chunk_frames)
    return _of_interval(found, coverage, start_s, end_s)


def measure_among(
    reader: Reader,
    detectors: Sequence[Detector],
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    progress: Progress | None = None,
    alone: bool = False,
) -> tuple[dict[str, Measurements], Surroundings | None]:
    """Measures [start_s, end_s) of an asset, and what surrounds it.

    Args:
        reader: The opened asset.
        detectors: What to run.
        start_s: First instant, seconds from t = 0; None for the beginning.
        end_s: First instant after; None for the end.
        progress: Called with the programme time reached, in seconds.
        alone: Leave out the surroundings.

    Returns:
        What `measure` returns, and the interval's surroundings where there are some.

    Raises:
        InvalidParameterError: The interval is empty or lies before the programme.
    """
    if alone or (start_s is None and end_s is None):
        return measure(reader, detectors, start_s=start_s, end_s=end_s, progress=progress), None
    widest_s = max((d.needs.surroundings_s for d in detectors), default=0.0)
    found, coverage = _rows(reader, detectors, start_s, end_s, widest_s, progress, None)
    measured = _of_interval(found, coverage, start_s, end_s)
    return measured, surroundings(found, detectors, start_s, end_s)


def surroundings(
    found: Mapping[str, Measurements],
    detectors: Sequence[Detector],
    start_s: float | None,
    end_s: float | None,
) -> Surroundings:
    """Returns the surroundings of [start_s, end_s), cut to what each detector weighs.

    Args:
        found: What was measured of the interval and around it, by detector.
        detectors: Those that ran.
        start_s: First instant of the interval; None for the beginning.
        end_s: First instant after; None for the end.
    """
    held: dict[str, Measurements] = {}
    for detector in detectors:
        by_s = detector.needs.surroundings_s
        if by_s and detector.name in found:
            first_s = None if start_s is None else max(0.0, start_s - by_s)
            last_s = None if end_s is None else end_s + by_s
            held[detector.name] = cut(found[detector.name], first_s or None, last_s)
    return Surroundings(start_s, end_s, held)


def _rows(
    reader: Reader,
    detectors: Sequence[Detector],
    start_s: float | None,
    end_s: float | None,
    around_s: float,
    progress: Progress | None,
    chunk_frames: int | None,
) -> tuple[dict[str, Measurements], Coverage | None]:
    """Decodes an interval and `around_s` on either side; returns all rows, context included."""
    if (start_s is not None and start_s < 0) or (
        end_s is not None and end_s <= (start_s if start_s is not None else 0.0)
    ):
        raise InvalidParameterError(f"there is no interval from {start_s} s to {end_s} s")
    stream = reader.info
    running = [d for d in detectors if is_applicable(d, stream)]
    if not running:
        return {}, None
    before = max(d.needs.context_before_s for d in running) + around_s
    after = max(d.needs.context_after_s for d in running) + around_s
    wanted = decoded_media(running, stream)
    items = reader.read(
        max(0.0, (start_s or 0.0) - before),
        None if end_s is None else end_s + after,
        video="video" in wanted,
        audio="audio" in wanted,
    )
    coverage = Coverage(stream, start_s, end_s)
    with BackgroundWorker() as background:
        # What networks take to load passes while the first frames are decoded.
        background.run([partial(d.prepare, stream) for d in running if isinstance(d, Preparing)])
        spans = {d.name: Span.of(d.needs, start_s, end_s, around_s) for d in running}
        feeds = Feeds(reader, running, chunk_frames, background, coverage, spans)
        with closing(ahead(items, _DECODED_AHEAD)) as decoded:
            for item in decoded:
                reached_s = feeds.add(item)
                if progress is not None and reached_s is not None:
                    progress(reached_s)
        return feeds.close(), coverage


def _of_interval(
    found: Mapping[str, Measurements],
    coverage: Coverage | None,
    start_s: float | None,
    end_s: float | None,
) -> dict[str, Measurements]:
    if coverage is None:
        return {}
    measured = {name: cut(rows, start_s, end_s) for name, rows in found.items()}
    # Beside the detectors' measurements, how much they were made of.
    return measured | {COVERAGE: coverage.measurements()}


def cut(measurements: Measurements, start_s: float | None, end_s: float | None) -> Measurements:
    """Keeps the rows anchored in [start_s, end_s); None leaves that side open.

    Without bounds they are the same measurements, not a copy: an hour's take 33 MB.
    """
    if start_s is None and end_s is None:
        return measurements

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
    """Splits a programme into `count` intervals with open outer ends, cut at whole seconds."""
    edges = sorted({round(duration_s * k / count) for k in range(1, count)} - {0})
    inner: list[float | None] = [float(e) for e in edges if e < duration_s]
    return list(pairwise([None, *inner, None]))
