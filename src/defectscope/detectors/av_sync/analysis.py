"""Measures one stream: how alike lips and sound are at every offset, 0.4 s at a time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.canonical import Canonical
from defectscope.detectors.av_sync.clips import SOUND_HZ, mono_weights, placed
from defectscope.detectors.av_sync.crops import RATE_FPS, Mouth, mouth_on_grid
from defectscope.detectors.av_sync.faces import FaceModels
from defectscope.detectors.av_sync.fragments import (
    FRAGMENT_S,
    MARGIN_S,
    SOUND_SAMPLES,
    Cell,
    compare_fragment,
    shot_by_shot,
)
from defectscope.detectors.av_sync.layout import Embedder
from defectscope.detectors.av_sync.offsets import OFFSETS, Likeness
from defectscope.detectors.av_sync.shots import REACH_S, Shots
from defectscope.detectors.av_sync.tracks import Limits, Tracker
from defectscope.engine.contracts import Chunk
from defectscope.measurements import Measurements
from defectscope.media.frames import RgbFrame
from defectscope.media.stream import StreamInfo
from defectscope.temporal.filters import resampled
from defectscope.temporal.tables import TableBuilder, column, saturate

# What an interval must see on either side of a fragment.
CONTEXT_S = FRAGMENT_S + MARGIN_S + REACH_S + 0.4
# Fragments in a minute.
PER_MINUTE = 60 // FRAGMENT_S
# Likeness is kept in steps of 1 / 32 by the linear model and of 1 / 127 by the network.
_CANONICAL_STEPS, _NETWORK_STEPS = 32.0, 127.0
_BOX_STEPS = 255.0
# Rows and columns of the frame that is kept of every track's mouth.
THUMBNAIL = (24, 32)


class AvSyncAnalysis:
    """Follows faces, listens, and compares both fragment by fragment.

    Args:
        stream: What is evaluated.
        models: Finds faces.
        canonical: The linear model.
        network: The network, None without one.
        limits: What faces are followed.
        per_minute: Fragments that are looked at in every minute, 1 to 15.
    """

    def __init__(
        self,
        stream: StreamInfo,
        models: FaceModels,
        canonical: Canonical,
        network: Embedder | None,
        limits: Limits,
        per_minute: int,
    ) -> None:
        assert stream.video is not None
        assert stream.audio is not None
        self._time_base = stream.video.time_base
        self._rate_hz = stream.audio.rate_hz
        self._weights = mono_weights(stream.audio.channels)
        self._canonical, self._network = canonical, network
        self._per_minute = per_minute
        self._tracker = Tracker(models.open(), limits)
        self._shots = Shots(stream.video)
        self._fragment: int | None = None
        self._waiting: list[tuple[int, list[Mouth]]] = []
        self._sound: list[tuple[int, NDArray[np.float32]]] = []
        self._sound_span: tuple[int, int] | None = None
        self._seen_s = 0.0
        grid = Fraction(RATE_FPS)
        byte = np.uint8
        self._cells = TableBuilder(
            grid, frame=np.int64, track=byte, frames=byte, left=byte, top=byte, right=byte,
            bottom=byte,
        )  # fmt: skip
        self._likeness = TableBuilder(
            grid, frame=np.int64, track=byte, offset=np.int8, pairs=byte, canonical=np.int8,
            network_pairs=byte, network=np.int8,
        )  # fmt: skip

        self._thumbnails = TableBuilder(grid, frame=np.int64, track=byte, luma=byte)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames and sound."""
        for run in chunk.audio:
            # Sums by sample, so that how the sound was cut into runs changes no bit.
            mono = (run.data * self._weights).sum(axis=1, dtype=np.float32)
            self._sound.append((run.start, mono))
            end = run.start + len(mono)
            first, last = self._sound_span or (run.start, end)
            self._sound_span = (min(first, run.start), max(last, end))
        video = chunk.video
        if video is not None:
            times_s = np.asarray(video.pts * float(self._time_base), np.float64)
            if len(times_s):
                features = video.features
                self._shots.push(times_s, features["tile_luma"], features["luma_histogram"])
                self._seen_s = float(times_s[-1])
            for rgb_frame in video.rgb_frames:
                self._take(rgb_frame)
        self._finish(all_of_it=False)

    def close(self) -> Measurements:
        """Returns what was measured."""
        self._end_fragment()
        self._finish(all_of_it=True)
        tables = {
            "cells": self._cells.table(),
            "likeness": self._likeness.table(),
            "thumbnails": self._thumbnails.table(),
        }
        return Measurements("av_sync", tables)

    def _take(self, rgb_frame: RgbFrame) -> None:
        time = rgb_frame.pts * self._time_base
        number = int(time // FRAGMENT_S)
        if number != self._fragment:
            self._end_fragment()
            self._fragment = number
        # Evenly spread over the minute, whatever their number.
        share = Fraction(self._per_minute, PER_MINUTE)
        if int((number + 1) * share) > int(number * share):
            self._tracker.push(float(time), rgb_frame.shown)

    def _end_fragment(self) -> None:
        if self._fragment is not None:
            mouths = [m for t in self._tracker.finish() for m in mouth_on_grid(t)]
            if mouths:
                self._waiting.append((self._fragment, mouths))

    def _finish(self, *, all_of_it: bool) -> None:
        """Compares the fragments whose sound and shots are complete."""
        sound_end_s = 0.0 if self._sound_span is None else self._sound_span[1] / self._rate_hz
        while self._waiting:
            number, mouths = self._waiting[0]
            end_s = (number + 1) * FRAGMENT_S + MARGIN_S
            if not all_of_it and (sound_end_s < end_s or self._seen_s < end_s + REACH_S):
                break
            del self._waiting[0]
            self._compare(number, mouths)
        pending = self._waiting[0][0] if self._waiting else self._fragment
        if pending is not None:
            keep_s = float(pending * FRAGMENT_S - MARGIN_S)
            self._shots.forget(keep_s - REACH_S)
            keep = int(keep_s * self._rate_hz)
            self._sound = [(at, run) for at, run in self._sound if at + len(run) > keep]

    def _compare(self, number: int, mouths: list[Mouth]) -> None:
        if self._sound_span is None:
            return
        first_s, last_s = number * FRAGMENT_S - MARGIN_S, (number + 1) * FRAGMENT_S + MARGIN_S
        rate_hz = self._rate_hz
        raw = placed(self._sound, first_s * rate_hz, last_s * rate_hz)
        cuts_s = self._shots.between(first_s, last_s)
        found = compare_fragment(
            number,
            mouths,
            resampled(raw, rate_hz, SOUND_HZ)[:SOUND_SAMPLES],
            (self._sound_span[0] / rate_hz, self._sound_span[1] / rate_hz),
            cuts_s,
            self._canonical,
            self._network,
        )
        for cell in found:
            self._keep(cell)
        pieces = enumerate(shot_by_shot(mouths, cuts_s) if found else [])
        for track, mouth in sorted(pieces, key=lambda p: (p[1].first_frame, p[0])):
            small = thumbnail(mouth)
            at = np.full(small.size, mouth.first_frame)
            self._thumbnails.add(frame=at, track=np.full(small.size, track), luma=small.ravel())

    def _keep(self, cell: Cell) -> None:
        box = saturate(cell.box * _BOX_STEPS, np.uint8)
        self._cells.add(
            frame=[cell.frame], track=[cell.track], frames=[cell.frames],
            left=box[:1], top=box[1:2], right=box[2:3], bottom=box[3:],
        )  # fmt: skip
        count = len(OFFSETS)
        network = cell.network or Likeness(np.zeros(count), np.zeros(count))
        self._likeness.add(
            frame=np.full(count, cell.frame),
            track=np.full(count, cell.track),
            offset=OFFSETS,
            pairs=cell.canonical.pairs,
            canonical=saturate(cell.canonical.mean * _CANONICAL_STEPS, np.int8),
            network_pairs=network.pairs,
            network=saturate(network.mean * _NETWORK_STEPS, np.int8),
        )


def thumbnail(mouth: Mouth) -> NDArray[np.uint8]:
    """Returns a mouth in the middle of its track, (24, 32) luma."""
    crop = mouth.crops[len(mouth) // 2]
    rows, columns = THUMBNAIL
    blocks = crop.reshape(rows, crop.shape[0] // rows, columns, crop.shape[1] // columns)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def thumbnails_of(measurements: Measurements) -> dict[tuple[int, int], NDArray[np.uint8]]:
    """Returns the kept mouths by first frame and track."""
    table = measurements.tables["thumbnails"]
    size = THUMBNAIL[0] * THUMBNAIL[1]
    frames, tracks, luma = (column(table, n) for n in ("frame", "track", "luma"))
    return {
        (int(frames[i]), int(tracks[i])): luma[i : i + size].reshape(THUMBNAIL)
        for i in range(0, len(table), size)
    }


def cells_of(measurements: Measurements) -> list[Cell]:
    """Returns the cells that an analysis has kept."""
    cells, likeness = measurements.tables["cells"], measurements.tables["likeness"]
    count = len(cells)
    shape = (count, len(OFFSETS))

    def rows(name: str) -> NDArray[np.float64]:
        return column(likeness, name).astype(np.float64).reshape(shape)

    pairs, network_pairs = rows("pairs"), rows("network_pairs")
    canonical = rows("canonical") / _CANONICAL_STEPS * pairs
    network = rows("network") / _NETWORK_STEPS * network_pairs
    sides = ("left", "top", "right", "bottom")
    boxes = np.stack([column(cells, side) / _BOX_STEPS for side in sides], axis=1)
    frames, tracks, lengths = (column(cells, n).tolist() for n in ("frame", "track", "frames"))
    return [
        Cell(
            frames[i],
            tracks[i],
            lengths[i],
            boxes[i],
            Likeness(canonical[i], pairs[i]),
            Likeness(network[i], network_pairs[i]) if network_pairs[i].any() else None,
        )
        for i in range(count)
    ]
