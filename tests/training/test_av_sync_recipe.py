"""The recipe of av_sync: prepared takes and clips, windows of them, and what the loss rewards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from defectscope.detectors.av_sync.layout import EMBEDDING
from defectscope.detectors.av_sync.network import SyncNet
from defectscope.detectors.av_sync.sound import MELS, RATE_HZ, log_mel
from defectscope.errors import InvalidParameterError
from defectscope.media.encoding import AudioEncoding
from defectscope.media.frames import Samples
from defectscope.media.writer import write_clip
from defectscope.training.av_sync.batches import (
    FRAMES,
    OFFSETS,
    SAMPLES_PER_FRAME,
    Example,
    batch,
)
from defectscope.training.av_sync.recipe import WINDOWS, AvSync, AvSyncSettings, contrast
from defectscope.training.av_sync.scores import curve, score_examples
from defectscope.training.cache import Cache
from defectscope.training.contract import Item, PreparationJob, Recording, recipe


def test_frames_of_sound_lie_under_their_frames() -> None:
    sound = np.zeros(RATE_HZ, np.float32)
    sound[40 * 160 + 80] = 1.0
    mel = log_mel(sound)
    assert mel.shape == (100, MELS)
    assert int(mel.mean(axis=1).argmax()) == 40
    # As much of it is seen before as after.
    np.testing.assert_allclose(mel[39], mel[41], atol=0.1)
    assert np.isfinite(log_mel(np.zeros(4000, np.float32))).all()
    assert log_mel(np.zeros(100, np.float32)).shape == (0, MELS)


def test_a_louder_tone_is_higher_by_its_decibels() -> None:
    tone = np.sin(np.arange(RATE_HZ) * (2 * np.pi * 1000 / RATE_HZ)).astype(np.float32)
    loud, faint = log_mel(0.5 * tone)[50].max(), log_mel(0.05 * tone)[50].max()
    assert float(loud - faint) == pytest.approx(np.log(100), abs=0.01)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> SyncNet:
    torch.manual_seed(1)
    return SyncNet().eval()


def test_vectors_have_length_one_and_a_place_of_their_own_for_nothing(network: SyncNet) -> None:
    rng = np.random.default_rng(1)
    crops = rng.integers(0, 256, (30, 48, 64)).astype(np.uint8)
    mel = log_mel(rng.standard_normal(30 * SAMPLES_PER_FRAME).astype(np.float32))
    seen, sound_embeddings = network.embed_mouth(crops), network.embed_sound(mel)
    assert seen.shape == sound_embeddings.shape == (26, EMBEDDING)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(sound_embeddings, axis=1), 1, atol=1e-5)
    assert not seen[:, -1].any()
    assert not sound_embeddings[:, -2].any()
    assert network.embed_mouth(crops[:4]).shape == (0, EMBEDDING)
    assert network.embed_sound(mel[:19]).shape == (0, EMBEDDING)


def test_light_and_loudness_fall_out(network: SyncNet) -> None:
    rng = np.random.default_rng(2)
    crops = rng.integers(60, 160, (20, 48, 64)).astype(np.uint8)
    brighter = network.embed_mouth(crops + np.uint8(40))
    np.testing.assert_allclose(network.embed_mouth(crops), brighter, atol=1e-3)
    mel = log_mel(0.1 * rng.standard_normal(20 * SAMPLES_PER_FRAME).astype(np.float32))
    np.testing.assert_allclose(network.embed_sound(mel), network.embed_sound(mel + 3), atol=1e-3)


def clicking(late: int) -> Example:
    """Frames that flash at row 60 and a click under them, `late` frames late."""
    crops = np.zeros((120, 48, 64), np.uint8)
    crops[60] = 255
    sound = np.zeros(170 * SAMPLES_PER_FRAME, np.int16)
    # The track begins at frame 30 of the programme.
    first = (30 + 60 + late) * SAMPLES_PER_FRAME
    sound[first : first + SAMPLES_PER_FRAME] = 20_000
    return Example(crops, sound, 30, late)


@pytest.mark.parametrize("late", [0, 3, -4])
def test_windows_are_in_step_whatever_is_known_to_be_late(late: int) -> None:
    found = 0
    for seed in range(30):
        window = clicking(late).window(np.random.default_rng(seed))
        assert window.there.all()
        flashes = np.flatnonzero(window.crops.mean(axis=(1, 2)) > 100)
        if not len(flashes):
            continue
        level = np.abs(window.sound).reshape(-1, SAMPLES_PER_FRAME).mean(axis=1)
        click = float((level * np.arange(len(level))).sum() / level.sum())
        assert click - OFFSETS == pytest.approx(float(flashes.mean()), abs=0.8)
        found += 1
    assert found > 3


def test_sound_beyond_the_recording_is_not_counted_as_there() -> None:
    example = Example(np.zeros((60, 48, 64), np.uint8), np.ones(60 * 640, np.int16), 0, 0)
    window = example.window(np.random.default_rng(1))
    assert not window.there[:4].any()
    assert window.there[OFFSETS + 2 : OFFSETS + 40].all()


def vectors(seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    rows = torch.randn(3, WINDOWS + 2 * OFFSETS, EMBEDDING)
    return torch.nn.functional.normalize(rows, dim=-1)


def test_the_loss_rewards_being_in_step() -> None:
    sound = vectors(1)
    there = torch.ones(3, FRAMES + 2 * OFFSETS, dtype=torch.bool)
    near, figures = contrast(sound[:, OFFSETS : OFFSETS + WINDOWS], sound, there)
    away, others = contrast(sound[:, OFFSETS + 5 : OFFSETS + 5 + WINDOWS], sound, there)
    assert float(near) < 0.5 * float(away)
    assert figures["within_one"] == 1.0
    assert others["within_one"] == 0.0


def test_curves_peak_where_the_sound_is() -> None:
    class Level(SyncNet):
        """Knows the level of light and of sound, and nothing else."""

        def embed_mouth(self, crops: np.ndarray) -> np.ndarray:
            level = crops.mean(axis=(1, 2))[2:-2, None]
            return (level - level.mean()) / (level.std() + 1)

        def embed_sound(self, mel: np.ndarray) -> np.ndarray:
            level = mel.mean(axis=1)[8:-8].reshape(-1, 4).mean(axis=1)[:, None]
            return (level - level.mean()) / (level.std() + 1)

    example = clicking(0)
    assert int(np.nanargmax(curve(Level(), example, 30, 60))) == OFFSETS
    shifted = Example(example.crops, example.sound, 30 - 4, 0)
    # The same sound under frames that come four earlier: it is late by four.
    assert int(np.nanargmax(curve(Level(), shifted, 30, 60))) == OFFSETS + 4
    assert score_examples(Level(), [example])["windows"] == 3


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    folder = tmp_path_factory.mktemp("speech")
    out: list[Recording] = []
    rng = np.random.default_rng(1)
    for number, split in enumerate(("train", "validation")):
        path = folder / f"anna_{number}.wav"
        sound = (0.1 * rng.standard_normal((RATE_HZ * 3, 1))).astype(np.float32)
        write_clip(
            path, runs=[Samples(0, sound)], audio=AudioEncoding(RATE_HZ, "mono", "pcm_s16le")
        )
        path.with_suffix(".phones").write_text("pau 0.5\naa 1.0\nm 1.2\niy 2.0\npau 3.0\n")
        out.append(Recording(path, "mine", path.name, path.name, split))  # type: ignore[arg-type]
    return out


@pytest.fixture(scope="module")
def cache(speech: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Cache:
    out = Cache(tmp_path_factory.mktemp("cache"), {})
    plan = recipe("av_sync", {"train_takes": "1", "validation_takes": "0"})
    jobs = plan.jobs(speech, 1)
    assert [job.key for job in jobs] == ["take/train/00000"]

    def clip(voice: str) -> PreparationJob:
        crops = np.zeros((80, 48, 64), np.uint8)
        facts = {"kind": "clip", "voice": voice, "first": 0}
        arrays = {"crops": crops, "sound": np.zeros(80 * SAMPLES_PER_FRAME, np.int16)}
        return PreparationJob(voice, lambda: iter([Item(voice, "train", arrays, facts)]))

    assert out.fill([*jobs, clip("berta"), clip("carla")], max_bytes=10**9)
    return out


def test_takes_carry_where_the_mouth_truly_is(cache: Cache) -> None:
    place = next(i for i, f in enumerate(cache.facts("train")) if f["kind"] == "take")
    gestures = cache.array("train", place, "gestures")
    assert gestures.shape == (100, 6)
    assert gestures[:, 0].max() > 0.3
    assert AvSync().example(cache, "train", place).gestures is not None


def test_held_out_speakers_are_never_drawn(cache: Cache) -> None:
    _, clips = AvSync(AvSyncSettings(held_out=("berta",))).places(cache)
    assert set(clips) == {"carla"}
    _, clips = AvSync().places(cache)
    assert set(clips) == {"berta", "carla"}


def test_clips_known_to_be_late_are_put_right(cache: Cache) -> None:
    place = next(i for i, f in enumerate(cache.facts("train")) if f["voice"] == "carla")
    assert AvSync(AvSyncSettings(late=("carla:2",))).example(cache, "train", place).late == 2
    assert AvSync().example(cache, "train", place).late == 0


def test_a_step_lowers_the_loss_of_its_own_batch(cache: Cache) -> None:
    plan = AvSync(AvSyncSettings(clip_share=0.5))
    torch.manual_seed(2)
    model = plan.build().train()
    drawn = plan.batch(cache, np.random.default_rng(3), 2)
    assert drawn["crops"].shape == (2, FRAMES, 48, 64)
    assert drawn["known"].tolist() == [False, True]
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    losses: list[float] = []
    for _ in range(4):
        loss, figures = plan.loss(model, drawn)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert {"within_one", "reading"} <= set(figures)


def test_the_same_generator_draws_the_same_batch(cache: Cache) -> None:
    plan = AvSync()
    one, other = (plan.batch(cache, np.random.default_rng(4), 3) for _ in range(2))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name])


def test_without_speech_there_is_nothing_to_simulate() -> None:
    with pytest.raises(InvalidParameterError, match="no recording of speech"):
        AvSync().jobs([], 1)


def test_disturbing_keeps_the_frames_in_range() -> None:
    rng = np.random.default_rng(5)
    drawn = batch([clicking(0).window(rng) for _ in range(3)], rng)
    assert drawn["mel"].shape == (3, 4 * (FRAMES + 2 * OFFSETS), MELS)
    assert torch.isfinite(drawn["crops"]).all()
    assert torch.isfinite(drawn["mel"]).all()


def test_speech_without_phones_names_what_is_missing(tmp_path: Path) -> None:
    import importlib.util

    from defectscope.training.av_sync.examples import recognised

    if importlib.util.find_spec("pocketsphinx") is not None:
        assert recognised(np.zeros(RATE_HZ)) is not None
    else:
        with pytest.raises(InvalidParameterError, match="PocketSphinx"):
            recognised(np.zeros(RATE_HZ))
