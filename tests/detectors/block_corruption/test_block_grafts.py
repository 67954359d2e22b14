"""Damage made for training: taken from other pairs, or filled in as decoders do."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED, UNSURE
from defectscope.training.block_corruption.grafts import (
    FILLS,
    damaged_blocks,
    filled,
    grafted,
    lost,
)
from defectscope.training.block_corruption.pairs import Raw, refilled, transplanted

SIDE, BLOCKS = 64, 8


def flat(code):
    """A frame of one code everywhere, 4:2:0."""
    return (
        np.full((SIDE, SIDE), code, np.uint8),
        np.full((SIDE // 2, SIDE // 2), 128, np.uint8),
        np.full((SIDE // 2, SIDE // 2), 128, np.uint8),
    )


def slope():
    """A frame that brightens downwards, so that what is drawn on through it shows."""
    luma, u, v = flat(0)
    return luma + np.arange(40, 40 + 2 * SIDE, 2, dtype=np.uint8)[:, None], u, v


def pair(code, mask=None):
    yuv = np.concatenate([flat(code)[0], np.full((SIDE // 2, SIDE), 128, np.uint8)])
    empty = np.zeros((2, BLOCKS, BLOCKS), np.uint8)
    return Raw(np.stack([yuv, yuv]), empty if mask is None else mask)


def test_a_graft_takes_the_blocks_of_the_donor_and_no_others():
    blocks = np.zeros((BLOCKS, BLOCKS), bool)
    blocks[2, 1:3] = True
    luma, u, _ = grafted(flat(50), flat(200), blocks, mirrored=False)
    assert (luma[16:24, 8:24] == 200).all()
    assert (luma == 200).sum() == 2 * 64
    assert (u == 128).all()
    mirrored, *_ = grafted(flat(50), flat(200), blocks, mirrored=True)
    assert (mirrored[16:24, 40:56] == 200).all()


def test_what_is_taken_is_damaged_or_adjoins_damage():
    mask = np.zeros((BLOCKS, BLOCKS), np.uint8)
    mask[3, 3], mask[3, 4], mask[7, 7] = DAMAGED, UNSURE, UNSURE
    for seed in range(20):
        taken = damaged_blocks(mask, np.random.default_rng(seed))
        assert taken[3, 3]
        assert not taken[7, 7]
        assert not taken[0].any()
    assert not damaged_blocks(np.full_like(mask, CLEAN), np.random.default_rng(0)).any()


def test_a_transplant_is_labelled_where_it_shows():
    mask = np.zeros((2, BLOCKS, BLOCKS), np.uint8)
    mask[0, 2:4, 2:4] = DAMAGED
    shows = transplanted(pair(60), pair(160, mask), np.random.default_rng(1))
    assert (shows.mask[0] == DAMAGED).sum() == 4
    assert not shows.mask[1].any()
    # The same damage in a frame that looks like it is no damage to anybody.
    made = transplanted(pair(160), pair(160, mask), np.random.default_rng(1))
    assert not made.mask.any()


@pytest.mark.parametrize("fill", FILLS)
def test_lost_blocks_are_filled_and_the_others_left_alone(fill):
    blocks = np.zeros((BLOCKS, BLOCKS), bool)
    blocks[4:6] = True
    seen = filled(slope(), blocks, fill, 16, np.random.default_rng(4))
    changed = [now != before for now, before in zip(seen, slope(), strict=True)]
    assert changed[1 if fill == "colour" else 0].any()
    assert not changed[0][:32].any()
    assert not changed[0][48:].any()


def test_smears_draw_the_last_row_on():
    blocks = np.zeros((BLOCKS, BLOCKS), bool)
    blocks[4:6] = True
    down = next(
        luma
        for luma, *_ in (
            filled(slope(), blocks, "smeared", 16, np.random.default_rng(seed))
            for seed in range(20)
        )
        if (luma[32:48] != slope()[0][32:48]).any()
    )
    assert (down[32:48] == down[31]).all()


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_about_as_much_is_lost_as_was_asked_for(share):
    for seed in range(10):
        blocks = lost(SIDE, 16, share, np.random.default_rng(seed))
        assert blocks.shape == (BLOCKS, BLOCKS)
        assert blocks.mean() >= min(share, 1 / 16) - 1e-9
        # Whole coding blocks: two blocks of eight a side.
        halves = blocks.reshape(4, 2, 4, 2)
        assert (halves.any(axis=(1, 3)) == halves.all(axis=(1, 3))).all()


def test_refilled_pairs_begin_end_and_keep_damage():
    rng = np.random.default_rng(0)
    texture = rng.integers(60, 190, (SIDE // 4, SIDE // 4)).astype(np.uint8)
    luma = np.kron(texture, np.ones((4, 4), np.uint8))
    yuv = np.concatenate([luma, np.full((SIDE // 2, SIDE), 128, np.uint8)])
    raw = Raw(np.stack([yuv, yuv]), np.zeros((2, BLOCKS, BLOCKS), np.uint8))
    runs = set()
    for seed in range(60):
        made = refilled(raw, np.random.default_rng(seed))
        runs.add(tuple((made.mask == DAMAGED).any(axis=(1, 2)).tolist()))
    assert {(True, False), (False, True), (True, True)} <= runs
