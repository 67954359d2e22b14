"""Measures the segments of one programme side by side, each in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Mapping
from typing import Any

from defectscope.detectors.registry import load_all
from defectscope.engine.engine import Progress, measure, segments
from defectscope.measurements import Measurements
from defectscope.media.cues import Captions
from defectscope.media.limits import Limits
from defectscope.media.opening import open_media
from defectscope.media.probe import Choice
from defectscope.media.reader import Reader
from defectscope.media.source import resolve
from defectscope.media.stream import StreamInfo

_LOGGER = logging.getLogger(__name__)


def can_share(reader: Reader, workers: int) -> int:
    """Returns how many workers can share an asset: one where its clock starts again.

    Its segments would be sought by time stamps that come more than once.
    """
    if workers == 1 or reader.is_continuous():
        return workers
    _LOGGER.warning("%s: its clock starts again, so it is read in one pass", reader.info.uri)
    return 1


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


def measure_in_parallel(
    programme: Programme,
    stream: StreamInfo,
    start_s: float | None,
    end_s: float | None,
    workers: int,
    progress: Progress | None,
) -> dict[str, Measurements]:
    """Measures twice as many segments as workers, so that an easy one does not idle."""
    # Loaded here: most analyses run in one process.
    from concurrent.futures import ProcessPoolExecutor, as_completed

    offset = start_s or 0.0
    length = (stream.duration_s if end_s is None else end_s) - offset
    edges = [
        (start_s if a is None else a + offset, end_s if b is None else b + offset)
        for a, b in segments(length, 2 * workers)
    ]
    done_s = 0.0
    # Fresh processes: a fork would inherit the decoder's threads and locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(edges)), mp_context=context) as pool:
        futures = {pool.submit(programme.segment, a, b): k for k, (a, b) in enumerate(edges)}
        results: dict[int, dict[str, Measurements]] = {}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                done_s += length / len(edges)
                if progress is not None:
                    progress(offset + done_s)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    ordered = [results[k] for k in range(len(edges))]
    return {name: Measurements.join([part[name] for part in ordered]) for name in ordered[0]}
