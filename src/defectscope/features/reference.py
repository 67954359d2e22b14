"""The measures written plainly with NumPy: what the kernel must give, bit for bit.

Slow (a few hundred times the kernel's time) and obvious. Each function computes one group.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.features.catalogue import (
    BAND_STEP_CODES,
    CHANGED_CODE,
    COMBED_CODE,
    DARK_CODES,
    GRADIENT_CODES,
    NOMINAL_CHROMA_CODES,
    SATURATION_CODES,
    Group,
)
from defectscope.features.extractor import Extractor
from defectscope.features.geometry import (
    TILE_COLUMNS,
    TILE_ROWS,
    PlaneGeometry,
    sampled_columns,
    sampled_rows,
    tile_columns,
    tile_rows,
)

Samples = NDArray[np.int64]
Values = dict[str, Any]


class NumpyExtractor(Extractor):
    """Measures the frames of one stream without WebAssembly; for tests and for reading."""

    def _prepare(self, geometry: PlaneGeometry) -> None:
        self._previous: Samples | None = None

    def _forget(self) -> None:
        self._previous = None

    def _measure(self, planes: list[NDArray[Any]], record: NDArray[np.uint32]) -> None:
        geometry = self.layout.geometry
        highest = (1 << geometry.bit_depth) - 1
        luma, *chroma = [np.minimum(plane.astype(np.int64), highest) for plane in planes]
        values: Values = {}
        for group in Group:
            if not group & self.layout.groups:
                continue
            if group in (Group.CHROMA, Group.CHROMA_HISTOGRAM):
                if chroma:
                    values |= _CHROMA_MEASURES[group](chroma[0], chroma[1], geometry.shift)
            elif group in (Group.TEMPORAL, Group.FIELDS):
                values |= _TEMPORAL_MEASURES[group](luma, self._previous, geometry.shift)
            else:
                values |= _LUMA_MEASURES[group](luma, geometry.shift)
        self._previous = luma
        record[:] = 0
        for name, place in self.layout.places.items():
            if name in values:
                place.read(record[None])[0] = values[name]


def _tile_sums(
    plane_shape: tuple[int, ...], samples: Samples, rows: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Sums samples [len(rows), at most width] into the tiles of a plane; row i is row rows[i]."""
    height, width = plane_shape
    sums = np.zeros((TILE_ROWS, TILE_COLUMNS), np.int64)
    down, across = tile_rows(height), tile_columns(width)
    for i in range(TILE_ROWS):
        inside = samples[(rows >= down[i]) & (rows < down[i + 1])]
        for j in range(TILE_COLUMNS):
            sums[i, j] = inside[:, across[j] : across[j + 1]].sum()
    return sums


def _luma(y: Samples, shift: int) -> Values:
    codes = y >> shift
    return {
        "luma_sum": y.sum(),
        "luma_min": y.min(),
        "luma_max": y.max(),
        "dark_counts": [(codes <= code).sum() for code in DARK_CODES],
        "tile_luma": _tile_sums(y.shape, y, np.arange(len(y))),
        "row_luma": y.sum(axis=1),
        "row_min": y.min(axis=1),
        "row_max": y.max(axis=1),
    }


def _temporal(y: Samples, previous: Samples | None, shift: int) -> Values:
    if previous is None:
        return {}
    change = abs(y - previous)
    return {
        "has_previous": 1,
        "sad": change.sum(),
        "changed_count": (change >= CHANGED_CODE << shift).sum(),
        "tile_sad": _tile_sums(y.shape, change, np.arange(len(y))),
        "row_sad": change.sum(axis=1),
    }


def _standing_out(differences: Samples) -> Samples:
    """How far the inner differences [n, k] exceed both neighbours along the first axis."""
    around = np.maximum(differences[:-2], differences[2:])
    return np.maximum(differences[1:-1] - around, 0)


def _rows(y: Samples, shift: int) -> Values:
    seen = y[:, sampled_columns(y.shape[1])]
    differences: Samples = abs(seen[1:] - seen[:-1])
    difference, step = np.zeros(len(y), np.int64), np.zeros(len(y), np.int64)
    difference[1:] = differences.sum(axis=1)
    if len(y) >= 4:
        step[2:-1] = _standing_out(differences).sum(axis=1)
    return {"row_difference": difference, "row_step": step}


