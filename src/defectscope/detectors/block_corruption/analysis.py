"""Measures one stream: where the network sees damage, in the frames singled out as suspects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.heads import Heads
from defectscope.detectors.block_corruption.layout import CELL_PX
from defectscope.detectors.block_corruption.runtime import Runtime
from defectscope.detectors.block_corruption.whole_frames import WholeFrames
from defectscope.engine.contracts import Chunk, FrameSelection
from defectscope.measurements import Measurements
from defectscope.media.frames import RgbFrame
from defectscope.media.stream import StreamInfo
from defectscope.temporal.tables import TableBuilder, saturate

# A report's map: coarse enough to keep, fine enough to point at the damage.
MAP_ROWS, MAP_COLUMNS = 9, 16
# Decision logits are kept in 1/256, areas in 1/65535 of the frame, jumps in 1/64 code.
LOGIT_STEPS = 256
AREA_STEPS = 65535
JUMP_STEPS = 64
# Fainter cells do not show in a map.
_FAINT = 0.25


@dataclass(frozen=True, slots=True)
class Looking:
    """When the network looks, and what it counts.

    Attributes:
        cell: Probability from which on a cell of the map counts as damaged.
        first_looks: Suspects of every bucket that are looked at in any case, the most sudden first.
        closer_logit: Decision logit of a first look that is the least for the bucket's other
            suspects to be looked at, too, and those of the next bucket.
        rise_logit: By so much it has also risen since the bucket before, log-odds; or
        step_logit: the first look tells that damage begins or ends, log-odds.
    """

    cell: float
    first_looks: int
    closer_logit: float
    rise_logit: float
    step_logit: float

    def looks_closer(self, logit: float, before: float | None, step: float) -> bool:
        """Whether a first look is worth a closer look.

        Some content looks damaged all along. What is looked at for is a beginning or an end.

        Args:
            logit: Decision logit of the first look.
            before: That of the bucket before; None where there was none.
            step: Log-odds that damage begins or ends with it.
        """
        new = before is None or logit - before >= self.rise_logit or step >= self.step_logit
        return logit >= self.closer_logit and new


@dataclass(slots=True)
class _Seen:
    """What is said of a suspect and of the frame before it, and what begins or ends."""

    suspect: RgbFrame
    cells: NDArray[np.float32]
    logits: NDArray[np.float32]
    changes: NDArray[np.float32]


class BlockCorruptionAnalysis:
    """Runs the network on selected frames, one at a time, so that no grouping can change a bit.

    Where a first look at the most sudden suspect of a half second shows nothing, the others are not
    looked at: what is whole costs little. The choice hangs on its own half second and the two
    before it alone, so that a segment makes the same as the whole programme does.
    """

    def __init__(
        self,
        stream: StreamInfo,
        runtime: Runtime,
        heads: Heads,
        selection: FrameSelection,
        looking: Looking,
    ) -> None:
        video = stream.video
        assert video is not None
        self._video = video
        self._runtime = runtime
        self._heads = heads
        self._looking = looking
        self._bucket_ticks = float(selection.bucket_s / video.time_base)
        self._whole = WholeFrames(video)
        ticks = 1 / video.time_base
        self._frames = TableBuilder(
            ticks,
            pts=np.int64,
            jump=np.uint16,
            corrupt=np.uint8,
            confounded=np.uint8,
            cut=np.uint8,
            grey=np.uint8,
        )
        self._samples = TableBuilder(
            ticks,
            pts=np.int64,
            logit=np.int16,
            previous_logit=np.int16,
            begins=np.int16,
            ends=np.int16,
            area=np.uint16,
            previous_area=np.uint16,
            peak=np.uint8,
            peak_x_px=np.uint16,
            peak_y_px=np.uint16,
        )
        self._maps = TableBuilder(ticks, pts=np.int64, place=np.uint8, probability=np.uint8)
        # Buckets with a frame that the decoder flags.
        self._flagged: set[int] = set()
        # Instants and jumps of the latest frames, at least those of the bucket under way.
        self._recent: dict[int, float] = {}
        # The last bucket that was glanced at and its highest logit; the last one that woke.
        self._last_looked: tuple[int, float] | None = None
        self._woken: int | None = None
        self._strongest: tuple[int, float, int, NDArray[Any]] | None = None

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames and suspects."""
        video = chunk.video
        if video is None:
            return
        if len(video.pts):
            differences = self._whole.differences(video)
            jump = differences.max(axis=(1, 2))
            confounded, cut, grey = self._whole.push(video, differences)
            self._frames.add(
                pts=video.pts,
                jump=saturate(jump * JUMP_STEPS, np.uint16),
                corrupt=video.corrupt.astype(np.uint8),
                confounded=confounded.astype(np.uint8),
                cut=cut.astype(np.uint8),
                grey=grey,
            )
            self._flagged.update(self._bucket(pts) for pts in video.pts[video.corrupt].tolist())
            self._recent |= zip(video.pts.tolist(), jump.tolist(), strict=True)
        for bucket, suspects in groupby(
            video.rgb_frames, lambda suspect: self._bucket(suspect.pts)
        ):
            self._look(bucket, list(suspects))
            kept = (bucket - 1) * self._bucket_ticks
            self._recent = {pts: jump for pts, jump in self._recent.items() if pts >= kept}

    def _bucket(self, pts: int) -> int:
        return int(pts // self._bucket_ticks)

    def _look(self, bucket: int, suspects: Sequence[RgbFrame]) -> None:
        """Looks at the most sudden suspects of a bucket, and at the others where that is worth it.

        Args:
            bucket: Which.
            suspects: All of its suspects: the engine hands them on together.
        """
        instants = sorted(self._recent)
        jumps = np.array([self._recent[pts] for pts in instants])
        sudden = jumps - np.minimum(np.append(jumps[:1], jumps[:-1]), np.append(jumps[1:], 0.0))
        rank = dict(zip(instants, sudden.tolist(), strict=True))
        order = sorted(suspects, key=lambda suspect: (-rank.get(suspect.pts, 0.0), suspect.pts))
        first_looks = [self._seen(suspect) for suspect in order[: self._looking.first_looks]]
        # What the decoder flags is looked at closely in any case.
        alarmed = self._woken == bucket - 1 or bucket in self._flagged
        self._flagged = {each for each in self._flagged if each > bucket}
        highest = max(float(seen.logits.max()) for seen in first_looks)
        step = max(float(seen.changes.max()) for seen in first_looks)
        before = self._last_looked
        latest = before[1] if before is not None and before[0] == bucket - 1 else None
        self._last_looked = (bucket, highest)
        if self._looking.looks_closer(highest, latest, step):
            self._woken = bucket
            alarmed = True
        if alarmed:
            first_looks += [self._seen(suspect) for suspect in order[self._looking.first_looks :]]
        for seen in sorted(first_looks, key=lambda seen: seen.suspect.pts):
            self._note(bucket, seen)

    def _seen(self, suspect: RgbFrame) -> _Seen:
        pair = pair_of(suspect)
        cells, logits = self._runtime(*pair)
        maps, changes = self._heads(*pair, cells, logits)
        return _Seen(suspect, maps, logits, changes)

    def _note(self, bucket: int, seen: _Seen) -> None:
        suspect, cells, logits = seen.suspect, seen.cells, seen.logits
        areas = [covered(each, self._looking.cell, suspect.rgb.shape) for each in cells]
        row, column = np.unravel_index(int(cells[0].argmax()), cells[0].shape)
        scale_y = self._video.height / suspect.rgb.shape[0]
        scale_x = self._video.width / suspect.rgb.shape[1]
        y_px = min(self._video.height - 1, (int(row) + 0.5) * CELL_PX * scale_y)
        x_px = min(self._video.width - 1, (int(column) + 0.5) * CELL_PX * scale_x)
        steps = saturate(logits * LOGIT_STEPS, np.int16)
        changes = saturate(seen.changes * LOGIT_STEPS, np.int16)
        shares = saturate(np.array(areas) * AREA_STEPS, np.uint16)
        self._samples.add(
            pts=[suspect.pts],
            logit=steps[:1],
            previous_logit=steps[1:],
            begins=changes[:1],
            ends=changes[1:],
            area=shares[:1],
            previous_area=shares[1:],
            peak=saturate(cells[0].max(keepdims=True).reshape(1) * 255, np.uint8),
            peak_x_px=saturate(np.array([x_px]), np.uint16),
            peak_y_px=saturate(np.array([y_px]), np.uint16),
        )
        if self._strongest is not None and self._strongest[0] != bucket:
            self._keep_map()
        if self._strongest is None or float(logits[0]) > self._strongest[1]:
            self._strongest = (bucket, float(logits[0]), suspect.pts, cells[0])

    def _keep_map(self) -> None:
        """Keeps the map of a bucket's strongest suspect."""
        assert self._strongest is not None
        _, _, pts, cells = self._strongest
        self._strongest = None
        coarse = coarse_map(cells).reshape(-1)
        places = np.flatnonzero(coarse >= _FAINT)
        # Sixteen levels: what a colour scale shows, and a fraction of the bytes.
        levels = saturate(coarse[places] * 15, np.uint8) * 17
        self._maps.add(pts=np.full(len(places), pts, np.int64), place=places, probability=levels)

    def close(self) -> Measurements:
        """Returns what was measured."""
        if self._strongest is not None:
            self._keep_map()
        tables = {
            "frames": self._frames.table(),
            "samples": self._samples.table(),
            "maps": self._maps.table(),
        }
        return Measurements("block_corruption", tables)


def pair_of(suspect: RgbFrame) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns a suspect and the frame before it, which is itself at the programme's beginning."""
    before = suspect.rgb if suspect.previous_rgb is None else suspect.previous_rgb
    return suspect.rgb, before


def covered(cells: NDArray[Any], threshold: float, shape: tuple[int, ...]) -> float:
    """Returns the damaged share of a frame, its last row and column of cells cut to its size."""
    height, width = shape[:2]
    rows = np.minimum(CELL_PX, height - np.arange(cells.shape[0]) * CELL_PX)
    columns = np.minimum(CELL_PX, width - np.arange(cells.shape[1]) * CELL_PX)
    weights = np.outer(rows, columns)
    return float(weights[cells >= threshold].sum() / max(1, height * width))


def coarse_map(cells: NDArray[Any]) -> NDArray[np.float32]:
    """Returns a map as MAP_ROWS x MAP_COLUMNS maxima."""
    out = np.zeros((MAP_ROWS, MAP_COLUMNS), np.float32)
    rows = _place(cells.shape[0], MAP_ROWS)
    columns = _place(cells.shape[1], MAP_COLUMNS)
    for row, (a, b) in enumerate(rows):
        for column, (c, d) in enumerate(columns):
            out[row, column] = cells[a:b, c:d].max()
    return out


def _place(count: int, parts: int) -> list[tuple[int, int]]:
    """Which cells each part of the coarse map stands for: at least one."""
    edges = [k * count / parts for k in range(parts + 1)]
    return [(int(a), max(int(a) + 1, int(np.ceil(b - 1e-9)))) for a, b in pairwise(edges)]
