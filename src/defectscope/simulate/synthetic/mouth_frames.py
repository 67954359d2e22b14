"""Frames of a moving mouth: a still one, drawn or photographed, warped open.

A still frame of closed lips is the speaker. For every frame its rows are parted along the line
of the lips, the chin goes down with the jaw, the corners move in and out, and the gap is filled
with a dark cavity, teeth and tongue. Coordinates are in widths of the resting mouth, the middle of
its line at (0, 0), y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

ndimage = cast("Any", scipy.ndimage)

HEIGHT, WIDTH = 48, 64
# The still frame is twice as fine as the crops, and reaches further.
STILL_HEIGHT, STILL_WIDTH = 144, 160
STILL_PER_UNIT = 80.0
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Inside:
    """What is seen between the lips, in codes and widths of the mouth.

    Attributes:
        cavity_code: Luma of the dark.
        teeth_code: Luma of the teeth.
        tongue_code: Luma of the tongue.
        teeth_length: How far the upper teeth come down.
        gap: Opening of the jaw at full effort.
        bow: How the opening is shaped: 0.5 is round, 2 pointed at the corners.
        upward: Share of the opening that lifts the upper lip.
        narrowing: How much a rounded mouth is narrower.
        tilt: How the line of the lips bends at the corners; positive smiles.
    """

    cavity_code: float
    teeth_code: float
    tongue_code: float
    teeth_length: float
    gap: float
    bow: float
    upward: float
    narrowing: float
    tilt: float

    @staticmethod
    def draw(rng: np.random.Generator, skin_code: float) -> Inside:
        """Draws a mouth that suits a skin of that luma."""
        return Inside(
            cavity_code=float(skin_code * rng.uniform(0.15, 0.5)),
            teeth_code=float(np.clip(skin_code * rng.uniform(0.8, 1.35), 60, 225)),
            tongue_code=float(skin_code * rng.uniform(0.4, 0.75)),
            teeth_length=float(rng.uniform(0.07, 0.16)),
            gap=float(rng.uniform(0.28, 0.62)),
            bow=float(rng.uniform(0.5, 1.3)),
            upward=float(rng.uniform(0.08, 0.35)),
            narrowing=float(rng.uniform(0.18, 0.38)),
            tilt=float(rng.normal(0.0, 0.04)),
        )


def drawn_still(rng: np.random.Generator) -> tuple[Floats, float]:
    """Draws closed lips in a face of its own: skin, light, folds, beard, nose.

    Returns:
        (144, 160) luma codes and the skin's mean.
    """
    y, x = _still_grid()
    skin = float(rng.uniform(60, 185))
    light = rng.normal(0, 0.16, 5)
    shade = 1 + light[0] * x + light[1] * y + 0.5 * (light[2] * x * x + light[3] * x * y)
    luma = skin * shade * (1 + 0.4 * light[4] * y * y)
    luma += _texture(rng, float(rng.uniform(4, 14))) * skin * rng.uniform(0.01, 0.05)
    luma += _texture(rng, 1.2) * skin * rng.uniform(0.002, 0.02)
    # Folds from the nose to the corners, shadow under the nose and under the lower lip.
    fold_x = 0.42 + 0.28 * np.clip((y + 0.5) / 0.6, 0, 1.2)
    luma -= skin * rng.uniform(0, 0.16) * _ridge(np.abs(x) - fold_x, 0.05) * (y < 0.25)
    nose = np.exp(
        -((x / rng.uniform(0.22, 0.4)) ** 2) - ((y + rng.uniform(0.55, 0.75)) / 0.14) ** 2
    )
    luma -= skin * rng.uniform(0.05, 0.5) * nose
    philtrum = np.exp(-((x / 0.06) ** 2)) * _between(y, -0.5, -0.18, 0.05)
    luma -= skin * rng.uniform(-0.03, 0.1) * philtrum
    upper, lower = rng.uniform(0.07, 0.16), rng.uniform(0.10, 0.22)
    under = np.exp(-((x / 0.35) ** 2) - ((y - lower - 0.07) / 0.06) ** 2)
    luma -= skin * rng.uniform(0.0, 0.3) * under
    if rng.uniform() < 0.35:
        luma -= _beard(rng, x, y, upper, lower) * skin
    half = rng.uniform(0.47, 0.53)
    arch = np.clip(1 - (x / half) ** 2, 0, 1)
    cupid = 1 - rng.uniform(0.05, 0.3) * np.exp(-((x / 0.07) ** 2))
    top, bottom = -upper * arch**0.8 * cupid, lower * arch ** rng.uniform(0.5, 0.8)
    soft = rng.uniform(0.012, 0.05)
    lips = _between(y, top, bottom, soft) * (np.abs(x) < half)
    tone = rng.uniform(0.55, 1.02)
    shine = 1 + rng.uniform(0, 0.25) * np.exp(-((x / 0.25) ** 2) - ((y - 0.5 * lower) / 0.04) ** 2)
    darker = np.where(y < 0, rng.uniform(0.8, 1.0), 1.0)
    grain = 1 + 0.03 * _texture(rng, 1.5)
    luma = luma * (1 - lips) + lips * skin * tone * shade * shine * darker * grain
    seam = np.exp(-((y / rng.uniform(0.012, 0.03)) ** 2)) * (np.abs(x) < half)
    luma *= 1 - rng.uniform(0.25, 0.7) * seam
    corners = np.exp(-(((np.abs(x) - half) / 0.05) ** 2) - (y / 0.04) ** 2)
    luma *= 1 - rng.uniform(0, 0.4) * corners
    return np.clip(luma, 2, 250).astype(np.float32), skin


def _still_grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[0:STILL_HEIGHT, 0:STILL_WIDTH].astype(np.float64)
    return (
        (y - (STILL_HEIGHT - 1) / 2) / STILL_PER_UNIT,
        (x - (STILL_WIDTH - 1) / 2) / STILL_PER_UNIT,
    )


def _texture(rng: np.random.Generator, width: float) -> NDArray[np.float64]:
    rough = ndimage.gaussian_filter(rng.standard_normal((STILL_HEIGHT, STILL_WIDTH)), width)
    return np.asarray(rough / max(float(rough.std()), 1e-9))


def _beard(
    rng: np.random.Generator,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    upper: float,
    lower: float,
) -> NDArray[np.float64]:
    where = np.clip(_between(y, -0.5, -upper, 0.05) + _between(y, lower, 2.0, 0.06), 0, 1)
    where = np.maximum(where, np.clip((np.abs(x) - 0.55) / 0.15, 0, 1) * (y > -0.4))
    return where * rng.uniform(0.1, 0.45) * (0.88 + 0.12 * _texture(rng, 1.0))


def _between(y: Any, low: Any, high: Any, soft: float) -> NDArray[np.float64]:
    return np.asarray(_rise((y - low) / soft) * _rise((high - y) / soft))


def _ridge(distance: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    return np.exp(-((distance / width) ** 2))


def _rise(value: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(4 * value, -30, 30)))


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the mouth lies in the crop, frame by frame; every field is (T,).

    Attributes:
        x: Shift to the right, in widths of the mouth.
        y: Shift down.
        turn_rad: Roll that stabilisation has left, clockwise.
        scale: Crop widths per frame: above 1 the mouth looks larger.
        yaw: Foreshortening: the right half wider than the left when positive.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    turn_rad: NDArray[np.float64]
    scale: NDArray[np.float64]
    yaw: NDArray[np.float64]


def render(still: Floats, inside: Inside, gestures: NDArray[np.float64], pose: Pose) -> Floats:
    """Returns crops of the moving mouth.

    Args:
        still: (144, 160) the closed mouth.
        inside: What is seen when it opens.
        gestures: (T, 6), see `_mouth_motion.GESTURES`.
        pose: Where it lies.

    Returns:
        (T, 48, 64) luma codes.
    """
    parts = [
        _render(still, inside, gestures[i : i + 25], _rows(pose, i, i + 25))
        for i in range(0, len(gestures), 25)
    ]
    return np.concatenate(parts)


def _rows(pose: Pose, first: int, last: int) -> Pose:
    return Pose(
        pose.x[first:last], pose.y[first:last], pose.turn_rad[first:last],
        pose.scale[first:last], pose.yaw[first:last],
    )  # fmt: skip


def _render(still: Floats, inside: Inside, gestures: NDArray[np.float64], pose: Pose) -> Floats:
    def each(values: Any) -> Floats:
        return np.asarray(values, np.float32)[:, None, None]

    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    # 1.6 mouth widths across the crop.
    unit = 1.6 / WIDTH
    u, v = (columns - (WIDTH - 1) / 2) * unit, (rows - (HEIGHT - 1) / 2) * unit
    cos, sin = each(np.cos(pose.turn_rad) / pose.scale), each(np.sin(pose.turn_rad) / pose.scale)
    x = u * cos + v * sin - each(pose.x)
    y = v * cos - u * sin - each(pose.y)
    x = x * (1 + each(pose.yaw) * x)
    opening, width, teeth, tongue, press, pout = (each(g) for g in gestures.T)
    opening = np.clip(opening, 0, 1.4) * inside.gap
    # A rounded mouth draws its corners in, a spread one out; cheeks further off follow less.
    near = np.exp(-(x**2) / 0.6 - y**2 / 0.35)
    stretch = inside.narrowing * np.where(width < 0, 1.0, 0.35) * width - 0.12 * pout
    half = 0.5 * (1 + stretch)
    x_still = x * (1 - stretch * near / (1 + stretch))
    bend = inside.tilt * (x / 0.5) ** 2
    y = y + bend * near
    arch = np.clip(1 - (x / half) ** 2, 0, 1) ** inside.bow
    up = inside.upward * opening * arch
    down = (1 - inside.upward) * opening * arch
    jaw = (1 - inside.upward) * opening * 0.8
    # Where the lips are, they part; further off the skin follows the jaw.
    above, below = y + up, y - down
    follow = np.exp(-np.clip(below, 0, None) / 0.25)
    shifted_down = y - (down * follow + jaw * (1 - follow) * np.clip(below / 0.3, 0, 1))
    shifted_up = y + up * np.exp(-np.clip(-above, 0, None) / 0.3)
    y_still = np.where(above < 0, np.minimum(shifted_up, 0), np.maximum(shifted_down, 0))
    # Rolled-in lips show their outer part only, pushed-out ones more of themselves.
    lip = np.exp(-np.abs(y_still) / 0.14)
    y_still = y_still * (1 - 0.3 * np.clip(pout, 0, 1.2) * lip)
    y_still = y_still + np.sign(y_still) * 0.07 * np.clip(press, 0, 1) * lip
    skin = _sampled(still, x_still, y_still)
    soft = 0.012
    gap = _rise((y + up) / soft) * _rise((down - y) / soft)
    gap = gap * (np.abs(x) < half) * np.clip((up + down) / 0.02, 0, 1)
    depth = np.clip((up + down) / 0.12, 0, 1)
    dark = inside.cavity_code + (1 - depth) * 0.4 * (skin - inside.cavity_code)
    shown = inside.teeth_length * np.clip(teeth, 0, 1.1)
    edge = -0.4 * inside.upward * inside.gap * 0.5 + shown
    curve = 1 - 0.55 * (x / 0.5) ** 2
    upper = _rise((edge * curve - y) / 0.015) * np.clip(teeth * 4, 0, 1)
    rounded = np.clip(1 - 0.5 * (x / 0.42) ** 2, 0.1, 1)
    filled = dark * (1 - upper) + upper * inside.teeth_code * rounded
    height = np.clip(tongue, 0, 1) * (0.75 * (up + down)) + 0.02
    licks = _rise((y - (down - height)) / 0.03) * np.exp(-((x / 0.3) ** 2)) * (tongue > 0.05)
    filled = filled * (1 - licks * (1 - upper)) + licks * (1 - upper) * inside.tongue_code
    return np.asarray(skin * (1 - gap) + gap * filled, np.float32)


def _sampled(still: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear samples of the still frame; its border repeats."""
    column = np.clip(x * STILL_PER_UNIT + (STILL_WIDTH - 1) / 2, 0, STILL_WIDTH - 1.001)
    row = np.clip(y * STILL_PER_UNIT + (STILL_HEIGHT - 1) / 2, 0, STILL_HEIGHT - 1.001)
    left, top = column.astype(np.int32), row.astype(np.int32)
    across, down = column - left, row - top
    flat = still.ravel()
    at = top * STILL_WIDTH + left
    upper = flat[at] * (1 - across) + flat[at + 1] * across
    lower = flat[at + STILL_WIDTH] * (1 - across) + flat[at + STILL_WIDTH + 1] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
