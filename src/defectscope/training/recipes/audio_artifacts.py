"""How audio_artifacts is trained: clips of three seconds, windows of one, four logits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.network import CLASSES, Network
from defectscope.detectors.audio_artifacts.surroundings import NEAR, REACH
from defectscope.simulate import audio_clicks, audio_distortion, audio_hiss, audio_hum
from defectscope.training.contract import (
    CacheView,
    Item,
    Job,
    Recording,
    Release,
    Schedule,
    Split,
)
from defectscope.training.recipes import sound_clips, sound_heard
from defectscope.training.recipes.sound_memory import Memory
from defectscope.training.recipes.sound_windows import (
    PICTURES,
    TICKS,
    around,
    families_of,
    score_windows,
    sequences,
    without,
)
from defectscope.training.scores import auc

FAMILIES: dict[str, tuple[str, ...]] = {
    "audio_hum": audio_hum.FAMILIES,
    "audio_hiss": audio_hiss.FAMILIES,
    "audio_distortion": audio_distortion.FAMILIES,
    "audio_clicks": audio_clicks.FAMILIES,
}
CLIP_S = TICKS // sound_heard.TICKS_HZ
# Share of training windows that are judged with half of their surroundings.
_ALONE = 0.3
_ALONE_WEIGHT = 0.33
# First ticks of the first windows that frozen ears hear.
_FIRSTS = (0, 5)
_CLIPS_PER_UNIT = 24
_CLIP = CLIP_S * spectra.RATE_HZ
_PADDED = spectra.MARGIN_BEFORE + _CLIP + spectra.MARGIN_AFTER
_INSIDE = slice(spectra.MARGIN_BEFORE, spectra.MARGIN_BEFORE + _CLIP)
# Corpora differ in size a thousandfold; each is drawn by its worth instead.
_WORTH = {
    "wesnoth-1.16-music": 4.0,
    "librosa": 2.0,
    "esc10": 3.0,
    "asterisk-core-sounds-en-g722": 2.0,
    "sonic-pi-samples": 1.0,
    "warzone2100-music": 2.0,
    "fillets-ng-music": 1.0,
    "asterisk-core-sounds-es-g722": 0.7,
    "asterisk-core-sounds-fr-g722": 0.7,
    "asterisk-core-sounds-it-g722": 0.7,
    "asterisk-core-sounds-ru-g722": 0.7,
}
# What the first releases were trained and judged on. Their test clips stay what they were: later
# corpora give clips to the judgement of surroundings alone, and whole recordings to every count of
# false findings.
_FIRST_CORPORA = frozenset(
    {
        "wesnoth-1.16-music",
        "librosa",
        "esc10",
        "asterisk-core-sounds-en-g722",
        "sonic-pi-samples",
    }
)
# Number of the first unit of clips for the judgement of surroundings.
_AROUND_FROM = 250


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set about training audio_artifacts.

    Attributes:
        train_clips: Clips of three seconds prepared for training the ears, window by window.
        around_clips: Likewise for training the judgement of surroundings, which must see what
            the ears say of clips that they were not trained on.
        validation_clips: Likewise for validation.
        test_clips: Likewise for the test.
        left_out: Families never trained on, as `hum:buzz`; their clips stay in the test.
        widths: Channels of the four stages of the mel branch, comma-separated.
        masking: Share of training windows with a band or a stretch of the mel picture blanked.
        frozen: Train the judgement of surroundings alone, on what given weights say of the
            `around_clips`.
    """

    train_clips: int = 6000
    around_clips: int = 4800
    validation_clips: int = 720
    test_clips: int = 1440
    left_out: tuple[str, ...] = field(default=())
    widths: str = "24,48,96,128"
    masking: float = 0.3
    frozen: bool = False


