"""Measures the segments of one programme side by side, each in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from defectscope.detectors.registry import load_all
from defectscope.engine.contracts import Detector
from defectscope.engine.engine import Progress, measure, segments, surroundings
from defectscope.engine.surroundings import Surroundings
from defectscope.measurements import Measurements
from defectscope.media.cues import Captions
from defectscope.media.limits import Limits
from defectscope.media.opening import open_media
from defectscope.media.probe import Choice
from defectscope.media.reader import Reader
from defectscope.media.source import resolve
from defectscope.media.stream import StreamInfo

_LOGGER = logging.getLogger(__name__)
# A process starts for longer than it takes to analyze what is shorter.
LEAST_SHARED_S = 20.0
# Segments are not made shorter than this for the sake of their number: each sees seconds around it.
_LONG_SEGMENT_S = 60.0


def can_share(
    reader: Reader, workers: int, start_s: float | None = None, end_s: float | None = None
) -> int:
    """Returns how many workers can share an interval: one where sharing it is not worth it.

    Nor can they where an asset's clock starts again: its segments would be sought by time stamps
    that come more than once.
    """
    if workers == 1:
        return 1
    stream = reader.info
    length_s = min(end_s or stream.duration_s, stream.duration_s) - (start_s or 0.0)
    if length_s < LEAST_SHARED_S:
        why = f"{max(length_s, 0.0):.0f} s are too short to be shared by processes"
    elif not reader.is_continuous():
        why = "its clock starts again"
    else:
        return workers
    _LOGGER.warning("%s: %s, so it is read in one pass", stream.uri, why)
    return 1


@contextmanager
def untouched_by_ctrl_c() -> Generator[None]:
    """Processes that are started meanwhile never see ctrl-C: who started them ends them.

    A terminal sends it to all of them, and each would say so in its own words. What comes while
    they are started ends this process once they are: half started, they would complain as well.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    late: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda number, _: late.append(number)) if main else None
    # A mask is inherited by what is started.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if main:
            signal.signal(signal.SIGINT, handler or signal.SIG_DFL)
        if late:
            signal.raise_signal(signal.SIGINT)


class Programme:
    """What every segment of one asset has in common; travels to the workers."""

    def __init__(
        self,
        media: str,
        names: tuple[str, ...],
        parameters: Mapping[str, Mapping[str, Any]] | None,
        captions: Captions | None,
        limits: Limits,
        choice: Choice,
        artifacts: str | os.PathLike[str] | None = None,
    ) -> None:
        self.media = media
        self.names = names
        self.parameters = parameters
        self.captions = captions
        self.limits = limits
        self.choice = choice
        self.artifacts = artifacts

    def segment(self, start_s: float | None, end_s: float | None) -> dict[str, Measurements]:
        """Returns the measurements of [start_s, end_s)."""
        loaded = load_all(self.names, self.parameters, self.artifacts)
        source, choice = resolve(self.media), self.choice
        with open_media(
            source,
            limits=self.limits,
            captions=self.captions,
            choice=choice,
            continuous=True,
        ) as reader:
            return measure(reader, loaded, start_s=start_s, end_s=end_s)


def segment_count(length_s: float, workers: int) -> int:
    """Returns how many segments workers share: up to two each, so that no worker idles for long."""
    return max(workers, min(2 * workers, int(length_s / _LONG_SEGMENT_S)))


def measure_in_parallel(
    programme: Programme,
    stream: StreamInfo,
    start_s: float | None,
    end_s: float | None,
    workers: int,
    progress: Progress | None,
    around: Sequence[Detector] = (),
) -> tuple[dict[str, Measurements], Surroundings | None]:
    """Measures the segments of an interval in processes of their own.

    Args:
        programme: What all segments share.
        stream: Facts of the asset.
        start_s: First instant, seconds from t = 0; None for the beginning.
        end_s: First instant after; None for the end.
        workers: Processes.
        progress: Called with the programme time reached, in seconds.
        around: Detectors for which the interval's surroundings are measured as well.

    Returns:
        Measurements of the interval by detector, and its surroundings where there are some.
    """
    # Loaded here: most analyses run in one process.
    from concurrent.futures import ProcessPoolExecutor, as_completed

    offset = start_s or 0.0
    length = (stream.duration_s if end_s is None else end_s) - offset
    edges = [
        (start_s if a is None else a + offset, end_s if b is None else b + offset)
        for a, b in segments(length, segment_count(length, workers))
    ]
    around_s = max((d.needs.surroundings_s for d in around), default=0.0)
    own = slice(0, len(edges))
    if around_s and offset > 0:
        edges.insert(0, (max(0.0, offset - around_s) or None, offset))
        own = slice(1, len(edges))
    if around_s and end_s is not None and end_s < stream.duration_s:
        edges.append((end_s, end_s + around_s))
    done_s = 0.0
    # Fresh processes: a fork would inherit the decoder's threads and locks.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(workers, len(edges)), mp_context=context) as pool:
        with untouched_by_ctrl_c():
            futures = {pool.submit(programme.segment, a, b): k for k, (a, b) in enumerate(edges)}
        results: dict[int, dict[str, Measurements]] = {}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                done_s += length / len(edges)
                if progress is not None:
                    progress(offset + done_s)
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            # Waited for: at its exit, Python would wake a pool that is closing, and complain.
            pool.shutdown(cancel_futures=True)
            raise
    ordered = [results[k] for k in range(len(edges))]
    names = ordered[0]
    every = {name: Measurements.join([part[name] for part in ordered]) for name in names}
    if len(ordered[own]) == len(ordered):
        return every, None
    inside = {name: Measurements.join([part[name] for part in ordered[own]]) for name in names}
    return inside, surroundings(every, around, start_s, end_s)
