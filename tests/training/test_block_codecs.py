"""Clips of block corruption whose streams are of AV1, VP9 and other codecs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from defectscope.simulate.effects.bitstream_damage import Harm
from defectscope.simulate.effects.damage_mask import DAMAGED
from defectscope.training.block_corruption import examples, onset_examples
from defectscope.training.block_corruption.clips import Coding, broken
from defectscope.training.block_corruption.recipe import BlockCorruptionRecipe
from defectscope.training.block_corruption.settings import BlockCorruptionSettings
from defectscope.training.block_corruption.sources import excerpt
from defectscope.training.contract import Recording, Split

NOTHING = examples.LeftOut("nothing", "nothing", "nothing")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def recordings(folder: Path) -> list[Recording]:
    rng = np.random.default_rng(4)
    found: list[Recording] = []
    for split in SPLITS:
        path = folder / f"{split}.png"
        coarse = rng.integers(0, 255, (24, 40, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((960, 576)).save(path)
        found.append(Recording(path, "own", path.name, path.stem, split))
    return found


def test_every_codec_is_drawn_and_what_is_left_out_is_not() -> None:
    rng = np.random.default_rng(1)
    drawn = {examples.choose_other("train", NOTHING, rng) for _ in range(300)}
    assert {codec for _, codec, _ in drawn} | set(examples.CODECS) == set(examples.EVERY_CODEC)
    left = examples.LeftOut("byte_noise", "libsvtav1", "nothing")
    fewer = {examples.choose_other("train", left, rng) for _ in range(300)}
    assert {(g, c) for g, c, _ in fewer} == {
        (g, c) for g, c, _ in drawn if g != "byte_noise" and c != "libsvtav1"
    }
    tested = {examples.choose_other("test", left, rng) for _ in range(300)}
    assert tested == drawn


def test_more_clips_of_other_codecs_leave_the_first_ones_as_they_were(tmp_path: Path) -> None:
    found = recordings(tmp_path)
    few, more = (
        BlockCorruptionRecipe(
            BlockCorruptionSettings(still_clips=2, frames=24, other_codec_clips=count)
        ).jobs(found, 1)
        for count in (0, 3)
    )
    assert {job.key for job in few} < {job.key for job in more}
    assert len(more) == len(few) + 3 * len(found)
    extra = [job for job in more if job.key not in {job.key for job in few}]
    items = [item for job in extra[:4] for item in job.make()]
    assert {item.facts["codec"] for item in items} <= set(examples.EVERY_CODEC[3:])
    assert any((item.arrays["mask"] == DAMAGED).any() for item in items)


def test_a_frame_that_a_decoder_repeats_is_late_and_not_damaged_by_it(tmp_path: Path) -> None:
    path = recordings(tmp_path)[0].path
    frames = excerpt(path, 30, (288, 512), np.random.default_rng(2))
    harm = Harm("packet_loss", 0.12, 2.0)
    coding = Coding("libsvtav1", bits_per_px=0.2, gop_frames=30)
    made = broken(frames, coding, harm, "motion", (1, 29), np.random.default_rng(2))
    repeated = [k for k in range(1, 30) if np.array_equal(made.frames[k][0], made.frames[k - 1][0])]
    assert repeated
    for k in repeated:
        np.testing.assert_array_equal(made.masks[k], made.masks[k - 1])


def test_heads_learn_from_the_codecs_of_the_released_ones(tmp_path: Path) -> None:
    found = recordings(tmp_path)
    codecs = {onset_examples.plan_of(found, n, 3).codec for n in range(200)}
    assert codecs == {"", "libx264", "libx265", "mpeg2video", "mpeg4"}
