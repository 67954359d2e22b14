"""Frames made up of crops, for the decision to learn on."""

from __future__ import annotations

import pytest
import torch

from defectscope.detectors.block_corruption.network import BlockNet
from defectscope.training.block_corruption.loss import apart, joint, side_by_side


def test_frames_are_clean_ones_alone_or_one_damaged_crop_among_clean_ones():
    torch.manual_seed(1)
    hit = torch.zeros(12, 2)
    hit[[2, 5, 7], [0, 1, 0]] = 1
    sure = torch.ones(12, 2)
    sure[9] = 0
    rows = joint(12, hit, sure)
    damaged = hit.amax(dim=1)[rows].sum(dim=1)
    assert sorted(damaged.tolist()) == [0.0] * 8 + [1.0] * 3
    # What may or may not be damaged is no part of a frame that has to be clean.
    assert 9 not in rows.flatten().tolist()


def test_without_enough_clean_crops_each_is_a_frame():
    assert joint(3, torch.ones(3, 2), torch.ones(3, 2)).tolist() == [[0], [1], [2]]


def test_crops_stand_side_by_side():
    maps = torch.arange(3.0)[:, None, None, None].expand(3, 2, 4, 5)
    wide = side_by_side(maps, torch.tensor([[2, 0]]))
    assert wide.shape == (1, 2, 4, 10)
    assert (wide[..., :5] == 2).all()
    assert (wide[..., 5:] == 0).all()


def test_a_frame_decides_as_its_crops_do_when_they_are_alike():
    torch.manual_seed(2)
    network = BlockNet(4).eval()
    logits, features = torch.zeros(1, 2, 3, 3), torch.rand(1, 128, 1, 1).expand(1, 128, 3, 3)
    rows = torch.zeros(1, 4, dtype=torch.int64)
    with torch.no_grad():
        crop = network.decided(logits, features)
        frame = network.decided(side_by_side(logits, rows), side_by_side(features, rows))
    assert torch.allclose(crop, frame, atol=1e-5)


def test_content_cancels_in_what_tells_damage_apart():
    """A level that both frames and both versions share costs nothing; a step the wrong way does."""
    hit = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    truth = {"hit": hit, "hit_weight": torch.ones(2, 2), "same": torch.tensor([[0, 1]])}
    right = torch.tensor([[4.0, -4.0], [-4.0, -4.0]])
    low, lifted, wrong = (
        float(apart(decision, truth)) for decision in (right, right + 7, right.flip(1))
    )
    assert lifted == pytest.approx(low)
    assert wrong > low + 4
    alone = {**truth, "same": torch.zeros(0, 2, dtype=torch.long)}
    assert float(apart(right, alone)) < 0.01
