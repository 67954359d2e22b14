"""The recipe of audio_artifacts, from recordings to windows, on synthesised recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.media.encoding import AudioEncoding
from defectscope.media.frames import Samples
from defectscope.media.writer import write_clip
from defectscope.simulate.defects import audio_clicks, audio_distortion, audio_hiss, audio_hum
from defectscope.simulate.synthetic.soundscape import music_like
from defectscope.training.audio_artifacts import clips as clips
from defectscope.training.audio_artifacts import units as drawn_units
from defectscope.training.audio_artifacts.audibility import ABSENT, AUDIBLE_DB
from defectscope.training.audio_artifacts.coding import through_codec
from defectscope.training.audio_artifacts.hard_negatives import HARD_NEGATIVES
from defectscope.training.audio_artifacts.measured import of_cache
from defectscope.training.audio_artifacts.units import CLIP_S
from defectscope.training.audio_artifacts.windows import (
    TICKS,
    around,
    families_of,
    sequences,
    truth_of,
    windows,
)
from defectscope.training.cache import Cache
from defectscope.training.contract import Item, Recording, recipe

pytestmark = pytest.mark.long

MODULES = {
    "audio_hum": audio_hum,
    "audio_hiss": audio_hiss,
    "audio_distortion": audio_distortion,
    "audio_clicks": audio_clicks,
}
COUNTS = {"train_clips": "24", "validation_clips": "0", "test_clips": "0", "pieces": "0"}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    folder = tmp_path_factory.mktemp("masters")
    found: list[Recording] = []
    for number, split in enumerate(("train", "validation", "test")):
        path = folder / f"{number}.wav"
        sound = np.ascontiguousarray(music_like(number, 8.0, 44100), np.float32)
        encoding = AudioEncoding(44100, "stereo", "pcm_s16le")
        write_clip(path, runs=[Samples(0, sound)], audio=encoding)
        found.append(Recording(path, "mine", path.name, path.name, split))  # type: ignore[arg-type]
    return found


@pytest.fixture(scope="module")
def units(recordings: list[Recording]) -> dict[str, list[Item]]:
    plan = recipe("audio_artifacts", {**COUNTS, "test_clips": "24"})
    return {job.key: list(job.make()) for job in plan.jobs(recordings, 5)}


@pytest.fixture(scope="module")
def cache(units: dict[str, list[Item]], tmp_path_factory: pytest.TempPathFactory) -> Cache:
    from defectscope.training.contract import PreparationJob

    out = Cache(tmp_path_factory.mktemp("cache"), {})
    out.fill([PreparationJob(k, lambda v=v: iter(v)) for k, v in units.items()], max_bytes=10**9)
    return out


def test_units_hold_what_they_say(units: dict[str, list[Item]]) -> None:
    assert sorted(units) == [
        "programme/mine/1.wav",
        "programme/mine/2.wav",
        "test/00000",
        "train/00000",
    ]
    for item in units["train/00000"]:
        assert item.arrays["mel"].shape == (CLIP_S * 100, spectra.MELS, spectra.MEL_LAYERS)
        assert item.arrays["heard"].shape == (TICKS, len(CLASSES))
        assert all(np.isfinite(a.astype(float)).all() for a in item.arrays.values())
        damaged = {d["defect"] for d in item.facts["damages"]}
        shown = {CLASSES[i] for i in np.flatnonzero((item.arrays["heard"] > ABSENT).any(axis=0))}
        assert shown <= damaged
        assert item.facts["recording"] == "mine/0.wav"
    assert {item.facts["recording"] for item in units["test/00000"]} == {"mine/2.wav"}
    # One codec for all the clips of a unit, impaired or not: it cannot give a class away.
    assert len({item.facts["codec"] for item in units["train/00000"]}) == 1
    assert any(not item.facts["damages"] for item in units["train/00000"])


def test_a_unit_is_made_the_same_again(recordings: list[Recording], units: Any) -> None:
    plan = recipe("audio_artifacts", COUNTS)
    (job,) = [j for j in plan.jobs(recordings, 5) if j.key == "train/00000"]
    for one, two in zip(job.make(), units["train/00000"], strict=True):
        assert one.facts == two.facts
        assert all(np.array_equal(one.arrays[k], two.arrays[k]) for k in one.arrays)


def test_batches_losses_and_scores(cache: Cache) -> None:
    plan = recipe("audio_artifacts")
    torch.manual_seed(1)
    model: Any = plan.build()
    batch = plan.batch(cache, np.random.default_rng(3), 20)
    again = plan.batch(cache, np.random.default_rng(3), 20)
    assert all(torch.equal(batch[k], again[k]) for k in batch)
    assert batch["mel"].shape == (20, spectra.MEL_FRAMES, spectra.MELS, spectra.MEL_LAYERS)
    loss, _ = plan.loss(model, batch)
    assert 0.3 < float(loss.detach()) < 1.8
    loss.backward()  # type: ignore[no-untyped-call]
    assert model.mel[0][0].weight.grad is not None
    assert model.around.joint[-1].weight.grad is not None
    scores = plan.score(model, cache, "test")
    assert 0.0 <= scores["balanced_accuracy"] <= 1.0
    assert plan.score(model, cache, "test") == scores
    (programme,) = of_cache(Scorer(model.eval(), "cpu"), cache, "test")
    # Windows of a second every quarter of one, the last with at least 0.55 s of sound.
    assert len(programme.starts_s) == 30
    assert programme.seconds == 8.0


def test_rarer_families_are_for_training_alone(recordings: list[Recording]) -> None:
    rarer = {name: set(module.RARER) for name, module in MODULES.items()}
    drawn: dict[bool, list[str]] = {}
    for varied in (False, True):
        clips = [drawn_units.render_unit(recordings, [5, unit], varied=varied) for unit in range(3)]
        drawn[varied] = [
            d["family"]
            for clip in clips
            for fact, _, _ in clip
            for d in fact["damages"]
            if d["family"] in rarer[d["defect"]]
        ]
    assert not drawn[False]
    assert len(drawn[True]) > 8


def test_sequences_hold_the_windows_of_a_clip(cache: Cache) -> None:
    batch = sequences(cache, "train", [0, 1], [0, 7])
    assert batch["present"].tolist() == [[True] * 5, [True] * 4 + [False]]
    own = windows(cache, "train", [1], starts=[27])
    assert torch.equal(batch["mel"][5 + 2], own["mel"][0])
    assert batch["weight"][-1].sum() == 0


def test_around_gives_every_window_its_neighbours() -> None:
    levels = torch.arange(6.0)[None, :, None].repeat(2, 1, 3)
    present = torch.ones(2, 6, dtype=torch.bool)
    near, mask = around(levels, present)
    assert near.shape == (12, 5, 3)
    assert near[2, :, 0].tolist() == [0, 1, 2, 3, 4]
    assert mask[0].tolist() == [False, False, True, True, True]
    assert mask[5].tolist() == [True, True, True, False, False]


def test_left_out_families_are_never_drawn(cache: Cache) -> None:
    facts = cache.facts("train")
    present = sorted({f for fact in facts for f in families_of(fact)})
    plan: Any = recipe("audio_artifacts", {"left_out": ",".join(present)})
    usable = [int(i) for i in plan._usable(cache)]
    free = [i for i, fact in enumerate(facts) if not fact["damages"]]
    assert usable == free


def test_a_cached_window_is_what_the_detector_sees(
    units: dict[str, list[Item]], cache: Cache
) -> None:
    """Frames of a whole clip cut to a window equal those of the window's own samples."""
    rng = np.random.default_rng(4)
    length = spectra.MARGIN_BEFORE + 3 * spectra.RATE_HZ + spectra.MARGIN_AFTER
    sound = (rng.standard_normal(length) * 0.1).astype(np.float32)
    cut = spectra.measure(sound, 6).window(0.75)
    start = round(0.75 * spectra.RATE_HZ)
    own = sound[start:][: spectra.MARGIN_BEFORE + 2 * spectra.BLOCK + spectra.MARGIN_AFTER]
    alone = spectra.measure(own, 2).window(0.0)
    for name in ("mel", "lines", "fast", "levels"):
        assert np.allclose(getattr(cut, name), getattr(alone, name), atol=1e-4), name


