"""Mouths as the network sees them: level, centred, of one size, 25 a second.

Everything here is symmetric in time: a filter that lagged would read as sound that is early.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.av_sync.tracks import (
    CORNERS,
    LIPS,
    Track,
    crop_width_px,
    eye_distance_px,
    mouth_patch,
)
from defectscope.detectors.av_sync.warp import cut

Floats = NDArray[np.float64]

# The grid of frames that everything is compared on.
RATE_FPS = 25
CROP_ROWS, CROP_COLUMNS = 48, 64
# How far the crop is steadied, as the standard deviation of a Gaussian in frames: its place little,
# so that it follows the head, its size and turn more, since they change slowly.
_PLACE_FRAMES = 2.0
_SIZE_FRAMES = 10.0
_TURN_FRAMES = 4.0
# A frame of the grid is taken from the nearest frame, no further away than this.
_NEAR_S = 0.06


@dataclass(frozen=True, slots=True)
class Mouth:
    """A track's mouth on the grid.

    Attributes:
        first_frame: Frame of the 25 fps grid, counted from t = 0, that the first row stands for.
        crops: (T, 48, 64) uint8 luma.
        shapes: (T, 40, 2) lip landmarks relative to the mouth's middle, level, in distances of the
            eyes.
        boxes: (T, 4) left, top, right, bottom of the face as shares of the frame.
    """

    first_frame: int
    crops: NDArray[np.uint8]
    shapes: Floats
    boxes: Floats

    def __len__(self) -> int:
        return len(self.crops)

    def between(self, first: int, last: int) -> Mouth:
        """Returns the rows [first, last)."""
        return replace(
            self,
            first_frame=self.first_frame + first,
            crops=self.crops[first:last],
            shapes=self.shapes[first:last],
            boxes=self.boxes[first:last],
        )


def mouth_on_grid(track: Track) -> list[Mouth]:
    """Returns a track's mouth on the grid, in as many pieces as the track has gaps and one more."""
    times_s = track.times_s
    first, last = round(times_s[0] * RATE_FPS), round(times_s[-1] * RATE_FPS)
    frames = np.arange(first, last + 1)
    grid_s = frames / RATE_FPS
    after = np.clip(np.searchsorted(times_s, grid_s), 0, len(times_s) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(times_s[before] - grid_s) <= np.abs(times_s[after] - grid_s)
    nearest = np.where(nearer, before, after)
    near = np.abs(times_s[nearest] - grid_s) <= _NEAR_S
    out: list[Mouth] = []
    for run in np.split(np.arange(len(frames)), np.flatnonzero(np.diff(near.astype(int))) + 1):
        if len(run) and near[run[0]]:
            out.append(_mouth(track, times_s, int(frames[run[0]]), nearest[run], grid_s[run]))
    return out


def mouth_crops(track: Track) -> list[NDArray[np.uint8]]:
    """Returns a track's crops, (T, 48, 64) uint8 luma, one array per piece without a gap."""
    return [mouth.crops for mouth in mouth_on_grid(track)]


def _mouth(
    track: Track, times_s: Floats, first_frame: int, nearest: NDArray[np.intp], grid_s: Floats
) -> Mouth:
    sights = [track.sights[i] for i in nearest]
    points = np.stack([s.points for s in sights])
    eyes = points[:, LIPS : LIPS + 4]
    across = eyes[:, 2:].mean(axis=1) - eyes[:, :2].mean(axis=1)
    turn = _steady(np.unwrap(np.arctan2(across[:, 1], across[:, 0])), _TURN_FRAMES)
    distance = _steady(eye_distance_px(points), _SIZE_FRAMES)
    widths = crop_width_px(points) / np.maximum(eye_distance_px(points), 1e-6)
    width = distance * float(np.median(widths))
    middle = points[:, CORNERS].mean(axis=1)
    place = np.stack([_steady(middle[:, 0], _PLACE_FRAMES), _steady(middle[:, 1], _PLACE_FRAMES)])
    crops = np.zeros((len(sights), CROP_ROWS, CROP_COLUMNS), np.uint8)
    for row, sight in enumerate(sights):
        patch = mouth_patch(sight, place[0, row], place[1, row], width[row], turn[row])
        patch = replace(patch, height_px=patch.width_px * CROP_ROWS / CROP_COLUMNS)
        crops[row] = np.clip(np.rint(cut(sight.piece, patch, CROP_COLUMNS, CROP_ROWS)), 0, 255)
    return Mouth(
        first_frame,
        crops,
        _shapes(track, times_s, grid_s),
        np.stack([s.box for s in sights]),
    )


def _shapes(track: Track, times_s: Floats, grid_s: Floats) -> Floats:
    """Lip landmarks between frames, freed of where the head is, how large and how tilted."""
    points = track.points
    eyes = points[:, LIPS : LIPS + 4]
    across = eyes[:, 2:].mean(axis=1) - eyes[:, :2].mean(axis=1)
    angle = np.arctan2(across[:, 1], across[:, 0])
    lips = points[:, :LIPS]
    lips = lips - lips.mean(axis=1, keepdims=True)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    level = np.stack(
        [lips[..., 0] * cos + lips[..., 1] * sin, lips[..., 1] * cos - lips[..., 0] * sin], axis=-1
    )
    # Blinks and jitter of the eyes' landmarks must not read as a mouth that moves.
    size = _steady(np.maximum(eye_distance_px(points), 1e-6), _TURN_FRAMES)
    flat = (level / size[:, None, None]).reshape(len(points), -1)
    resampled = np.stack([np.interp(grid_s, times_s, column) for column in flat.T], axis=1)
    return resampled.reshape(len(grid_s), LIPS, 2)


def _steady(values: Floats, frames: float) -> Floats:
    return np.asarray(ndimage.gaussian_filter1d(values, frames, mode="nearest"), np.float64)