class AudioArtifacts:
    """The recipe of audio_artifacts."""

    name: ClassVar[str] = "audio_artifacts"
    suffixes: ClassVar[frozenset[str]] = frozenset(
        {".ogg", ".flac", ".wav", ".mp3", ".m4a", ".opus", ".mp4", ".mkv", ".mov", ".webm"}
    )

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._memory = Memory()
        self._drawable: NDArray[np.int64] | None = None

    def schedule(self) -> Schedule:
        """Gives the schedule of the released weights."""
        return Schedule(
            steps=6000, batch=96, peak_rate=3e-3, weight_decay=0.02, score_every=500, patience=0
        )

    def preparation(self) -> Mapping[str, Any]:
        """Gives what decides the clips."""
        s = self.settings
        return {
            "train": s.train_clips,
            "around": s.around_clips,
            "validation": s.validation_clips,
            "test": s.test_clips,
        }

    def jobs(self, recordings: Sequence[Recording], seed: int) -> Sequence[Job]:
        """Gives units of 24 clips, one codec each."""
        by_split: dict[Split, list[Recording]] = {"train": [], "validation": [], "test": []}
        for recording in recordings:
            if "vinyl_hiss" not in recording.key:
                by_split[recording.split].append(recording)
        s = self.settings
        wanted: dict[Split, int] = {
            "train": s.train_clips,
            "validation": s.validation_clips,
            "test": s.test_clips,
        }
        jobs: list[Job] = []
        for number, split in enumerate(by_split):
            drawn = _first(by_split[split])
            for unit in range(-(-wanted[split] // _CLIPS_PER_UNIT)):
                make = partial(_make_unit, drawn, split, unit, [seed, number, unit])
                jobs.append(Job(f"{split}/{unit:05d}", make))
        later = max(_AROUND_FROM, -(-s.train_clips // _CLIPS_PER_UNIT))
        for unit in range(later, later - (-s.around_clips // _CLIPS_PER_UNIT)):
            make = partial(_make_unit, by_split["train"], "train", unit, [seed, 0, unit], True)
            jobs.append(Job(f"around/{unit:05d}", make))
        # Interleaved, so that a cache stopped by its size limit still holds every split.
        jobs.sort(key=lambda job: (int(job.key[-5:]) * 7919 % 100_003, job.key))
        held_out = [*by_split["validation"], *by_split["test"]]
        return [*jobs, *(Job(f"programme/{r.name}", partial(_programme, r)) for r in held_out)]

    def build(self) -> torch.nn.Module:
        """Gives a fresh network."""
        a, b, c, d = (int(w) for w in self.settings.widths.split(","))
        network: Any = Network((a, b, c, d))
        return network.to(memory_format=torch.channels_last)

    def batch(
        self, cache: CacheView, rng: np.random.Generator, size: int
    ) -> Mapping[str, torch.Tensor]:
        """Draws clips, five windows of each, beginning anywhere in its first half second."""
        if self._drawable is None:
            self._drawable = self._usable(cache)
        usable = self._drawable
        clips = max(1, size // NEAR)
        places = [int(usable[i]) for i in rng.integers(0, len(usable), clips)]
        # Short sounds have little around them: so has a share of these windows.
        alone = rng.uniform(size=(clips * NEAR, 1)) < _ALONE
        lost = torch.from_numpy(alone & (rng.uniform(size=(clips * NEAR, NEAR)) < 0.5))
        lost[:, REACH] = False
        if self.settings.frozen:
            asked = [(p, int(f)) for p, f in zip(places, rng.choice(_FIRSTS, clips), strict=True)]
            self._memory.note(cache, "train", asked)
            return {"asked": torch.tensor(asked), "lost": lost}
        # Half of the clips from their first window on, with room for five.
        firsts = rng.integers(1, 11, clips) * (rng.uniform(size=clips) < 0.5)
        batch = sequences(cache, "train", places, [int(f) for f in firsts])
        if self.settings.masking > 0:
            _mask(batch["mel"], self.settings.masking, rng)
        return {**batch, "lost": lost}

    def _usable(self, cache: CacheView) -> NDArray[np.int64]:
        out = set(self.settings.left_out)
        facts = cache.facts("train")
        kept = [
            i
            for i, f in enumerate(facts)
            if not (out & set(families_of(f))) and bool(f.get("around")) == self.settings.frozen
        ]
        return np.array(kept)

    def loss(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Gives binary cross-entropy per defect; windows that only touch one do not count.

        What single windows say is judged as well, at a third of the weight.
        """
        network = cast("Network", model)
        if self.settings.frozen:
            for part in network.children():
                part.train(part is network.around)
            asked = [(p, f) for p, f in batch["asked"].tolist()]
            own = self._memory.recall(network, "train", asked)
            heard, there = own["heard"], own["present"]
            target, weight = own["target"], own["weight"]
        else:
            heard = network.hear(*(batch[k] for k in PICTURES)).unflatten(0, (-1, NEAR))
            there, target, weight = batch["present"], batch["target"], batch["weight"]
        near, present = around(heard, there)
        logits = network(near, present & ~batch["lost"]).float()
        alone = heard.flatten(0, 1)[:, : len(CLASSES)]
        loss = _cross_entropy(logits, target, weight)
        loss = loss + _ALONE_WEIGHT * _cross_entropy(alone, target, weight)
        right = ((logits > 0) == (target > 0.5)).float()
        return loss, {"accuracy": float((right * weight).sum() / weight.sum().clamp_min(1.0))}

    def score(self, model: torch.nn.Module, cache: CacheView, split: Split) -> Mapping[str, float]:
        """Scores every clip's first, middle and last window; the objective is the mean AUC.

        Families that are left out of training do not help to choose weights either.
        """
        memory = self._memory if self.settings.frozen else None
        judged = without(score_windows(model, cache, split, memory=memory), self.settings.left_out)
        out: dict[str, float] = {}
        for place, name in enumerate(CLASSES):
            known = judged.weight[:, place] > 0
            out[f"auc_{name}"] = auc(judged.logits[known, place], judged.target[known, place] > 0.5)
        out["balanced_accuracy"] = judged.balanced_accuracy()
        out["objective"] = float(np.mean([out[f"auc_{name}"] for name in CLASSES]))
        return out

    def release(self, model: torch.nn.Module, cache: CacheView) -> Release:
        """Chooses thresholds and calibration on validation and measures on the test split."""
        from defectscope.training.recipes.sound_release import describe

        return describe(model, cache, asdict(self.settings))


def _first(recordings: Sequence[Recording]) -> Sequence[Recording]:
    """Gives what the ears and the held-out clips are made of; own content serves for all."""
    first = [r for r in recordings if r.corpus in _FIRST_CORPORA]
    return first or recordings


def _make_unit(
    recordings: Sequence[Recording],
    split: Split,
    unit: int,
    seed: Sequence[int],
    wide: bool = False,
) -> Iterator[Item]:
    for place, (fact, sound, heard) in enumerate(render_unit(recordings, seed, any_supply=wide)):
        pictures = spectra.measure(sound, 2 * CLIP_S)
        arrays = {**_stored(pictures), "heard": heard}
        if wide:
            fact["around"] = True
        yield Item(f"{unit:05d}/{place:02d}", split, arrays, fact)


def render_unit(
    recordings: Sequence[Recording], seed: Sequence[int], *, any_supply: bool = False
) -> list[tuple[dict[str, Any], NDArray[np.float32], NDArray[np.int8]]]:
    """Gives a unit's clips.

    Args:
        recordings: What they are made of.
        seed: Where chance comes from.
        any_supply: See `sound_clips.impair`.

    Returns:
        Of each what is known of it, its samples with the margins around it, and how far its
        defects can be heard.
    """
    rng = np.random.default_rng(seed)
    codec, bit_rate = sound_clips.CODECS[int(rng.integers(len(sound_clips.CODECS)))]
    by_corpus: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_corpus.setdefault(recording.corpus, []).append(recording)
    corpora = sorted(by_corpus)
    worth = np.array([_WORTH.get(name, 2.0) for name in corpora])
    sounds: list[NDArray[np.float32]] = []
    facts: list[dict[str, Any]] = []
    heard: list[NDArray[np.int8]] = []

    def draw() -> tuple[Recording, NDArray[np.float32]]:
        while True:
            corpus = str(rng.choice(corpora, p=worth / worth.sum()))
            recording = by_corpus[corpus][int(rng.integers(len(by_corpus[corpus])))]
            whole = sound_clips.read_mono(recording.path, spectra.RATE_HZ)
            sound = sound_clips.excerpt(whole, _PADDED, rng)
            if float(np.sqrt(np.mean(sound**2))) > 1e-3:
                return recording, sound

    for _ in range(_CLIPS_PER_UNIT):
        recording, base = draw()
        other = draw()[1] if rng.uniform() < 0.3 else None
        clean = sound_clips.dress(base, other, spectra.RATE_HZ, rng)
        wanted = _draw_defects(rng)
        sound, damages, residuals = sound_clips.impair(
            clean, spectra.RATE_HZ, wanted, FAMILIES, rng, any_supply=any_supply
        )
        layers = np.stack([sound, *residuals]).astype(np.float64)
        if rng.uniform() < 0.3:
            layers = sound_clips.low_passed(layers, spectra.RATE_HZ, rng)
        heard.append(sound_heard.of_clip(damages, layers[0], layers[1:], _INSIDE))
        sounds.append(sound_clips.at_level(layers[0], rng))
        facts.append(
            {
                "recording": recording.name,
                "codec": f"{codec}@{bit_rate}" if bit_rate else codec,
                "damages": [asdict(d) for d in damages],
            }
        )
    coded = sound_clips.through_codec(np.concatenate(sounds), spectra.RATE_HZ, codec, bit_rate)
    # Sixteen bits, as files hold them.
    whole = np.round(np.clip(coded, -1, 1) * 32767).astype(np.int16)
    parts = (whole.astype(np.float32) / 32767).astype(np.float32).reshape(len(facts), _PADDED)
    return list(zip(facts, parts, heard, strict=True))


def _programme(recording: Recording) -> Iterator[Item]:
    """Gives a whole recording as it is: what false alarms are counted on."""
    sound = sound_clips.read_mono(recording.path, spectra.RATE_HZ)
    blocks = len(sound) // spectra.BLOCK
    if blocks < 2:
        return
    padded = np.zeros(spectra.MARGIN_BEFORE + blocks * spectra.BLOCK + spectra.MARGIN_AFTER)
    inside = sound[: len(padded) - spectra.MARGIN_BEFORE] / 32768
    padded[spectra.MARGIN_BEFORE : spectra.MARGIN_BEFORE + len(inside)] = inside
    pictures = spectra.measure(padded.astype(np.float32), blocks)
    facts = {"programme": recording.name, "corpus": recording.corpus, "blocks": blocks}
    yield Item(f"programme/{recording.name}", recording.split, _stored(pictures), facts)


def _stored(pictures: spectra.Spectra) -> dict[str, NDArray[Any]]:
    return {
        "mel": pictures.mel.astype(np.float16),
        "lines": pictures.lines.astype(np.float16),
        "fast": pictures.fast.astype(np.float16),
        "levels": pictures.levels,
    }


def _draw_defects(rng: np.random.Generator) -> list[tuple[str, int]]:
    count = int(rng.choice([0, 1, 2, 3], p=[0.32, 0.52, 0.11, 0.05]))
    steps = rng.integers(1, 6, size=count)
    names = rng.choice(list(CLASSES), size=count, replace=False)
    return [(str(name), int(step)) for name, step in zip(names, steps, strict=True)]


def _cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    smooth = target * 0.98 + 0.01
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    return (each * weight).sum() / weight.sum().clamp_min(1.0)


def _mask(mel: torch.Tensor, share: float, rng: np.random.Generator) -> None:
    """Blanks a band or a stretch of some pictures, in place."""
    for row in np.flatnonzero(rng.uniform(size=len(mel)) < share):
        floor = mel[row].mean(dim=(0, 1))
        if rng.uniform() < 0.5:
            low = int(rng.integers(0, 56))
            mel[row, :, low : low + int(rng.integers(2, 9))] = floor
        else:
            low = int(rng.integers(0, 85))
            mel[row, low : low + int(rng.integers(4, 13))] = floor


RECIPE = AudioArtifacts
