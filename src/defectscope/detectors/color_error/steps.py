"""How colour changes from one frame to the next: pure functions over the means of tiles.

Motion moves colour about; a colour error transforms it. So each step is explained in several ways,
by nothing, by an added cast or tint, by a gain, by an exchange of U and V, by a turn of all hues,
by a plane that is lost and by one displacement of all colour, and what an explanation leaves
unexplained tells how good it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Full-range conversion stretches luma about the middle of 16 and 235.
# Source: ITU-R BT.709-6, table 4 (nominal range of luma).
PIVOT_CODE = 125.5
BLACK_CODE = 16.0
# Mean squared slope of colour, in codes per tile, that is added to what is there, so that a frame
# without slopes of colour has no displacement.
_FLAT_SLOPE = 1e-3
# Rows and columns of tiles that a displacement can be told by.
_LEAST_TILES = 4
# Mean square of the colour below which a gain means nothing: half a code.
_LEAST_ENERGY = 0.25

Steps = dict[str, NDArray[np.float64]]


def color_steps(u: NDArray[np.float64], v: NDArray[np.float64]) -> Steps:
    """Returns how each frame's colour differs from the frame before it.

    Args:
        u: (frames + 1, tiles) mean U less grey, in codes; the first row is the frame before.
        v: Likewise V.

    Returns:
        Each (frames,), in codes but for `gain`: `cast_u` and `cast_v`, the shift that most tiles
        share; `gain`, which most nearly takes the last colours to these, and `gain_back`, which
        takes these to the last; and what is left of the difference, as a mean over tiles and both
        planes, by doing nothing (`as_is`), by taking off the cast (`as_cast`), by the gain
        (`as_gain`), by the gain back (`as_gain_back`), by exchanging U and V (`as_swap`), by one
        plane that goes flat (`as_flat`) or comes back (`as_flat_back`), and by the turn of hue
        (`as_turn`) by the angle `turn`, radians, with the gain `turn_gain`.
    """
    u0, v0, u1, v1 = u[:-1], v[:-1], u[1:], v[1:]
    du, dv = u1 - u0, v1 - v0
    cast_u, cast_v = np.median(du, axis=1), np.median(dv, axis=1)
    product = (u0 * u1).mean(axis=1) + (v0 * v1).mean(axis=1)
    gain = _gain(product, (u0 * u0).mean(axis=1) + (v0 * v0).mean(axis=1))
    gain_back = _gain(product, (u1 * u1).mean(axis=1) + (v1 * v1).mean(axis=1))
    there, back = gain[:, None], gain_back[:, None]
    return {
        "cast_u": cast_u,
        "cast_v": cast_v,
        "gain": gain,
        "gain_back": gain_back,
        "as_is": _left(du, dv),
        "as_cast": _left(du - cast_u[:, None], dv - cast_v[:, None]),
        "as_gain": _left(u1 - there * u0, v1 - there * v0),
        "as_gain_back": _left(u0 - back * u1, v0 - back * v1),
        "as_swap": _left(u1 - v0, v1 - u0),
        "as_flat": _flat(u0, v0, u1, v1),
        "as_flat_back": _flat(u1, v1, u0, v0),
    } | _turn(u0, v0, u1, v1)


def _turn(
    u0: NDArray[np.float64],
    v0: NDArray[np.float64],
    u1: NDArray[np.float64],
    v1: NDArray[np.float64],
) -> Steps:
    """The turn of all hues by one angle and gain that most nearly takes one frame to the next."""
    energy = np.maximum((u0 * u0 + v0 * v0).mean(axis=1), _LEAST_ENERGY)
    along = (u0 * u1 + v0 * v1).mean(axis=1) / energy
    across = (u0 * v1 - v0 * u1).mean(axis=1) / energy
    a, b = along[:, None], across[:, None]
    return {
        "turn": np.arctan2(across, along),
        "turn_gain": np.hypot(along, across),
        "as_turn": _left(u1 - a * u0 + b * v0, v1 - b * u0 - a * v0),
    }


def tint_steps(luma: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64]) -> Steps:
    """Returns how far each frame's change of colour goes with its luma.

    Gains of red, green and blue, as of a white balance, change most what is bright.

    Args:
        luma: (frames + 1, tiles) mean luma in codes; the first row is the frame before.
        u: Likewise mean U less grey.
        v: Likewise mean V less grey.

    Returns:
        `as_tint`, (frames,), codes: what is left of the change, as a mean over tiles and both
        planes, by taking off what is in proportion to luma above black.
    """
    light = luma[:-1] - BLACK_CODE
    du, dv = np.diff(u, axis=0), np.diff(v, axis=0)
    energy = np.maximum((light * light).mean(axis=1), _LEAST_ENERGY)
    by_u, by_v = (light * du).mean(axis=1) / energy, (light * dv).mean(axis=1) / energy
    return {"as_tint": _left(du - by_u[:, None] * light, dv - by_v[:, None] * light)}


def _flat(
    u0: NDArray[np.float64],
    v0: NDArray[np.float64],
    u1: NDArray[np.float64],
    v1: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What is left where one plane of colour becomes one value everywhere, and the other stays."""
    return np.minimum(
        _left(u1 - np.median(u1, axis=1)[:, None], v1 - v0),
        _left(v1 - np.median(v1, axis=1)[:, None], u1 - u0),
    )


