"""The learned painter of block corruption: what it may touch, what it learns, what it refuses."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defectscope.errors import ArtifactError, InvalidParameterError
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import VideoEncoding, Writer
from defectscope.simulate.effects.bitstream_damage import DAMAGES
from defectscope.simulate.effects.damage_mask import DAMAGED
from defectscope.simulate.effects.painter import (
    KINDS,
    Painter,
    codes,
    load_painter,
    paint_planes,
    units,
)
from defectscope.training import cli
from defectscope.training.block_corruption.clips import Made
from defectscope.training.block_corruption.painter_training import (
    PainterPlan,
    recordings_in,
    strength_of,
    train_painter,
    wishes,
    write_painter,
)
from defectscope.training.block_corruption.patches import SIDE_PX, Patches, cut

PLAN = PainterPlan(steps=4, batch=4, width=4)


def frame(seed: int, height: int = 70, width: int = 100) -> list[Any]:
    rng = np.random.default_rng(seed)
    half = (height // 2, width // 2)
    return [rng.integers(16, 235, s, np.uint8) for s in ((height, width), half, half)]


def patches(count: int = 8) -> Patches:
    rng = np.random.default_rng(0)
    intact = rng.integers(16, 235, (count, 2, SIDE_PX * 3 // 2, SIDE_PX), np.uint8)
    masks = np.zeros((count, 2, 8, 8), np.uint8)
    masks[:, :, 2:6, 2:6] = DAMAGED
    shown = intact.copy()
    shown[:, 0, 16:48, 16:48] = 128
    facts = [{"generator": DAMAGES[k % 3], "codec": "", "recording": "r"} for k in range(count)]
    return Patches(shown, intact, masks, facts)


def written(path: Path) -> None:
    """Writes a second of 25 frames that move."""
    encoding = VideoEncoding(96, 64, Fraction(25))
    planes = frame(7, 64, 96)
    with Writer(path, video=encoding) as writer:
        for k in range(25):
            moved = [np.roll(p, k, 1) for p in planes]
            writer.write_frame(
                Frame(k, 1, tuple(Plane(p, p.shape[1], p.shape[0]) for p in moved), 8)
            )


def made_painter() -> Painter:
    torch.manual_seed(3)
    return Painter(4).eval().requires_grad_(False)


def painted(mask: Any, seed: int = 1, **more: Any) -> list[Any]:
    ask = {"kind": "packet_loss", "strength": 24.0} | more
    return paint_planes(made_painter(), frame(1), frame(2), mask, seed=seed, **ask)


def block_mask() -> Any:
    mask = np.zeros((70, 100), np.float32)
    mask[16:32, 64:96] = 1
    return mask


def test_only_the_blocks_asked_for_are_painted() -> None:
    mask, before = block_mask(), frame(1)
    after = painted(mask)
    for k, (old, new) in enumerate(zip(before, after, strict=True)):
        there = (mask if k == 0 else mask[::2, ::2]) > 0
        assert np.array_equal(old[~there], new[~there])
        assert (old[there] != new[there]).mean() > 0.5


def test_nothing_asked_for_changes_nothing_and_blocks_at_the_border_are_painted() -> None:
    for old, new in zip(frame(1), painted(np.zeros((70, 100), np.float32)), strict=True):
        assert np.array_equal(old, new)
    corner = np.zeros((70, 100), np.float32)
    corner[64:70, 96:100] = 1
    assert (painted(corner)[0][64:, 96:] != frame(1)[0][64:, 96:]).any()


def test_a_seed_repeats_itself_and_another_paints_otherwise() -> None:
    mask = block_mask()
    assert np.array_equal(painted(mask)[0], painted(mask)[0])
    assert not np.array_equal(painted(mask)[0], painted(mask, seed=2)[0])


def test_kind_and_strength_are_heard() -> None:
    mask = block_mask()
    assert not np.array_equal(painted(mask)[0], painted(mask, kind="byte_noise")[0])
    assert not np.array_equal(painted(mask)[0], painted(mask, strength=90.0)[0])
    assert set(KINDS) == set(DAMAGES)


def test_units_and_codes_are_each_others_reverse() -> None:
    own = frame(4, 64, 96)
    for old, new in zip(own, codes(units((own[0], own[1], own[2]))), strict=True):
        assert np.array_equal(old, new)


def test_wishes_hold_the_damage_within_the_mask_and_its_strength() -> None:
    own = patches()
    wish, shown = wishes(own)
    assert torch.equal(shown * (1 - wish.mask), wish.intact * (1 - wish.mask))
    apart = np.abs(own.shown[:, 0, 16:48, 16:48].astype(float) - own.intact[:, 0, 16:48, 16:48])
    assert np.allclose(strength_of(shown, wish).numpy() * 64, apart.mean((1, 2)), atol=1e-3)


def test_training_stopped_and_gone_on_ends_as_it_would_have(tmp_path: Path) -> None:
    def said(_: str) -> None: ...

    whole = train_painter(patches(), PLAN, tmp_path / "whole", said)
    half = PainterPlan(steps=2, batch=4, width=4)
    train_painter(patches(), half, tmp_path / "parts", said)
    parts = train_painter(patches(), PLAN, tmp_path / "parts", said)
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, parts.state_dict()[name], atol=1e-6), name
    with pytest.raises(InvalidParameterError, match="another plan"):
        train_painter(
            patches(), PainterPlan(steps=9, batch=4, width=4, seed=2), tmp_path / "parts", said
        )
    with pytest.raises(InvalidParameterError, match="fewer than a batch"):
        train_painter(patches(2), PLAN, tmp_path / "few", said)
    (tmp_path / "parts" / "painter.pt").write_bytes(b"torn")
    with pytest.raises(InvalidParameterError, match="no checkpoint"):
        train_painter(patches(), PLAN, tmp_path / "parts", said)
    with pytest.raises(InvalidParameterError, match="more than nought"):
        PainterPlan(steps=0)


def test_a_painter_is_written_and_read_and_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "painter.safetensors"
    write_painter(made_painter(), file, {"patches": "8"})
    back = load_painter(file)
    for name, value in made_painter().state_dict().items():
        assert torch.allclose(value, back.state_dict()[name], atol=1e-2), name
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ArtifactError, match="not a painter"):
        load_painter(file)
    with pytest.raises(ArtifactError, match="missing"):
        load_painter(tmp_path / "none")


def test_patches_are_cut_around_what_is_damaged() -> None:
    rng = np.random.default_rng(5)
    intact = [tuple(frame(k, 128, 192)) for k in range(4)]
    masks = [np.zeros((16, 24), np.uint8) for _ in range(4)]
    masks[2][4:8, 10:20] = DAMAGED
    made: Any = Made(list(intact), masks, {"generator": "byte_noise", "codec": "x"}, list(intact))
    found = cut(made, rng)
    assert found is not None
    assert len(found) == 8
    assert (found.masks[:, 0] == DAMAGED).any(axis=(1, 2)).all()
    assert not found.masks[:, 1].any()
    assert cut(Made(list(intact), masks[:2] * 2, {}, list(intact)), rng) is None


def test_the_verb_paints_a_video_and_writes_its_truth(tmp_path: Path) -> None:
    moving_video = tmp_path / "clip.mp4"
    written(moving_video)
    painter, out = tmp_path / "painter.safetensors", tmp_path / "out.mp4"
    write_painter(made_painter(), painter, {})
    args = ["paint", "block_corruption", str(moving_video), "--painter", str(painter)]
    assert cli.main([*args, "--out", str(out), "--start", "0.2", "--duration", "0.4"]) == 0
    truth = json.loads(out.with_name("out.mp4.truth.json").read_text())["defects"]
    assert [entry["defect"] for entry in truth] == ["block_corruption"]
    assert truth[0]["start_s"] == pytest.approx(0.2, abs=0.05)
    assert truth[0]["end_s"] == pytest.approx(0.6, abs=0.05)
    assert cli.main([*args, "--out", str(out), "--set", "kind=none_such"]) == 2
    assert cli.main([*args, "--out", str(out), "--start", "99"]) == 2
    assert cli.main([*args[:4], str(tmp_path / "none"), "--out", str(out)]) != 0


def test_the_order_of_recordings_is_that_of_their_names_wherever_they_lie(tmp_path: Any):
    for names in (("z", "a"), ("a", "z")):
        place = tmp_path / "-".join(names)
        for folder, name in zip(names, ("1.mp4", "2.mp4"), strict=True):
            (place / folder).mkdir(parents=True)
            (place / folder / name).touch()
        found = recordings_in([place / folder for folder in names])
        assert [each.path.name for each in found] == ["1.mp4", "2.mp4"]
