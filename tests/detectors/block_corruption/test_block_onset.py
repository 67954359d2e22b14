"""The small head: what it is told of two frames, and what it says of damage that comes and goes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from defectscope.detectors import load
from defectscope.detectors.block_corruption.blocks import FEATURES, NAMES, both_ways
from defectscope.detectors.block_corruption.measures import still
from defectscope.detectors.block_corruption.onset import load_onset
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
    """What the head says of two frames, told what the network says of them."""
    detector = released()
    return detector.onset(now, before, *detector.runtime(now, before))


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
    scores = released().onset.of_blocks(forth)
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
    load_onset(folder, artifact)
    with pytest.raises(ArtifactError, match="names no onset"):
        load_onset(folder, {})
    foreign = {"onset": dict(artifact["weights"])}
    with pytest.raises(ArtifactError, match="does not fit"):
        load_onset(folder, foreign)
    file = folder / artifact["onset"]["file"]
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactError, match="not the expected file"):
        load_onset(folder, artifact)
    file.unlink()
    with pytest.raises(ArtifactError, match="missing"):
        load_onset(folder, artifact)


def test_a_head_keeps_its_tensors():
    head = released().onset
    assert set(head.tensors()) == {field.name for field in dataclasses.fields(head)}