def luma_steps(luma: NDArray[np.float64]) -> Steps:
    """Returns how each frame's luma differs from the frame before it.

    Args:
        luma: (frames + 1, tiles) mean luma in codes; the first row is the frame before.

    Returns:
        Each (frames,): `luma_change`, the mean difference of tiles in codes; `slope`, the stretch
        that most nearly takes the last frame to this one; `pivot_change`, what that stretch does
        to the middle of the range, in codes; `luma_left`, the difference that it leaves;
        `lift`, by how much the frame is brighter, codes.
    """
    before, after = luma[:-1] - PIVOT_CODE, luma[1:] - PIVOT_CODE
    mean0, mean1 = before.mean(axis=1), after.mean(axis=1)
    d0, d1 = before - mean0[:, None], after - mean1[:, None]
    spread = (d0 * d0).mean(axis=1)
    slope = np.where(spread > 4.0, (d0 * d1).mean(axis=1) / np.maximum(spread, 4.0), 1.0)
    return {
        "luma_change": np.abs(after - before).mean(axis=1),
        "slope": slope,
        "lift": mean1 - mean0,
        "pivot_change": mean1 - slope * mean0,
        "luma_left": np.abs(d1 - slope[:, None] * d0).mean(axis=1),
    }


def shift_steps(u: NDArray[np.float64], v: NDArray[np.float64]) -> Steps:
    """Returns the displacement that most nearly takes each frame's last colours to these.

    Where colour moves by a small part of a tile, a tile's mean changes by that part of the slope
    from the tile before it to the one after it.

    Args:
        u: (frames + 1, rows, columns) mean U less grey, in codes; the first is the frame before.
        v: Likewise V.

    Returns:
        Each (frames,): `shift_x` and `shift_y`, to the right and down, as shares of a tile; and
        `shift_left`, the share of the squared difference that the displacement leaves, 0 to 1.
    """
    frames = len(u) - 1
    if min(u.shape[1:]) < _LEAST_TILES:
        zero = np.zeros(frames)
        return {"shift_x": zero, "shift_y": zero, "shift_left": zero + 1.0}
    colors = np.stack([u, v], axis=1)
    before, change = colors[:-1], np.diff(colors, axis=0)[:, :, 1:-1, 1:-1]
    across = (before[:, :, 1:-1, 2:] - before[:, :, 1:-1, :-2]) / 2
    down = (before[:, :, 2:, 1:-1] - before[:, :, :-2, 1:-1]) / 2

    def product(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((one * other).mean(axis=(1, 2, 3)))

    xx, yy = product(across, across) + _FLAT_SLOPE, product(down, down) + _FLAT_SLOPE
    xy, xt, yt = product(across, down), product(across, change), product(down, change)
    determinant = xx * yy - xy * xy
    x, y = (yy * xt - xy * yt) / determinant, (xx * yt - xy * xt) / determinant
    at = (slice(None), None, None, None)
    left = change - x[at] * across - y[at] * down
    energy = product(change, change)
    share = np.where(energy > 0, product(left, left) / np.maximum(energy, 1e-12), 1.0)
    return {"shift_x": -x, "shift_y": -y, "shift_left": share}


def _gain(product: NDArray[np.float64], energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least-squares gain; 1 where there is hardly any colour to tell it by."""
    return np.where(energy > _LEAST_ENERGY, product / np.maximum(energy, _LEAST_ENERGY), 1.0)


def _left(u: NDArray[Any], v: NDArray[Any]) -> NDArray[np.float64]:
    return (np.abs(u).mean(axis=1) + np.abs(v).mean(axis=1)) / 2
