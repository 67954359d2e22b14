"""Cuts turned and scaled rectangles out of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

# Pictures are reduced by whole factors before they are sampled, so that nothing aliases.
_MAX_SHRINK = 16


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle of a picture, possibly turned.

    Attributes:
        x_px: Its centre, in pixels from the picture's left edge.
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
        """Gives the place in the picture of (n, 2) points, 0 to 1 across and down the patch."""
        across = (unit[:, 0] - 0.5) * self.width_px
        down = (unit[:, 1] - 0.5) * self.height_px
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return np.stack(
            [self.x_px + across * cos - down * sin, self.y_px + across * sin + down * cos], axis=1
        )


def cut(picture: NDArray[np.uint8], patch: Patch, width: int, height: int) -> NDArray[np.float32]:
    """Gives a patch of a picture at another size; what lies outside repeats the border.

    Args:
        picture: (rows, columns) or (rows, columns, channels).
        patch: What to cut out.
        width: Columns of the result.
        height: Rows of the result.

    Returns:
        (height, width) or (height, width, channels), codes 0 to 255.
    """
    corners = patch.points(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    rows, columns = picture.shape[:2]
    shrink = int(np.clip(min(patch.width_px / width, patch.height_px / height), 1, _MAX_SHRINK))
    margin = shrink + 1
    left, top = np.floor(corners.min(axis=0)).astype(int) - margin
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + margin
    left, right = np.clip([left, right], 0, columns)
    top, bottom = np.clip([top, bottom], 0, rows)
    # Nothing of the patch is in the picture: its nearest corner stands for it.
    left, top = min(left, columns - 1), min(top, rows - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    part = np.array(picture[top:bottom, left:right], np.float32)
    flat = part.ndim == 2
    tensor = torch.from_numpy(part[..., None] if flat else part).permute(2, 0, 1)[None]
    if shrink > 1:
        tensor = functional.avg_pool2d(tensor, shrink, ceil_mode=True)
    grid = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    where = patch.points(np.stack([g.ravel() for g in grid], axis=1))
    # grid_sample without aligned corners counts from edge to edge, -1 to 1.
    reduced = np.array([tensor.shape[3], tensor.shape[2]]) * shrink
    scaled = (where - [left, top]) / reduced * 2 - 1
    sampled = functional.grid_sample(
        tensor,
        torch.from_numpy(scaled.astype(np.float32)).reshape(1, height, width, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )[0]
    out = cast("Any", sampled.permute(1, 2, 0).contiguous()).numpy()
    return out[..., 0] if flat else out


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gives the luma of an RGB picture.

    Source: ITU-R BT.601-7, 2.5.1.
    """
    weighted = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.clip(np.rint(weighted), 0, 255).astype(np.uint8)
