"""Every per-frame measure by name: what it means, its unit, its shape and its place in the record.

The record of one frame is a row of little-endian 32-bit words. It holds the requested groups in
the order of `Group`, in each group its features in the order of `FEATURES`, every one beginning at
an even word. docs/kernel.md has the formulas.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.features.geometry import TILE_COLUMNS, TILE_ROWS, PlaneGeometry

# Codes are 8-bit-equivalent; deeper samples are compared with the code shifted up.
DARK_CODES = (20,)
CHANGED_CODE = 8
COMBED_CODE = 10
GRADIENT_CODES = (1, 2, 3, 4, 8, 16, 32, 64)
BAND_STEP_CODES = (0, 1, 2, 3, 4, 8)
SATURATION_CODES = (4, 16, 64, 112)
# Source: ITU-R BT.709-6, table 4 (nominal range of the colour differences).
NOMINAL_CHROMA_CODES = (16, 240)


class Group(IntFlag):
    """Measures that are computed together; a group nobody asks for costs nothing."""

    LUMA = 1 << 0
    TEMPORAL = 1 << 1
    ROWS = 1 << 2
    HISTOGRAM = 1 << 3
    COLUMNS = 1 << 4
    GRID = 1 << 5
    FIELDS = 1 << 6
    ACTIVITY = 1 << 7
    SHARPNESS = 1 << 8
    NOISE = 1 << 9
    BANDING = 1 << 10
    CHROMA = 1 << 11
    CHROMA_HISTOGRAM = 1 << 12


CHROMA_GROUPS = Group.CHROMA | Group.CHROMA_HISTOGRAM


Integers = NDArray[np.uint32] | NDArray[np.uint64]
Extent = Literal["scalar", "tiles", "rows", "columns"] | tuple[int, ...]


@dataclass(frozen=True)
class Feature:
    """One named measure.

    Attributes:
        name: What detectors ask for.
        group: The measures it is computed with.
        extent: `scalar`, `tiles` (8 x 12), `rows` (height), `columns` (width) or a fixed shape.
        wide: Whether its integers are 64 bits; otherwise they are 32.
        temporal: Whether it compares with the frame before; 0 on the first frame.
        doc: What it measures, with its unit.
    """

    name: str
    group: Group
    extent: Extent
    wide: bool
    temporal: bool
    doc: str

    def shape(self, geometry: PlaneGeometry) -> tuple[int, ...]:
        """Returns the shape of one frame's value; `()` for a scalar."""
        if isinstance(self.extent, tuple):
            return self.extent
        return {
            "scalar": (),
            "tiles": (TILE_ROWS, TILE_COLUMNS),
            "rows": (geometry.height,),
            "columns": (geometry.width,),
        }[self.extent]


def _make(
    group: Group, *rows: tuple[str, Extent, int, str], temporal: bool = False
) -> list[Feature]:
    return [Feature(name, group, ext, bits == 64, temporal, doc) for name, ext, bits, doc in rows]


_SAMPLED = "on sampled rows"

