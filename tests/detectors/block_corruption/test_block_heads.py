"""The small heads: what they are told of two frames, and what they say of damage in these."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from scipy import ndimage

from defectscope.detectors import load
from defectscope.detectors.block_corruption.blocks import FEATURES, NAMES, both_ways
from defectscope.detectors.block_corruption.cell_map import cell_map
from defectscope.detectors.block_corruption.heads import load_heads
from defectscope.detectors.block_corruption.measures import still
from defectscope.engine.artifacts import artifact_folder
from defectscope.errors import ArtifactError

SIZE = (192, 320)


def released() -> Any:
    return load("block_corruption")


def scene(seed: Any = 3):
    rng = np.random.default_rng(seed)
    field = np.full((*SIZE, 3), 120.0)
    for sigma in (2, 9):
        part = ndimage.gaussian_filter(rng.normal(0, 1, (*SIZE, 3)), (sigma, sigma, 0))
        field += part * 22 / part.std()
    return field.clip(0, 255).astype(np.uint8)


def unseen(size: Any = SIZE):
    """A map that has nothing to say."""
    return np.full((2, -(-size[0] // 32), -(-size[1] // 32)), 0.1, np.float32)


def with_blocks(rgb: Any):
    out = rgb.copy()
    out[64:128, 96:240] = scene(8)[:64, :144]
    out[96:128, 160:224] = (0, 150, 0)
    return out


def said(now: Any, before: Any) -> Any:
    """What begins and what ends between two frames, told what the network says of them."""
    return looked(now, before)[1]


def looked(now: Any, before: Any) -> Any:
    detector = released()
    return detector.heads(now, before, *detector.runtime(now, before))


def test_what_begins_one_way_ends_the_other():
    clean = scene()
    broken = with_blocks(clean)
    begins, ends = said(broken, clean)
    assert begins > max(0, ends + 3)
    begins, ends = said(clean, broken)
    assert ends > max(0, begins + 3)


def test_where_is_told_by_the_frames_alone():
    clean = scene()
    forth, _ = both_ways(still(with_blocks(clean)), still(clean), unseen())
    scores = released().heads.onset.layer.of_blocks(forth)
    hit = np.zeros(scores.shape, bool)
    hit[4:8, 6:15] = True
    assert np.median(scores[hit]) > scores[~hit].max() + 1
    assert np.median(scores[hit]) > np.median(scores[~hit]) + 2


def test_what_stays_and_what_moves_on_is_no_step():
    clean = scene()
    broken = with_blocks(clean)
    begins, _ = said(broken, clean)
    for now, before in ((clean, clean), (broken, broken), (np.roll(clean, 4, 1), clean)):
        assert said(now, before).max() < min(0.0, begins - 3)


def test_features_are_of_blocks_and_cells_of_the_map_lie_on_them():
    cells = unseen()
    cells[0, 2, 3] = 0.9
    forth, back = both_ways(still(scene()), still(scene(4)), cells)
    assert forth.features.shape == (12, 20, FEATURES)
    seen = np.argwhere(forth.features[..., NAMES.index("map")] > 0)
    assert seen.tolist() == [[4, 6], [4, 7], [5, 6], [5, 7]]
    np.testing.assert_array_equal(
        forth.features[..., NAMES.index("map")], back.features[..., NAMES.index("other map")]
    )


@pytest.mark.parametrize("size", [(1, 1), (17, 90), (362, 204)])
def test_any_size_is_judged(size: Any):
    now = np.full((*size, 3), 90, np.uint8)
    assert np.isfinite(said(now, now)).all()


def test_a_head_that_is_missing_changed_or_foreign_is_refused(tmp_path: Any):
    folder = tmp_path / "block_corruption"
    shutil.copytree(artifact_folder("block_corruption"), folder)
    artifact = json.loads((folder / "detector.json").read_text())
    load_heads(folder, artifact)
    with pytest.raises(ArtifactError, match="names no heads"):
        load_heads(folder, {})
    foreign = {"heads": dict(artifact["weights"])}
    with pytest.raises(ArtifactError, match="does not fit"):
        load_heads(folder, foreign)
    file = folder / artifact["heads"]["file"]
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactError, match="not the expected file"):
        load_heads(folder, artifact)
    file.unlink()
    with pytest.raises(ArtifactError, match="missing"):
        load_heads(folder, artifact)


def test_heads_keep_their_tensors():
    heads = released().heads
    tensors = heads.tensors()
    file = artifact_folder("block_corruption") / released().tuned.artifact["heads"]["file"]
    kept = safetensors.numpy.load(file.read_bytes())
    assert set(kept) == set(tensors)
    for name, tensor in kept.items():
        np.testing.assert_array_equal(tensor, tensors[name])


def test_the_map_lies_on_what_is_damaged_in_either_frame():
    clean = scene()
    broken = with_blocks(clean)
    (now, before), _ = looked(broken, clean)
    hit = np.zeros(now.shape, bool)
    hit[2:4, 3:7] = True
    cell = released().tuned.thresholds["cell"]
    assert (now[hit] >= cell).all()
    assert (now[~hit] < cell).mean() > 0.9
    assert before[hit].max() < now[hit].min()
    # What stays is still there, and the other order maps the other frame.
    (_, second), _ = looked(clean, broken)
    assert (second[hit] >= cell).all()


@pytest.mark.parametrize("size", [(1, 1), (17, 90), (362, 204)])
def test_the_map_has_a_cell_for_every_32_pixels(size: Any):
    still_frame = np.full((*size, 3), 90, np.uint8)
    maps, _ = looked(still_frame, still_frame)
    assert maps.shape == (2, -(-size[0] // 32), -(-size[1] // 32))
    assert maps.dtype == np.float32
    assert ((maps >= 0) & (maps <= 1)).all()


def test_cells_are_means_of_their_blocks_and_the_border_is_filled_up():
    odds = np.full((3, 5), -20.0, np.float32)
    odds[0, 0] = odds[2, 4] = 20.0
    cells = cell_map(odds, (2, 3))
    np.testing.assert_allclose(cells, [[0.25, 0, 0], [0, 0, 1]], atol=1e-6)
