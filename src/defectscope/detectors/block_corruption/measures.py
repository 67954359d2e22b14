"""Measures what damage looks like whatever the content: residuals of motion, seams, textures.

Each measure is pooled over cells of 4 x 4 pixels. Content moves on and is predicted by the frame
before or by the frame after; damage comes suddenly, along the borders of blocks, and is predicted
by neither at its onset. Everything is counted in integers up to the logarithm at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.block_corruption.motion import (
    CODE_STEPS,
    Motion,
    Plane,
    halved,
    search,
)

# Pixels a side of a cell.
POOL_PX = 4
# What is measured of a frame against another one.
AGAINST = (
    "change",
    "residual",
    "excess",
    "strongest excess",
    "colour residual",
    "unlike motion",
    "residual seams across",
    "residual seams down",
)
# What is measured of a frame by itself.
ALONE = (
    "seams across",
    "seams down",
    "texture across",
    "texture down",
    "saturation",
    "range",
)
# Frames are padded to whole samples of the coarsest search, and to two of them at least.
_WHOLE_PX = 8
_LEAST_PX = 16

Pixels = NDArray[np.uint8]
Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Still:
    """What is known of a frame by itself, in 1 / CODE_STEPS codes.

    Attributes:
        luma: (rows, columns) at full size, and reduced by 2, by 4 and by 8.
        high: Maxima of 3 x 3 samples of luma reduced by 2.
        low: Minima likewise.
        colour: Blue and red colour difference, reduced by 2.
        alone: The measures of ALONE, by cells, in sums.
        size_px: Height and width of the frame, before it was padded.
    """

    luma: tuple[Plane, Plane, Plane, Plane]
    high: Plane
    low: Plane
    colour: tuple[Plane, Plane]
    alone: list[NDArray[np.int32]]
    size_px: tuple[int, int]


def still(rgb: Pixels) -> Still:
    """Measures a frame by itself.

    Args:
        rgb: (height, width, 3) codes 0 to 255.

    Source: ITU-R BT.601-7, 2.5.1 (luma and colour differences).
    """
    height, width = rgb.shape[:2]
    pads = [max(_LEAST_PX - side, -side % _WHOLE_PX) for side in (height, width)]
    if any(pads):
        rgb = np.pad(rgb, ((0, pads[0]), (0, pads[1]), (0, 0)), mode="edge")
    red, green, blue = (np.ascontiguousarray(rgb[..., k]).astype(np.uint16) for k in range(3))
    luma = ((red * 77 + green * 150 + blue * 29) >> 5).astype(np.int16)
    half = halved(luma)
    quarter = halved(half)
    colour = tuple(
        (((halved((each * CODE_STEPS).astype(np.int16)) - half).astype(np.int32) * gain) >> 8)
        .astype(np.int16)
        for each, gain in ((blue, 144), (red, 183))
    )  # fmt: skip
    across, down = _across(luma), _down(luma)
    alone = [
        _upright(across, POOL_PX),
        _level(down, POOL_PX),
        _sums(across, POOL_PX),
        _sums(down, POOL_PX),
        _sums(np.abs(colour[0]) + np.abs(colour[1]), 2),
    ]
    high, low = _extremes(half)
    alone.append(_sums(high - low, 2))
    levels = luma, half, quarter, halved(quarter)
    return Still(levels, high, low, (colour[0], colour[1]), alone, (height, width))


def alone(frame: Still) -> Maps:
    """Returns (len(ALONE), rows, columns): ln(1 + code) of what ALONE says, by cells."""
    counts = (POOL_PX, POOL_PX, POOL_PX**2, POOL_PX**2, 4, 4)
    return _logarithms(_in_codes(frame.alone, counts), frame.size_px)


def against(mine: Still, other: Still) -> Maps:
    """Measures a frame against another one, the one before it or the one after it.

    Returns:
        (len(AGAINST), ceil(height / 4), ceil(width / 4)): ln(1 + code) of what AGAINST says.
    """
    return _logarithms(_against(mine, other), mine.size_px)


def _logarithms(found: list[Maps], size_px: tuple[int, int]) -> Maps:
    """Returns the logarithms, without the cells that only pad the frame."""
    rows, columns = (-(-side // POOL_PX) for side in size_px)
    out = np.stack([each[:rows, :columns] for each in found])
    out += 1
    # Several times as fast as log1p, and measures below a hundredth of a code mean nothing.
    return np.log(out, out=out)


def _in_codes(sums: list[NDArray[np.int32]], counts: tuple[int, ...]) -> list[Maps]:
    """Returns means in codes of sums of so many values in 1 / CODE_STEPS codes."""
    return [
        each.astype(np.float32) * np.float32(1 / (count * CODE_STEPS))
        for each, count in zip(sums, counts, strict=True)
    ]


def _against(mine: Still, other: Still) -> list[Maps]:
    """Returns the measures of AGAINST in codes."""
    motion = search(mine.luma[1:], other.luma[1:])
    now = mine.luma[1]
    signed = now - motion.moved(other.luma[1])
    # Beyond what the surroundings of the match hold: less than a pixel of motion is no surprise.
    excess = now - motion.moved(other.high)
    np.maximum(excess, 0, out=excess)
    beneath = motion.moved(other.low)
    beneath -= now
    excess += np.maximum(beneath, 0, out=beneath)
    colour = np.abs(mine.colour[0] - motion.moved(other.colour[0]))
    colour += np.abs(mine.colour[1] - motion.moved(other.colour[1]))
    found = _in_codes(
        [
            _sums(np.abs(mine.luma[0] - other.luma[0]), POOL_PX),
            _sums(np.abs(signed), 2),
            _sums(excess, 2),
            _strongest(excess).astype(np.int32),
            _sums(colour, 2),
            _upright(_across(signed), 2),
            _level(_down(signed), 2),
        ],
        (POOL_PX**2, 4, 4, 1, 4, 2, 2),
    )
    found.insert(5, _unlike(motion))
    return found


def _unlike(motion: Motion) -> Maps:
    """Returns how far motion differs from that around it, in pixels, by cells."""
    apart = np.zeros(motion.down.shape, np.float32)
    for each in (motion.down, motion.across):
        own = each.astype(np.float32)
        apart += np.abs(own - ndimage.uniform_filter(own, 5, mode="nearest"))
    return (8 * apart).repeat(2, 0).repeat(2, 1)


def _extremes(plane: Plane) -> tuple[Plane, Plane]:
    """Returns maxima and minima of 3 x 3 samples, of fewer at the border."""
    out: list[Plane] = []
    for pick in (np.maximum, np.minimum):
        tall = plane.copy()
        pick(tall[1:], plane[:-1], out=tall[1:])
        pick(tall[:-1], plane[1:], out=tall[:-1])
        wide = tall.copy()
        pick(wide[:, 1:], tall[:, :-1], out=wide[:, 1:])
        pick(wide[:, :-1], tall[:, 1:], out=wide[:, :-1])
        out.append(wide)
    return out[0], out[1]


def _sums(plane: Plane, side: int) -> NDArray[np.int32]:
    """Returns sums over squares of a side; sixteen values of up to 2047 fit 16 bits."""
    return _pairs(_stacked(plane, side), side).astype(np.int32)


def _stacked(plane: Plane, side: int) -> Plane:
    """Returns sums over runs of a side along columns; added by hand, faster than reduced."""
    tall = plane[::side] + plane[1::side]
    for row in range(2, side):
        tall += plane[row::side]
    return tall


def _pairs(rows: Plane, side: int) -> Plane:
    """Returns sums over runs of a side (2 or 4) along rows."""
    wide = rows[:, ::2] + rows[:, 1::2]
    return wide if side == 2 else wide[:, ::2] + wide[:, 1::2]


def _strongest(plane: Plane) -> Plane:
    """Returns maxima over squares of 2 x 2."""
    rows = np.maximum(plane[::2], plane[1::2])
    return np.maximum(rows[:, ::2], rows[:, 1::2])


def _upright(steps: Plane, side: int) -> NDArray[np.int32]:
    """Sums upright seams along each cell's rows, keeps the strongest of its columns.

    A seam is how far a step exceeds the mean of the two beside it: the border of a block is a step
    in one place.
    """
    seams = 2 * steps
    seams[:, 1:] -= steps[:, :-1]
    seams[:, :-1] -= steps[:, 1:]
    np.maximum(seams, 0, out=seams)
    # A step of a residual is 4080 at most, a seam twice that: two of them, or four of luma, fit.
    tall = _stacked(seams, side)
    wide = np.maximum(tall[:, ::2], tall[:, 1::2])
    wide = wide if side == 2 else np.maximum(wide[:, ::2], wide[:, 1::2])
    return (wide >> 1).astype(np.int32)


def _level(steps: Plane, side: int) -> NDArray[np.int32]:
    """Sums level seams along each cell's columns, keeps the strongest of its rows."""
    seams = 2 * steps
    seams[1:] -= steps[:-1]
    seams[:-1] -= steps[1:]
    np.maximum(seams, 0, out=seams)
    wide = _pairs(seams, side)
    tall = np.maximum(wide[::2], wide[1::2])
    tall = tall if side == 2 else np.maximum(tall[::2], tall[1::2])
    return (tall >> 1).astype(np.int32)


def _across(plane: Plane) -> Plane:
    """Returns the step of each sample from the one to its left, 0 in the first column."""
    out = np.zeros_like(plane)
    np.subtract(plane[:, 1:], plane[:, :-1], out=out[:, 1:])
    return np.abs(out, out=out)


def _down(plane: Plane) -> Plane:
    """Returns the step of each sample from the one above it, 0 in the first row."""
    out = np.zeros_like(plane)
    np.subtract(plane[1:], plane[:-1], out=out[1:])
    return np.abs(out, out=out)
