"""The clips that audio_artifacts learns from and is measured on, and whole recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.training.audio_artifacts import audibility as audibility
from defectscope.training.audio_artifacts import chains, pieces
from defectscope.training.audio_artifacts import clips as clips
from defectscope.training.audio_artifacts.coding import through_codec
from defectscope.training.audio_artifacts.windows import TICKS
from defectscope.training.contract import Item, Recording, Split

CLIP_S = TICKS // audibility.TICKS_HZ
CLIPS_PER_UNIT = 24
# Of a whole recording no more is kept.
_LONGEST = 240 * spectra.RATE_HZ
_CLIP = CLIP_S * spectra.RATE_HZ
_PADDED = spectra.MARGIN_BEFORE + _CLIP + spectra.MARGIN_AFTER
_INSIDE = slice(spectra.MARGIN_BEFORE, spectra.MARGIN_BEFORE + _CLIP)
# Corpora differ in size a thousandfold; each is drawn by its worth instead.
_WEIGHTS = {
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
    "wesnoth-1.16-sounds": 2.0,
    "warzone2100-sounds": 0.7,
    "openarena-sounds": 1.0,
    "scorched3d": 0.5,
    "searchandrescue": 0.3,
    "lmms": 1.0,
    "hydrogen-drumkits": 1.5,
    "hydrogen-data": 0.3,
    "bzflag": 0.5,
    "btanks": 0.7,
    "freedink": 0.5,
    "opencity": 0.3,
    "plee-the-bear": 0.7,
    "freedesktop": 0.5,
    "fluidr3": 2.5,
    "lbreakouthd": 0.3,
    "hex-a-hop": 0.3,
    "megaglest": 1.0,
    "freecol": 0.7,
    "gcompris": 1.0,
    "minetest": 0.3,
}
# What the held-out clips are made of, so that they stay what they were. The others, which joined
# later, give clips to training, and whole recordings to every count of false findings.
_FIRST_CORPORA = frozenset(
    {
        "wesnoth-1.16-music",
        "librosa",
        "esc10",
        "asterisk-core-sounds-en-g722",
        "sonic-pi-samples",
    }
)
_LATER_CORPORA = frozenset(_WEIGHTS) - _FIRST_CORPORA


def first_of(recordings: Sequence[Recording]) -> Sequence[Recording]:
    """Returns what the held-out clips are made of, own content included."""
    return [r for r in recordings if r.corpus not in _LATER_CORPORA]


def make_unit(
    recordings: Sequence[Recording], split: Split, unit: int, seed: Sequence[int]
) -> Iterator[Item]:
    """Returns the items of a unit; those of training are varied, see `clips.impair`."""
    rendered = render_unit(recordings, seed, varied=split == "train")
    for place, (fact, sound, audibility_db) in enumerate(rendered):
        features = spectra.measure(sound, 2 * CLIP_S)
        arrays = {**_stored(features), "heard": audibility_db}
        yield Item(f"{unit:05d}/{place:02d}", split, arrays, fact)


def render_unit(
    recordings: Sequence[Recording], seed: Sequence[int], *, varied: bool = False
) -> list[tuple[dict[str, Any], NDArray[np.float32], NDArray[np.int8]]]:
    """Returns a unit's clips.

    Args:
        recordings: What they are made of.
        seed: Where chance comes from.
        varied: See `clips.impair`.

    Returns:
        Of each what is known of it, its samples with the margins around it, and how far its
        defects can be heard.
    """
    rng = np.random.default_rng(seed)
    codec, bit_rate = clips.CODECS[int(rng.integers(len(clips.CODECS)))]
    by_corpus: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_corpus.setdefault(recording.corpus, []).append(recording)
    corpora = sorted(by_corpus)
    weights = np.array([_WEIGHTS.get(name, 2.0) for name in corpora])
    sounds: list[NDArray[np.float32]] = []
    facts: list[dict[str, Any]] = []
    audibility_db: list[NDArray[np.int8]] = []

    def draw() -> tuple[Recording, NDArray[np.float32]]:
        for _ in range(pieces.MOST_DRAWS):
            corpus = str(rng.choice(corpora, p=weights / weights.sum()))
            recording = by_corpus[corpus][int(rng.integers(len(by_corpus[corpus])))]
            whole = clips.read_mono(recording.path, spectra.RATE_HZ)
            sound = clips.excerpt(whole, _PADDED, rng)
            if float(np.sqrt(np.mean(sound**2))) > 1e-3:
                return recording, sound
        raise pieces.too_quiet(recordings)

    for _ in range(CLIPS_PER_UNIT):
        recording, base = draw()
        other = draw()[1] if rng.uniform() < 0.3 else None
        clean = clips.dress(base, other, spectra.RATE_HZ, rng)
        if varied:
            clean = chains.before(clean, spectra.RATE_HZ, clips.CODECS[1:], rng)
        wanted = _draw_defects(rng)
        sound, damages, residuals = clips.impair(clean, spectra.RATE_HZ, wanted, rng, varied=varied)
        layers = np.stack([sound, *residuals]).astype(np.float64)
        if varied:
            layers = chains.after(layers, spectra.RATE_HZ, rng)
        if rng.uniform() < 0.3:
            layers = clips.low_passed(layers, spectra.RATE_HZ, rng)
        audibility_db.append(audibility.of_clip(damages, layers[0], layers[1:], _INSIDE))
        sounds.append(clips.at_level(layers[0], rng))
        facts.append(
            {
                "recording": recording.name,
                "codec": f"{codec}@{bit_rate}" if bit_rate else codec,
                "damages": [asdict(d) for d in damages],
            }
        )
    coded = through_codec(np.concatenate(sounds), spectra.RATE_HZ, codec, bit_rate)
    # Sixteen bits, as files hold them.
    whole = np.round(np.clip(coded, -1, 1) * 32767).astype(np.int16)
    parts = (whole.astype(np.float32) / 32767).astype(np.float32).reshape(len(facts), _PADDED)
    return list(zip(facts, parts, audibility_db, strict=True))


def programme(recording: Recording) -> Iterator[Item]:
    """Returns a whole recording as it is, up to four minutes: what false alarms are counted on."""
    sound = clips.read_mono(recording.path, spectra.RATE_HZ)[:_LONGEST]
    if len(sound) < spectra.BLOCK:
        return
    facts = {"programme": recording.name, "corpus": recording.corpus}
    yield Item(f"programme/{recording.name}", recording.split, {"sound": sound}, facts)


def piece(
    recordings: Sequence[Recording], split: Split, number: int, seed: Sequence[int]
) -> Iterator[Item]:
    """Returns pieces of programmes with a defect, one of each: what the decision is chosen on."""
    for place, defect in enumerate(CLASSES):
        rng = np.random.default_rng([*seed, place])
        one = pieces.draw(recordings, defect, pieces.by_either, rng)
        facts = {
            "piece": one.recording.name,
            "corpus": one.recording.corpus,
            "defect": defect,
            "family": one.damage.family,
            "level": one.damage.severity,
            "events": [list(span) for span in one.damage.spans_s],
            "codec": one.codec,
        }
        arrays = {"sound": one.sound, "heard": one.audibility_db}
        yield Item(f"piece/{split}/{number:05d}/{place}", split, arrays, facts)


def _stored(features: spectra.Spectra) -> dict[str, NDArray[Any]]:
    return {
        "mel": features.mel.astype(np.float16),
        "lines": features.lines.astype(np.float16),
        "fast": features.fast.astype(np.float16),
        "levels": features.levels,
    }


def _draw_defects(rng: np.random.Generator) -> list[tuple[str, int]]:
    count = int(rng.choice([0, 1, 2, 3], p=[0.32, 0.52, 0.11, 0.05]))
    steps = rng.integers(1, 6, size=count)
    names = rng.choice(list(CLASSES), size=count, replace=False)
    return [(str(name), int(step)) for name, step in zip(names, steps, strict=True)]
