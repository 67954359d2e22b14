"""Reads the signature of every frame of a version: 384 tile means of its active frame area."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.media.frames import Frame
from defectscope.media.main_tracks import main_frames
from defectscope.media.reader import Reader
from defectscope.media.stream import VideoInfo

# Two hours at 25 frames a second take 140 MB.
TILE_ROWS = 16
TILE_COLUMNS = 24
TILES = TILE_ROWS * TILE_COLUMNS
# Rows that are summed; of taller frames every second, third, ... row.
_SAMPLED_ROWS = 270
# Bars are looked for in this many short parts of the programme.
_AREA_PARTS = 24
# Up to this length it is decoded once instead: parts begin at key frames, often far before them.
_SHORT_S = 30.0
# A row or column belongs to the active area where it has been brighter than this, 8-bit code.
# Source: ITU-R BT.709-6, black is 16; encoders leave a few codes of noise on it.
_LIT_CODE = 28
# The active area of a version is not believed to be smaller than this share of a side.
_MIN_SIDE = 0.4


@dataclass(frozen=True, slots=True)
class ActiveArea:
    """The part of the frame inside its bars, in luma samples.

    Attributes:
        left: First column.
        top: First row.
        width: Columns.
        height: Rows.
    """

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Signatures:
    """What alignment knows of one version.

    Attributes:
        tiles: (frames, 384) mean luma codes of 16 x 24 tiles of the active area, float16.
        times_s: (frames,) time of presentation, seconds from the first frame.
        frame_rate: Nominal frames a second.
        area: The active area that the tiles cover.
    """

    tiles: NDArray[np.float16]
    times_s: NDArray[np.float64]
    frame_rate: Fraction
    area: ActiveArea

    def __len__(self) -> int:
        return len(self.tiles)


def read_signatures(
    reader: Reader, *, progress: Callable[[float], None] | None = None
) -> Signatures:
    """Decodes the main video track once and computes the signature of every frame.

    Args:
        reader: An opened asset with a video track.
        progress: Called with the programme time reached, in seconds.

    Raises:
        MediaError: The asset cannot be decoded.
    """
    video = reader.info.video
    assert video is not None
    area = find_active_area(reader, video)
    grid = TileGrid(area, video.bit_depth)
    tiles: list[NDArray[np.float16]] = []
    times: list[float] = []
    for frame in main_frames(reader):
        tiles.append(grid.means(frame.planes[0].data))
        times.append(float(frame.pts * video.time_base))
        if progress is not None and len(times) % 25 == 0:
            progress(times[-1])
    return Signatures(
        np.stack(tiles) if tiles else np.empty((0, TILES), np.float16),
        np.asarray(times, np.float64),
        Fraction(video.frame_rate),
        area,
    )


def find_active_area(reader: Reader, video: VideoInfo) -> ActiveArea:
    """Returns the rectangle outside of which no sampled frame is ever lit.

    Args:
        reader: The asset; a long one is read in short parts.
        video: Facts of the track.
    """
    rows = np.zeros(video.height, np.int64)
    columns = np.zeros(video.width, np.int64)
    shift = video.bit_depth - 8
    for frame in _sampled(reader, video):
        luma = frame.planes[0].data[:, : video.width] >> shift
        np.maximum(rows, np.percentile(luma, 95, axis=1).astype(np.int64), out=rows)
        np.maximum(columns, np.percentile(luma, 95, axis=0).astype(np.int64), out=columns)
    top, height = _lit_span(rows)
    left, width = _lit_span(columns)
    return ActiveArea(left, top, width, height)


def _sampled(reader: Reader, video: VideoInfo) -> Iterator[Frame]:
    """Frames throughout the programme; the first alone where it is shorter than two seconds."""
    duration_s = max(reader.info.duration_s, 0.0)
    marks_s = np.linspace(0.0, duration_s * 0.98, _AREA_PARTS if duration_s > 2.0 else 1).tolist()
    if duration_s > _SHORT_S:
        parts = (main_frames(reader, at_s, at_s + 0.2) for at_s in marks_s)
        yield from (frame for part in parts if (frame := next(part, None)) is not None)
        return
    due = iter(marks_s)
    mark_s = next(due)
    for frame in main_frames(reader):
        if frame.pts * video.time_base < mark_s:
            continue
        yield frame
        while mark_s <= frame.pts * video.time_base:
            mark_s = next(due, math.inf)
            if mark_s == math.inf:
                return


def _lit_span(brightness: NDArray[np.int64]) -> tuple[int, int]:
    size = len(brightness)
    lit = np.flatnonzero(brightness > _LIT_CODE)
    if not len(lit) or lit[-1] + 1 - lit[0] < _MIN_SIDE * size:
        return 0, size
    return int(lit[0]), int(lit[-1] + 1 - lit[0])


class TileGrid:
    """Computes the means of 16 x 24 equal tiles, whatever the size of the frame.

    The kernel's own tiles begin at multiples of 16 samples, so that those of two sizes do not show
    the same part of the frame; in a pan that looks like a shift in time.
    """

    def __init__(self, area: ActiveArea, bit_depth: int) -> None:
        self._area = area
        self._step = max(1, area.height // _SAMPLED_ROWS)
        rows = len(range(0, area.height, self._step))
        down = np.linspace(0.0, rows, TILE_ROWS + 1)
        self._edges = np.minimum(down.astype(np.int64), rows - 1)
        # An edge between two rows gives each band its share of the row that it crosses.
        self._crossed = (down - self._edges)[1:-1, None]
        samples = rows / TILE_ROWS * area.width / TILE_COLUMNS
        across = _shares(area.width, TILE_COLUMNS) / (samples * float(1 << (bit_depth - 8)))
        self._across = across.astype(np.float32)
        # A band is at most 34 rows high: its sum of 8-bit codes fits 16 bits, which is quicker.
        self._sum = np.uint16 if bit_depth == 8 else np.uint32

    def means(self, luma: NDArray[Any]) -> NDArray[np.float16]:
        """Returns the (384,) mean codes of a frame's tiles.

        Args:
            luma: (height, at least width) samples of the whole frame.
        """
        area, edges = self._area, self._edges
        part = luma[
            area.top : area.top + area.height : self._step, area.left : area.left + area.width
        ]
        bands = np.empty((TILE_ROWS, area.width), np.float32)
        for band, (first, last) in enumerate(zip(edges, (*edges[1:-1], len(part)), strict=False)):
            bands[band] = np.add.reduce(part[first : max(last, first + 1)], 0, dtype=self._sum)
        crossed = (self._crossed * part[edges[1:-1]]).astype(np.float32)
        bands[:-1] += crossed
        bands[1:] -= crossed
        return (bands @ self._across).astype(np.float16).reshape(-1)


def _shares(size: int, parts: int) -> NDArray[np.float64]:
    """Returns (size, parts): how much of each sample lies in each of so many equal parts."""
    edges = np.linspace(0.0, size, parts + 1)
    samples = np.arange(size, dtype=np.float64)[:, None]
    return np.clip(np.minimum(edges[1:], samples + 1) - np.maximum(edges[:-1], samples), 0.0, None)
