"""The small heads of block corruption: examples, what they learn, and where they are put."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from defectscope.detectors.block_corruption.blocks import FEATURES, NAMES, Blocks
from defectscope.detectors.block_corruption.heads import load_heads
from defectscope.engine.artifacts import artifact_folder
from defectscope.errors import EXIT_OK, InvalidParameterError, MediaNotFoundError
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.effects.damage_mask import DAMAGED, LABEL_PX
from defectscope.simulate.synthetic.material import Footage
from defectscope.training.block_corruption import (
    heads_training,
    map_training,
    onset_examples,
    onset_training,
)
from defectscope.training.block_corruption.clips import Coding
from defectscope.training.block_corruption.grey_slices import GREY_SLICES, with_grey_slices
from defectscope.training.block_corruption.onset_examples import Look
from defectscope.training.block_corruption.onset_training import Example, label_of
from defectscope.training.block_corruption.sources import excerpt
from defectscope.training.cli import main
from defectscope.training.contract import Recording
from defectscope.training.corpora import own_folder, recordings

pytestmark = pytest.mark.long

SIZE = (8, 12)
RESIDUAL = NAMES.index("residual, over the frame's")


def look(rng: Any, new: Any = 0.0, *, before: Any = 0.0, way: Any = 0):
    """A look in which new damage leaves a residual, over features that tell nothing."""
    features = rng.normal(0, 1, (*SIZE, FEATURES)).astype(np.float32)
    damaged, other = np.zeros(SIZE, np.float32), np.full(SIZE, before, np.float32)
    count = round(new * damaged.size)
    damaged.reshape(-1)[:count] = 1
    features[..., RESIDUAL] += 4 * damaged
    damaged = np.maximum(damaged, before)
    areas = float(damaged.mean()), before
    return Look(Blocks(features), damaged, other, damaged, (0.0, 0.0), areas, areas, way)


def examples(count: int, seed: int, recordings: int = 12) -> list[Example]:
    rng = np.random.default_rng(seed)
    out: list[Example] = []
    for k in range(count):
        new = 0.1 if k % 2 else 0.0
        pair = look(rng, new), look(rng, way=1)
        for own, other in (pair, pair[::-1]):
            out.append(Example(own, other, label_of(own), f"r{k % recordings}", {}))
    return out


def test_what_is_new_is_told_from_what_goes_on_and_what_is_uncertain():
    rng = np.random.default_rng(0)
    assert label_of(look(rng)) == 0
    assert label_of(look(rng, 0.1)) == 1
    assert label_of(look(rng, before=0.3)) == 0
    assert label_of(look(rng, 0.5, before=0.3)) == 1
    faint = look(rng, 0.1)
    assert label_of(Look(faint.blocks, faint.damaged, faint.damaged * 0.97, faint.touched, (0, 0),
                         (0.1, 0.097), (0.1, 0.1), 0)) is None  # fmt: skip


def test_a_head_learns_what_new_damage_leaves_on_recordings_it_never_saw():
    head, _ = onset_training.learn(examples(120, 1), seed=1)
    fresh = examples(40, 2)
    said = [head.of_frame(row) for row in onset_training.described(head.layer, fresh)]
    labels = np.array([each.label for each in fresh])
    assert min(np.array(said)[labels == 1]) > max(np.array(said)[labels == 0])
    again, _ = onset_training.learn(examples(120, 1), seed=1)
    np.testing.assert_array_equal(head.frame_weights, again.frame_weights)
    np.testing.assert_array_equal(head.layer.inner, again.layer.inner)


def test_the_map_learns_where_damage_is_and_from_which_probability_on():
    head = map_training.learn_map([e.look for e in examples(120, 1)], seed=1)
    fresh = [e.look for e in examples(40, 2)]
    for each in fresh:
        said = head.of_blocks(each.blocks)
        assert ((said > 0) == (each.damaged > 0)).mean() > 0.9
    threshold = map_training.best_threshold(head, fresh)
    assert 0.1 <= threshold <= 0.6
    # Blocks that say nothing: the lowest threshold misses no damage, and there is nothing else.
    nothing_new = [look(np.random.default_rng(3))]
    assert map_training.best_threshold(head, nothing_new) == 0.5


KINDS = ("uniform", "flash")


def runtime(rgb: Any, previous: Any):
    """A network that sees nothing."""
    cells = (2, -(-rgb.shape[0] // 32), -(-rgb.shape[1] // 32))
    return np.full(cells, 0.1, np.float32), np.array([0.5, -0.5], np.float32)


@pytest.fixture
def stills(tmp_path: Any):
    folder = tmp_path / "recordings"
    folder.mkdir()
    rng = np.random.default_rng(4)
    for k in range(2):
        coarse = rng.integers(0, 255, (24, 40, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((960, 576)).save(folder / f"{k}.png")
    return [Recording(f, "own", f.name, f.stem, "train") for f in sorted(folder.glob("*.png"))]


def test_examples_are_pairs_both_ways_with_their_labels(stills: Any, tmp_path: Any):
    numbers = [n for n in range(60)
               if onset_examples.plan_of(stills, n, 1).generator in KINDS]  # fmt: skip
    plans = [onset_examples.plan_of(stills, n, 1) for n in numbers]
    kinds = {}
    for plan in plans:
        path = tmp_path / f"{plan.number}.npz"
        if plan.generator in kinds or not onset_examples.make(plan, runtime, path):
            continue
        about, looks = onset_examples.read(path)
        kinds[plan.generator] = looks
        assert about["generator"] == plan.generator
        for forth, back in zip(looks[::2], looks[1::2], strict=True):
            assert (forth.way, back.way) == (0, 1)
            assert forth.logits == back.logits[::-1] == (0.5, -0.5)
            assert forth.areas == back.areas[::-1]
            np.testing.assert_array_equal(forth.damaged, back.other_damaged)
    assert all(each.is_clean for each in kinds["flash"])
    new = [each for each in kinds["uniform"] if label_of(each) == 1]
    assert new
    for each in new:
        change = each.blocks.features[..., NAMES.index("change")]
        hit = (each.damaged > 0.9) & (each.other_damaged == 0)
        assert change[hit].mean() > change[each.damaged == 0].mean()


def test_slices_fade_to_grey_within_their_span_alone(stills: Any):
    frames = excerpt(stills[0].path, 20, (288, 512), np.random.default_rng(0))
    made = with_grey_slices(frames, Coding("mpeg2video"), (6, 14), np.random.default_rng(3))
    assert made.intact is not None
    assert len(made.frames) == len(made.intact) == 20
    towards_grey = []
    for index, (seen, intact, mask) in enumerate(
        zip(made.frames, made.intact, made.masks, strict=True)
    ):
        changed = seen[0] != intact[0]
        if not 6 <= index < 14:
            assert not changed.any()
            assert not mask.any()
            continue
        assert (mask == DAMAGED).any()
        # Whole blocks are lost: what changed lies where the labels say that something differs.
        shown = mask.repeat(LABEL_PX, axis=0).repeat(LABEL_PX, axis=1) == DAMAGED
        towards_grey.append(seen[0][shown].std() < 0.95 * intact[0][shown].std())
    assert np.mean(towards_grey) > 0.5


def test_grey_slices_are_among_the_ways_of_the_head(stills: Any):
    plans = [onset_examples.plan_of(stills, n, 3) for n in range(80)]
    grey = [plan for plan in plans if plan.generator == GREY_SLICES]
    assert grey
    assert all(plan.codec for plan in grey)


def test_the_head_learns_on_what_the_network_did_not_learn_from(tmp_path: Any, monkeypatch: Any):
    footage = Footage(seed=1, width=64, height=48, rate=Fraction(25), frames=3, cuts_s=())
    for number in range(12):
        path = tmp_path / f"{number:02d}.mp4"
        write_clip(path, frames=footage, video=VideoEncoding(64, 48, Fraction(25)))
    Image.new("RGB", (64, 48)).save(tmp_path / "still.png")
    sources = [own_folder(tmp_path)]
    split = {r.path.name: r.split for r in recordings(sources, {".mp4", ".png"}, seed=1)}
    names = sorted(r.path.name for r in heads_training.unlearned(sources))
    held = sorted(name for name, part in split.items() if part != "train" and "mp4" in name)
    assert names == held
    assert 2 <= len(names) < 12


def test_clean_twins_and_hard_negatives_are_among_them(stills: Any):
    kinds = [onset_examples.plan_of(stills, n, 3).generator for n in range(80)]
    assert sum(kind in onset_examples.HARD_NEGATIVES for kind in kinds) == 20
    codecs = {onset_examples.plan_of(stills, n, 3).codec for n in range(80)}
    assert {"libx264", "libx265", "mpeg2video", "mpeg4"} <= codecs


def nothing(*_: Any) -> list[Any]:
    return []


def given(count: int) -> Any:
    def made(_: Any) -> list[Example]:
        return examples(count, 5)

    return made


def test_the_verb_writes_the_head_that_the_detector_then_uses(tmp_path: Any, monkeypatch: Any):
    folder = tmp_path / "own" / "block_corruption"
    shutil.copytree(artifact_folder("block_corruption"), folder)
    monkeypatch.setenv("DEFECTSCOPE_ARTIFACTS", str(folder.parent))
    before = json.loads((folder / "detector.json").read_text())
    monkeypatch.setattr(heads_training, "unlearned", nothing)
    monkeypatch.setattr(heads_training, "make_examples", nothing)
    monkeypatch.setattr(heads_training, "read_examples", given(60))
    arguments = ["heads", "block_corruption", "--folder", str(tmp_path), "--work", str(tmp_path)]
    assert main(arguments) == EXIT_OK
    document = json.loads((folder / "detector.json").read_text())
    assert document["heads"]["sha256"] != before["heads"]["sha256"]
    assert document["heads"]["beginnings"] == 30
    found = load_heads(folder, document)
    assert found.map.mean.shape == found.onset.layer.mean.shape == (FEATURES,)
    assert 0.1 <= document["thresholds"].pop("cell") <= 0.6
    del before["thresholds"]["cell"]
    del document["heads"], before["heads"]
    assert document == before
    monkeypatch.setattr(heads_training, "read_examples", given(4))
    assert main(arguments) == InvalidParameterError.exit_code


def test_without_recordings_it_says_so(tmp_path: Any, capsys: Any):
    arguments = ["heads", "block_corruption", "--work", str(tmp_path / "w"), "--folder"]
    assert main([*arguments, str(tmp_path / "none")]) == MediaNotFoundError.exit_code
    assert main([*arguments, str(tmp_path)]) == MediaNotFoundError.exit_code
    assert "no usable recording" in capsys.readouterr().err
    Image.new("RGB", (64, 48)).save(tmp_path / "still.png")
    assert main([*arguments, str(tmp_path)]) == InvalidParameterError.exit_code
    assert "two videos" in capsys.readouterr().err