FEATURES: tuple[Feature, ...] = (
    *_make(
        Group.LUMA,
        ("luma_sum", "scalar", 64, "Sum of luma codes."),
        ("luma_min", "scalar", 32, "Lowest luma code."),
        ("luma_max", "scalar", 32, "Highest luma code."),
        ("dark_counts", (1,), 32, "Samples at or below each of DARK_CODES."),
        ("tile_luma", "tiles", 32, "Sum of luma codes."),
        ("row_luma", "rows", 32, "Sum of luma codes."),
        ("row_min", "rows", 32, "Lowest luma code."),
        ("row_max", "rows", 32, "Highest luma code."),
    ),
    *_make(
        Group.TEMPORAL,
        ("has_previous", "scalar", 32, "1 where there was a frame before, else 0."),
        ("sad", "scalar", 64, "Sum of |luma - previous luma|; 0 only for equal frames."),
        ("changed_count", "scalar", 32, "Samples changed by CHANGED_CODE or more."),
        ("tile_sad", "tiles", 32, "Sum of |luma - previous luma|."),
        ("row_sad", "rows", 32, "Sum of |luma - previous luma|."),
        temporal=True,
    ),
    *_make(
        Group.ROWS,
        ("row_difference", "rows", 32, "Sum of |row - row above| on sampled columns."),
        ("row_step", "rows", 32, "The part of row_difference above both neighbouring ones."),
    ),
    *_make(
        Group.HISTOGRAM,
        ("luma_histogram", (256,), 32, "Luma by 8-bit-equivalent code, every second sample."),
    ),
    *_make(
        Group.COLUMNS,
        ("column_luma", "columns", 32, f"Sum of luma codes {_SAMPLED}."),
        ("column_max", "columns", 32, f"Highest luma code {_SAMPLED}."),
    ),
    *_make(
        Group.GRID,
        ("column_difference", "columns", 32, f"Sum of |column - column to its left| {_SAMPLED}."),
        ("column_step", "columns", 32, "The part of it above both neighbouring differences."),
    ),
    *_make(
        Group.FIELDS,
        (
            "comb_sums",
            (2, 4),
            64,
            "By row parity and weave: how far rows stand out from both rows around.",
        ),
        ("comb_counts", (2, 4), 32, "As comb_sums: samples that stand out by COMBED_CODE."),
        ("tile_comb", "tiles", 32, "Samples that stand out by COMBED_CODE within the frame."),
        temporal=True,
    ),
    *_make(
        Group.ACTIVITY,
        ("gradient_counts", (8,), 32, f"Samples with |dx| + |dy| >= GRADIENT_CODES {_SAMPLED}."),
        ("tile_gradient", "tiles", 32, f"Sum of |dx| + |dy| {_SAMPLED}."),
        ("tile_sampled_luma", "tiles", 32, f"Sum of luma codes {_SAMPLED}."),
        ("tile_luma_squares", "tiles", 64, f"Sum of squared luma codes {_SAMPLED}."),
    ),
    *_make(
        Group.SHARPNESS,
        ("tile_dx1_squares", "tiles", 64, f"Squared differences at 1 px across, {_SAMPLED}."),
        ("tile_dx2_squares", "tiles", 64, f"Squared differences at 2 px across, {_SAMPLED}."),
        ("tile_dx4_squares", "tiles", 64, f"Squared differences at 4 px across, {_SAMPLED}."),
        ("dy_squares", (3,), 64, f"Squared differences at 1, 2 and 4 px down, {_SAMPLED}."),
    ),
    *_make(
        Group.NOISE,
        ("tile_noise", "tiles", 32, f"Sum of Immerkaer's |second difference| {_SAMPLED}."),
        ("tile_laplacian_squares", "tiles", 64, f"Sum of the squared Laplacian {_SAMPLED}."),
    ),
    *_make(
        Group.BANDING,
        ("band_counts", (2, 6), 32, "Across and down: flat-flanked steps > BAND_STEP_CODES."),
        ("tile_bands", "tiles", 32, "Flat-flanked steps of up to 4 codes, both directions."),
        ("tile_flats", "tiles", 32, "Flat intervals of 10 samples, both directions."),
    ),
    *_make(
        Group.CHROMA,
        ("chroma_sums", (2,), 64, f"Sum of U and of V {_SAMPLED}."),
        ("chroma_squares", (2,), 64, f"Sum of squared U and V {_SAMPLED}."),
        ("chroma_product", "scalar", 64, f"Sum of U x V {_SAMPLED}."),
        ("chroma_extremes", (2, 2), 32, f"Lowest U and V, highest U and V, {_SAMPLED}."),
        ("chroma_illegal", (2, 2), 32, "U and V: samples below and above NOMINAL_CHROMA_CODES."),
        ("saturation_counts", (4,), 32, "Samples at least SATURATION_CODES away from grey."),
        ("tile_u", "tiles", 32, f"Sum of U {_SAMPLED}."),
        ("tile_v", "tiles", 32, f"Sum of V {_SAMPLED}."),
        ("tile_saturation", "tiles", 32, f"Sum of max(|U - grey|, |V - grey|) {_SAMPLED}."),
    ),
    *_make(
        Group.CHROMA_HISTOGRAM,
        ("chroma_histogram", (32, 32), 32, "U against V in bins of 8 codes, every fourth sample."),
    ),
)

BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}


def groups_of(names: Iterable[str]) -> Group:
    """Returns the groups that must be measured to get these features.

    Raises:
        InvalidParameterError: There is no feature of such a name.
    """
    groups = Group(0)
    for name in names:
        if name not in BY_NAME:
            raise InvalidParameterError(f"there is no feature {name!r}")
        groups |= BY_NAME[name].group
    return groups


@dataclass(frozen=True)
class Place:
    """Where a feature stands in a record, in 32-bit words."""

    feature: Feature
    shape: tuple[int, ...]
    start: int
    stop: int

    def read(self, records: NDArray[np.uint32]) -> Integers:
        """Returns the feature of (n, words) records as a view of shape (n, *shape)."""
        shape = (len(records), *self.shape)
        words = records[:, self.start : self.stop]
        if self.feature.wide:
            return words.view("<u8").reshape(shape)
        return words.reshape(shape)


@dataclass(frozen=True)
class Layout:
    """The record of one frame: its length in words and the place of every feature in it."""

    geometry: PlaneGeometry
    groups: Group
    words: int
    places: dict[str, Place]


@lru_cache(maxsize=64)
def layout_of(geometry: PlaneGeometry, groups: Group) -> Layout:
    """Returns the layout of the records of frames of this geometry."""
    at = 0
    places: dict[str, Place] = {}
    for feature in FEATURES:
        if feature.group & groups:
            shape = feature.shape(geometry)
            words = int(np.prod(shape, dtype=np.int64)) * (2 if feature.wide else 1)
            places[feature.name] = Place(feature, shape, at, at + words)
            at += words + words % 2
    return Layout(geometry, groups, at, places)