def test_truth_of_a_window() -> None:
    levels = np.full((20, 4), ABSENT, np.int8)
    assert truth_of(levels)[0].tolist() == [0, 0, 0, 0]
    assert truth_of(levels)[1].tolist() == [1, 1, 1, 1]
    levels[:5, 0] = 20  # a quarter of the window: nobody can say
    levels[:10, 1] = 20  # half of it
    levels[:2, 2] = 20  # a tenth: free
    levels[0, 3] = 20  # a click at the very edge
    target, weight = truth_of(levels)
    assert target.tolist() == [0, 1, 0, 0]
    assert weight.tolist() == [0, 1, 1, 0]
    levels[10, 3] = 20
    assert truth_of(levels)[0][3] == 1


@pytest.mark.parametrize("name", CLASSES)
def test_what_nobody_hears_is_neither_there_nor_not(name: str) -> None:
    place = CLASSES.index(name)
    levels = np.full((20, 4), ABSENT, np.int8)
    levels[:, place] = round(AUDIBLE_DB[name]) - 1
    target, weight = truth_of(levels)
    assert (target[place], weight[place]) == (0, 0)
    assert weight.sum() == 3
    target, weight = truth_of(levels, drawn=True)
    assert (target[place], weight[place]) == (1, 1)
    levels[:, place] += 1
    assert truth_of(levels)[0][place] == 1


