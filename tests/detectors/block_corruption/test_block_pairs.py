"""Training pairs: cut out of cached ones, dressed up, and labelled as what they became."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from defectscope.detectors.block_corruption.backbone import Backbone
from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED, UNSURE
from defectscope.training.block_corruption import initialization as block_start
from defectscope.training.block_corruption.pairs import (
    Raw,
    damaged,
    drawn,
    dressed,
    relabelled,
    to_rgb,
    unpacked,
    varied,
)

SIDE, BLOCKS = 64, 8


def smooth(seed):
    """A clean pair: a soft frame that stands still."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 190, (SIDE // 16, SIDE // 16)).astype(np.float32)
    luma = np.kron(coarse, np.ones((16, 16)))
    chroma = np.full((SIDE // 2, SIDE), 128.0)
    yuv = np.concatenate([luma, chroma]).astype(np.uint8)
    return Raw(np.stack([yuv, yuv]), np.zeros((2, BLOCKS, BLOCKS), np.uint8))


@pytest.mark.parametrize("seed", range(12))
def test_drawn_damage_is_labelled_where_the_frame_changed_and_nowhere_else(seed):
    raw = smooth(seed)
    made = damaged(raw, np.random.default_rng(seed))
    for k in range(2):
        changed = made.planes(k)[0] != raw.planes(k)[0]
        for plane in (1, 2):
            apart = made.planes(k)[plane] != raw.planes(k)[plane]
            changed |= apart.repeat(2, axis=0).repeat(2, axis=1)
        blocks = changed.reshape(BLOCKS, 8, BLOCKS, 8).any(axis=(1, 3))
        assert not (made.mask[k] != CLEAN)[~blocks].any()
    assert not (raw.mask != CLEAN).any()


def test_damage_is_drawn_on_this_frame_the_one_before_or_both():
    runs = set()
    for seed in range(40):
        made = damaged(smooth(seed), np.random.default_rng(seed))
        runs.add(tuple((made.mask == DAMAGED).any(axis=(1, 2)).tolist()))
    assert {(True, False), (False, True), (True, True)} <= runs


def test_what_is_harmless_changes_the_frame_and_is_labelled_clean():
    changed = 0
    for seed in range(20):
        raw = smooth(seed)
        made = dressed(raw, smooth(seed + 100), np.random.default_rng(seed))
        assert made.yuv.shape == raw.yuv.shape
        assert not made.mask.any()
        changed += bool((made.yuv != raw.yuv).any())
    assert changed >= 15


def test_labels_follow_frames_that_are_scaled_and_cropped():
    mask = np.zeros((2, BLOCKS, BLOCKS), np.uint8)
    mask[0, 4:, 4:] = DAMAGED
    half = relabelled(mask, 2.0, 0, 0, 32)
    assert half[0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]]
    assert not half[1].any()
    # A crop that begins in the middle of a block has it as a whole where half of it is in.
    shifted = relabelled(mask, 1.0, 28, 28, 16)
    assert shifted[0].tolist() == [[UNSURE, DAMAGED], [DAMAGED, DAMAGED]]
    assert relabelled(mask, 1.0, 32, 32, 16)[0].tolist() == [[DAMAGED] * 2] * 2


def test_drawn_pairs_are_crops_of_the_pair_with_time_perhaps_turned_back():
    raw = smooth(1)
    bright = raw.yuv.copy()
    bright[0, :SIDE] = 235
    mask = np.zeros((2, BLOCKS, BLOCKS), np.uint8)
    mask[0] = DAMAGED
    seen = set()
    for seed in range(60):
        rgb, labels = drawn(Raw(bright, mask), 32, 0.75, np.random.default_rng(seed))
        assert rgb.shape == (2, 3, 32, 32)
        white = tuple(bool((rgb[k].astype(int) > 250).all()) for k in range(2))
        # Where the frame is, its labels are.
        assert tuple(bool((labels[k] == DAMAGED).all()) for k in range(2)) == white
        seen.add(white)
    assert {(True, False), (False, True), (True, True)} <= seen


def test_both_frames_of_a_pair_are_varied_alike():
    raw = smooth(3)
    rgb = to_rgb(torch.from_numpy(unpacked(raw.yuv)).float()).round().to(torch.uint8).numpy()
    for seed in range(8):
        out = varied(rgb, np.random.default_rng(seed), coded=seed % 2 == 0)
        assert (out[0] == out[1]).all()


def test_video_black_and_white_are_black_and_white():
    yuv = torch.tensor([[16.0, 235.0], [128.0, 128.0], [128.0, 128.0]]).reshape(3, 1, 2)
    assert to_rgb(yuv)[:, 0].T.tolist() == [[0, 0, 0], [255, 255, 255]]


def foreign(backbone):
    """The backbone's weights as the package with ImageNet's names them."""
    out = {}
    blocks = list(dict.fromkeys(k.split(".layers")[0] for k in backbone if "layers" in k))
    for name, value in backbone.items():
        if name.startswith("stem."):
            _, layer, field = name.split(".")
            out[f"{('_conv_stem', '_bn0')[int(layer)]}.{field}"] = value
            continue
        place, rest = name.split(".layers.")
        at, field = rest.split(".")
        narrow = f"{place}.layers.6.weight" not in backbone
        kind = {0: "_expand_conv", 1: "_bn0", 3: "_depthwise_conv", 4: "_bn1",
                6: "_project_conv", 7: "_bn2"}[int(at) + 3 * narrow]  # fmt: skip
        out[f"_blocks.{blocks.index(place)}.{kind}.{field}"] = value
    return out


def test_training_begins_with_imagenets_features_and_earlier_seams(tmp_path):
    torch.manual_seed(4)
    own = Backbone().state_dict()
    torch.save({**foreign(own), "_fc.bias": torch.zeros(3)}, tmp_path / "imagenet.pth")
    out = tmp_path / "start.safetensors"
    assert block_start.main([str(tmp_path / "imagenet.pth"), str(out)]) == 0
    found = load_file(out)
    assert found.keys() == {f"backbone.{k}" for k in own}
    for name, value in own.items():
        assert torch.equal(found[f"backbone.{name}"], value)


def test_another_network_is_refused():
    with pytest.raises(KeyError):
        block_start.renamed({"conv1.weight": torch.zeros(3)})