def _histogram(y: Samples, shift: int) -> Values:
    codes = y[sampled_rows(y.shape[1], len(y)), ::2] >> shift
    return {"luma_histogram": np.bincount(codes.ravel(), minlength=256)}


def _columns(y: Samples, shift: int) -> Values:
    sampled = y[sampled_rows(y.shape[1], len(y))]
    return {"column_luma": sampled.sum(axis=0), "column_max": sampled.max(axis=0)}


def _grid(y: Samples, shift: int) -> Values:
    width = y.shape[1]
    sampled = y[sampled_rows(y.shape[1], len(y))]
    differences: Samples = abs(sampled[:, 1:] - sampled[:, :-1])
    difference, step = np.zeros(width, np.int64), np.zeros(width, np.int64)
    difference[1:] = differences.sum(axis=0)
    if width >= 4:
        step[2:-1] = _standing_out(differences.T).sum(axis=1)
    return {"column_difference": difference, "column_step": step}


def _combing(row: Samples, above: Samples, below: Samples) -> Samples:
    over = np.minimum(row - above, row - below)
    under = np.minimum(above - row, below - row)
    return np.maximum(np.maximum(over, under), 0)


def _fields(y: Samples, previous: Samples | None, shift: int) -> Values:
    rows = sampled_rows(y.shape[1], len(y), above=2, below=2)
    weaves = {
        0: _combing(y[rows], y[rows - 1], y[rows + 1]),
        3: _combing(y[rows], y[rows - 2], y[rows + 2]),
    }
    if previous is not None:
        weaves[1] = _combing(previous[rows], y[rows - 1], y[rows + 1])
        weaves[2] = _combing(y[rows], previous[rows - 1], previous[rows + 1])
    sums, counts = np.zeros((2, 4), np.int64), np.zeros((2, 4), np.int64)
    for weave, depth in weaves.items():
        for parity in (0, 1):
            field = depth[rows % 2 == parity]
            sums[parity, weave] = field.sum()
            counts[parity, weave] = (field >= COMBED_CODE << shift).sum()
    combed = (weaves[0] >= COMBED_CODE << shift).astype(np.int64)
    tiles = _tile_sums(y.shape, combed, rows)
    return {"comb_sums": sums, "comb_counts": counts, "tile_comb": tiles}


def _activity(y: Samples, shift: int) -> Values:
    everywhere = sampled_rows(y.shape[1], len(y))
    rows = sampled_rows(y.shape[1], len(y), below=1)
    across = abs(y[rows, 1:] - y[rows, :-1])
    down = abs(y[rows + 1, :-1] - y[rows, :-1])
    gradient = np.minimum(across + down, (256 << shift) - 1)
    return {
        "gradient_counts": [(gradient >= code << shift).sum() for code in GRADIENT_CODES],
        "tile_gradient": _tile_sums(y.shape, gradient, rows),
        "tile_sampled_luma": _tile_sums(y.shape, y[everywhere], everywhere),
        "tile_luma_squares": _tile_sums(y.shape, y[everywhere] ** 2, everywhere),
    }


def _sharpness(y: Samples, shift: int) -> Values:
    rows = sampled_rows(y.shape[1], len(y), below=4)
    count = max(y.shape[1] - 4, 0)
    values: Values = {"dy_squares": []}
    for distance in (1, 2, 4):
        across = (y[rows, distance : distance + count] - y[rows, :count]) ** 2
        down = (y[rows + distance, :count] - y[rows, :count]) ** 2
        values[f"tile_dx{distance}_squares"] = _tile_sums(y.shape, across, rows)
        values["dy_squares"].append(down.sum())
    return values


