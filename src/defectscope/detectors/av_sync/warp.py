"""Cuts turned and scaled rectangles out of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Frames are reduced by whole factors before they are sampled, so that nothing aliases.
_MAX_SHRINK = 16


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle of a frame, possibly turned.

    Attributes:
        x_px: Its centre, in pixels from the frame's left edge.
        y_px: Its centre, in pixels from the top.
        width_px: Length along its own horizontal axis.
        height_px: Length along its own vertical axis.
        angle_rad: How far its horizontal axis is turned, clockwise on the screen.
    """

    x_px: float
    y_px: float
    width_px: float
    height_px: float
    angle_rad: float = 0.0

    def points(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the place in the frame of (n, 2) points, 0 to 1 across and down the patch."""
        across = (unit[:, 0] - 0.5) * self.width_px
        down = (unit[:, 1] - 0.5) * self.height_px
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return np.stack(
            [self.x_px + across * cos - down * sin, self.y_px + across * sin + down * cos], axis=1
        )


def cut(frame: NDArray[np.uint8], patch: Patch, width: int, height: int) -> NDArray[np.float32]:
    """Returns a patch of a frame at another size; what lies outside repeats the border.

    Args:
        frame: (rows, columns) or (rows, columns, channels).
        patch: What to cut out.
        width: Columns of the result.
        height: Rows of the result.

    Returns:
        (height, width) or (height, width, channels), codes 0 to 255.
    """
    corners = patch.points(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    rows, columns = frame.shape[:2]
    shrink = int(np.clip(min(patch.width_px / width, patch.height_px / height), 1, _MAX_SHRINK))
    left, top = np.floor(corners.min(axis=0)).astype(int) - shrink - 1
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + shrink + 1
    left, right = (int(v) for v in np.clip([left, right], 0, columns))
    top, bottom = (int(v) for v in np.clip([top, bottom], 0, rows))
    # Nothing of the patch is in the frame: its nearest corner stands for it.
    left, top = min(left, columns - 1), min(top, rows - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    part = _shrunk(frame[top:bottom, left:right], shrink)
    across, down = ((np.arange(count) + 0.5) / count for count in (width, height))

    def where(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        # Pixels are squares: the first one's middle is half a pixel from the edge.
        return (patch.points(np.stack([x, y], axis=1)) - [left, top]) / shrink - 0.5

    if patch.angle_rad == 0:
        # A level patch has the same columns in all rows: a third of the time, and the same codes.
        middle = np.full(1, 0.5)
        columns_at = where(across, middle.repeat(width))[:, 0]
        rows_at = where(middle.repeat(height), down)[:, 1]
        return _between_rows(_between_columns(part, columns_at), rows_at)
    x, y = (grid.ravel() for grid in np.meshgrid(across, down))
    return _bilinear(part, where(x, y)).reshape(height, width, *frame.shape[2:])


def _shrunk(part: NDArray[np.uint8], shrink: int) -> NDArray[np.float32]:
    """Means of squares of pixels; rows and columns that fill no square are repeated until they do.

    Plain NumPy: a thread pool costs more than so little work, where other work fills the cores.
    """
    if shrink == 1:
        return part.astype(np.float32)
    rows, columns = (-n % shrink for n in part.shape[:2])
    pads = [(0, rows), (0, columns), *([(0, 0)] * (part.ndim - 2))]
    padded = np.pad(part, pads, mode="edge") if rows or columns else part
    size = (padded.shape[0] // shrink, padded.shape[1] // shrink, *part.shape[2:])
    # As many codes as the largest square has fit 16 bits.
    total = np.zeros(size, np.uint16)
    for row in range(shrink):
        for column in range(shrink):
            total += padded[row::shrink, column::shrink]
    return total.astype(np.float32) / np.float32(shrink * shrink)


def _between_columns(part: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns every row of a frame at places between its columns."""
    return _between_rows(part.swapaxes(0, 1), places).swapaxes(0, 1)


def _between_rows(part: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns a frame at places between its rows."""
    last = len(part) - 1
    bounded = np.clip(places, 0, last)
    first = bounded.astype(np.intp)
    share = (bounded - first).astype(np.float32).reshape(-1, *[1] * (part.ndim - 1))
    out = part[first]
    out += (part[np.minimum(first + 1, last)] - out) * share
    return out


def _bilinear(part: NDArray[np.float32], where: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns the frame at (n, 2) places, x before y."""
    rows, columns = part.shape[:2]
    x = np.clip(where[:, 0], 0, columns - 1)
    y = np.clip(where[:, 1], 0, rows - 1)
    column, row = x.astype(np.intp), y.astype(np.intp)
    right = (x - column).astype(np.float32)
    down = (y - row).astype(np.float32)
    flat = part.reshape(rows * columns, -1)
    corner = row * columns + column
    step_x = np.minimum(column + 1, columns - 1) - column
    below = (np.minimum(row + 1, rows - 1) - row) * columns
    right, down = right[:, None], down[:, None]
    upper = np.take(flat, corner, axis=0)
    upper += (np.take(flat, corner + step_x, axis=0) - upper) * right
    lower = np.take(flat, corner + below, axis=0)
    lower += (np.take(flat, corner + below + step_x, axis=0) - lower) * right
    upper += (lower - upper) * down
    return upper


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the luma of an RGB frame.

    Source: ITU-R BT.601-7, 2.5.1.
    """
    weighted = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.clip(np.rint(weighted), 0, 255).astype(np.uint8)
