"""What the small head takes: motion is predicted, damage is not, whatever the content."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from defectscope.detectors.block_corruption.measures import AGAINST, ALONE, against, alone, still
from defectscope.detectors.block_corruption.motion import halved, search

SIZE = (176, 320)


def texture(seed: Any = 1, size: Any = SIZE):
    """A random texture, coarse and fine, (rows, columns, 3)."""
    rng = np.random.default_rng(seed)
    field = np.full((*size, 3), 128.0)
    for sigma in (2.5, 12):
        part = ndimage.gaussian_filter(rng.normal(0, 1, (*size, 3)), (sigma, sigma, 0))
        field += part * 25 / part.std()
    return field.clip(0, 255).astype(np.uint8)


def shifted(scene: Any, down: Any, across: Any):
    """The part of a larger scene that a camera sees after a move."""
    top, left = 40 + down, 40 + across
    return scene[top : top + SIZE[0], left : left + SIZE[1]]


def scores(now: Any, other: Any):
    """Measures of a frame, against another one and by itself, by name."""
    mine = still(now)
    found = [*against(mine, still(other)), *alone(mine)]
    return dict(zip((*AGAINST, *ALONE), found, strict=True))


@pytest.mark.parametrize("move", [(0, 0), (4, -6), (-10, 22), (2, 30)])
def test_motion_is_found_and_leaves_little(move: Any):
    scene = texture(size=(SIZE[0] + 80, SIZE[1] + 80))
    now, other = (still(shifted(scene, *at)) for at in ((0, 0), move))
    motion = search(now.luma[1:], other.luma[1:])
    rows, columns = np.divmod(motion.index, SIZE[1] // 2)
    inner = (slice(20, -20), slice(20, -20))
    down = (rows - np.arange(SIZE[0] // 2)[:, None])[inner]
    across = (columns - np.arange(SIZE[1] // 2))[inner]
    # The camera's move is the content's the other way round, here in samples of two pixels.
    assert (np.median(down), np.median(across)) == (-move[0] / 2, -move[1] / 2)
    apart = np.abs(now.luma[1] - other.luma[1])[inner].mean()
    left = np.abs(now.luma[1] - motion.moved(other.luma[1]))[inner].mean()
    assert left <= apart / 4


def test_what_moves_on_is_predicted_and_what_is_set_in_is_not():
    scene = texture(size=(SIZE[0] + 80, SIZE[1] + 80))
    before, now = (shifted(scene, 2 * k, 6 * k) for k in range(2))
    clean = scores(now, before)
    broken = now.copy()
    broken[64:96, 128:192] = texture(9)[:32, :64]
    found = scores(broken, before)
    hit = (slice(17, 23), slice(33, 47))
    for name in ("excess", "residual"):
        assert found[name][hit].mean() > 1.5 * clean[name][5:-5, 5:-5].mean()
    assert found["unlike motion"][hit].mean() > 2 * clean["unlike motion"].mean()
    # Elsewhere nothing has changed.
    assert np.abs(found["excess"] - clean["excess"])[30:40].max() < 0.5


def test_frames_that_repeat_leave_nothing():
    now = texture()
    found = scores(now, now)
    for name in ("change", "residual", "excess", "unlike motion"):
        assert not found[name].any()


def test_a_border_in_one_place_is_a_seam_and_a_ramp_is_none():
    flat = np.full((*SIZE, 3), 100, np.uint8)
    flat[:, 162:] = 140
    found = scores(flat, flat)["seams across"]
    # Two steps beside it of nothing: all 40 codes stand out.
    assert np.expm1(found[:, 40]).mean() == pytest.approx(40, abs=1)
    ramp = np.repeat((np.arange(SIZE[1]) * 0.75).astype(np.uint8)[None], SIZE[0], 0)
    ramp = np.repeat(ramp[..., None], 3, axis=2)
    assert np.expm1(scores(ramp, ramp)["seams across"]).max() < 1.5


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (63, 50), (362, 204)])
def test_any_size_is_measured(size: Any):
    now = texture(2, size)
    for found in scores(now, now).values():
        assert found.shape == tuple(-(-side // 4) for side in size)
        assert np.isfinite(found).all()


def test_halving_is_the_mean_of_squares():
    plane = np.array([[0, 4, 8, 8], [4, 8, 8, 8]], np.int16)
    assert halved(plane).tolist() == [[4, 8]]