@pytest.mark.parametrize(("codec", "bit_rate"), [c for c in clips.CODECS if c[1]][::3])
def test_codecs_stay_in_step(codec: str, bit_rate: int) -> None:
    rate_hz = spectra.RATE_HZ
    sound = np.ascontiguousarray(music_like(3, 3.0, rate_hz), np.float32)[:, 0]
    out = through_codec(sound, rate_hz, codec, bit_rate)
    assert out.shape == sound.shape
    middle = slice(rate_hz // 2, 2 * rate_hz)
    lags = range(-40, 41)
    errors = [float(np.mean((np.roll(out, lag)[middle] - sound[middle]) ** 2)) for lag in lags]
    assert abs(lags[int(np.argmin(errors))]) <= 1
    assert min(errors) < 0.1 * float(np.mean(sound[middle] ** 2))


@pytest.mark.parametrize("name", sorted(HARD_NEGATIVES))
def test_alikes_sound(name: str) -> None:
    rng = np.random.default_rng(6)
    for _ in range(3):
        sound = HARD_NEGATIVES[name](40_000, 32_000, rng)
        assert sound.shape == (40_000,)
        assert np.isfinite(sound).all()
        assert sound.any()


def test_levels_do_not_depend_on_the_class() -> None:
    rng = np.random.default_rng(7)
    quiet, loud = (rng.standard_normal(32_000) * g for g in (1e-3, 2.0))
    one = clips.at_level(quiet, np.random.default_rng(1))
    two = clips.at_level(loud, np.random.default_rng(1))
    assert np.sqrt(np.mean(one**2)) == pytest.approx(np.sqrt(np.mean(two**2)), rel=0.02)
    assert np.abs(two).max() <= 0.9001


def test_windows_begin_where_they_are_told(cache: Cache) -> None:
    batch = windows(cache, "train", [0, 0], starts=[0, 20])
    whole = np.asarray(cache.array("train", 0, "mel"), np.float32)
    assert np.array_equal(batch["mel"][1].numpy(), whole[100 : 100 + spectra.MEL_FRAMES])
    assert np.array_equal(batch["mel"][0].numpy(), whole[: spectra.MEL_FRAMES])