def _noise(y: Samples, shift: int) -> Values:
    rows = sampled_rows(y.shape[1], len(y), above=1, below=1)
    y = y >> max(shift - 2, 0)
    vertical = y[rows - 1] - 2 * y[rows] + y[rows + 1]
    horizontal = y[rows, :-2] - 2 * y[rows, 1:-1] + y[rows, 2:]
    noise = abs(vertical[:, :-2] - 2 * vertical[:, 1:-1] + vertical[:, 2:])
    laplacian = abs(vertical[:, 1:-1] + horizontal) >> min(shift, 2)
    return {
        "tile_noise": _tile_sums(y.shape, noise, rows),
        "tile_laplacian_squares": _tile_sums(y.shape, laplacian**2, rows),
    }


def _banding(y: Samples, shift: int) -> Values:
    width = max(y.shape[1] - 9, 0)
    tolerance = (1 << shift) >> 1
    everywhere = sampled_rows(y.shape[1], len(y))
    inner = sampled_rows(y.shape[1], len(y), above=4, below=5)
    looks: list[tuple[NDArray[np.intp], Callable[[int], Samples]]] = [
        (everywhere, lambda i: y[everywhere, i : i + width]),
        (inner, lambda i: y[inner - 4 + i]),
    ]
    counts: list[list[int]] = []
    bands = np.zeros((TILE_ROWS, TILE_COLUMNS), np.int64)
    flats = np.zeros((TILE_ROWS, TILE_COLUMNS), np.int64)
    for rows, at in looks:
        flanks = [abs(at(i) - at(4 if i < 5 else 5)) <= tolerance for i in (0, 2, 7, 9)]
        flanked = np.logical_and.reduce(flanks)
        step = np.where(flanked, abs(at(5) - at(4)), 0)
        over = [tolerance, *(code << shift for code in BAND_STEP_CODES[1:])]
        counts.append([int((step > code).sum()) for code in over])
        band = (step > tolerance) & (step <= 4 << shift)
        bands += _tile_sums(y.shape, band.astype(np.int64), rows)
        flats += _tile_sums(y.shape, (flanked & (step <= tolerance)).astype(np.int64), rows)
    return {"band_counts": counts, "tile_bands": bands, "tile_flats": flats}


def _chroma(u: Samples, v: Samples, shift: int) -> Values:
    rows = sampled_rows(u.shape[1], len(u))
    shape = u.shape
    u, v = u[rows], v[rows]
    low, high = (code << shift for code in NOMINAL_CHROMA_CODES)
    grey = 128 << shift
    saturation = np.maximum(abs(u - grey), abs(v - grey))
    return {
        "chroma_sums": [u.sum(), v.sum()],
        "chroma_squares": [(u**2).sum(), (v**2).sum()],
        "chroma_product": (u * v).sum(),
        "chroma_extremes": [[u.min(), v.min()], [u.max(), v.max()]],
        "chroma_illegal": [[(c < low).sum(), (c > high).sum()] for c in (u, v)],
        "saturation_counts": [(saturation >= code << shift).sum() for code in SATURATION_CODES],
        "tile_u": _tile_sums(shape, u, rows),
        "tile_v": _tile_sums(shape, v, rows),
        "tile_saturation": _tile_sums(shape, saturation, rows),
    }


def _chroma_histogram(u: Samples, v: Samples, shift: int) -> Values:
    rows = sampled_rows(u.shape[1], len(u))
    bins = (u[rows, ::4] >> (shift + 3)) * 32 + (v[rows, ::4] >> (shift + 3))
    return {"chroma_histogram": np.bincount(bins.ravel(), minlength=1024).reshape(32, 32)}


_LUMA_MEASURES: dict[Group, Callable[[Samples, int], Values]] = {
    Group.LUMA: _luma,
    Group.ROWS: _rows,
    Group.HISTOGRAM: _histogram,
    Group.COLUMNS: _columns,
    Group.GRID: _grid,
    Group.ACTIVITY: _activity,
    Group.SHARPNESS: _sharpness,
    Group.NOISE: _noise,
    Group.BANDING: _banding,
}
_TEMPORAL_MEASURES: dict[Group, Callable[[Samples, Samples | None, int], Values]] = {
    Group.TEMPORAL: _temporal,
    Group.FIELDS: _fields,
}
_CHROMA_MEASURES: dict[Group, Callable[[Samples, Samples, int], Values]] = {
    Group.CHROMA: _chroma,
    Group.CHROMA_HISTOGRAM: _chroma_histogram,
}
