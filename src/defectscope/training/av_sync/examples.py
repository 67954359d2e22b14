"""What av_sync learns from: takes of simulated mouths, and clips of real ones.

A recording of sound is speech for simulated mouths. Beside `NAME.flac` may lie `NAME.phones`, a
phone and its end in seconds on every line, as `flite -psdur` prints them; without it the phones are
recognised with PocketSphinx. A recording with frames is a talking face, in step as it is.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.clips import read_clip
from defectscope.detectors.av_sync.tracks import Limits
from defectscope.errors import InvalidParameterError, UnreadableMediaError
from defectscope.simulate.synthetic.mouth_motion import Phone, read_phones
from defectscope.simulate.synthetic.talking_face import RATE_HZ, Utterance, take
from defectscope.training.audio_artifacts.clips import read_mono
from defectscope.training.contract import Item, PreparationJob, Recording, Split

SOUND_SUFFIXES = frozenset({".flac", ".wav", ".ogg"})
CLIP_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".mpg"})
# Frames of a take: one fragment of the detector.
TAKE_FRAMES = 100
_TAKES_PER_UNIT = 20
_UTTERANCES_PER_TAKE = 6
# Shorter pieces of a track hold less than one training window and its shifts.
_SHORTEST = 30
_LIMITS = Limits(min_score=0.5, min_height_px=40.0, most=1)


@dataclass(frozen=True, slots=True)
class _Speech:
    """Recordings of one voice."""

    voice: str
    recordings: tuple[Recording, ...]


def jobs(
    recordings: Sequence[Recording], takes: Mapping[Split, int], seed: int
) -> Sequence[PreparationJob]:
    """Returns the units of preparation: one for twenty takes, one for each talking clip.

    Raises:
        InvalidParameterError: Takes are wanted and no recording of speech is there.
    """
    sound = [r for r in recordings if r.path.suffix.lower() in SOUND_SUFFIXES]
    clips = [r for r in recordings if r.path.suffix.lower() in CLIP_SUFFIXES]
    out: list[PreparationJob] = []
    for number, (split, count) in enumerate(takes.items()):
        speech = _voices([r for r in sound if r.split == split] or sound)
        if count and not speech:
            raise InvalidParameterError("no recording of speech to simulate talking faces from")
        for unit in range(-(-count // _TAKES_PER_UNIT)):
            make = partial(_takes, speech, split, unit, [seed, number, unit])
            out.append(PreparationJob(f"take/{split}/{unit:05d}", make))
    # Shares of every split early on: training may begin while the cache still fills.
    out.sort(key=lambda job: job.key[-5:])
    return [*out, *(PreparationJob(f"clip/{r.name}", partial(_clip, r)) for r in clips)]


def _voices(recordings: Sequence[Recording]) -> list[_Speech]:
    """Groups recordings by what stands before the first underscore of their names."""
    by_voice: dict[str, list[Recording]] = {}
    for recording in recordings:
        voice = re.split(r"[_/]", Path(recording.key).name)[0]
        by_voice.setdefault(f"{recording.corpus}/{voice}", []).append(recording)
    return [_Speech(name, tuple(group)) for name, group in sorted(by_voice.items())]


def _takes(
    speech: Sequence[_Speech], split: Split, unit: int, seed: Sequence[int]
) -> Iterator[Item]:
    rng = np.random.default_rng(seed)
    # A voice is drawn by the square root of how much there is of it.
    weights = np.sqrt([len(s.recordings) for s in speech])
    for place in range(_TAKES_PER_UNIT):
        voice = speech[int(rng.choice(len(speech), p=weights / weights.sum()))]
        chosen = rng.choice(len(voice.recordings), _UTTERANCES_PER_TAKE)
        spoken = [_utterance(voice.recordings[int(i)], voice.voice) for i in chosen]
        made = take(spoken, TAKE_FRAMES, rng)
        yield Item(
            f"take/{split}/{unit:05d}/{place:02d}",
            split,
            {
                "crops": made.crops,
                "sound": _stored(made.samples),
                "gestures": made.gestures.astype(np.float16),
            },
            {"kind": "take", "voice": voice.voice, "first": 0},
        )


def _utterance(recording: Recording, voice: str) -> Utterance:
    sound = read_mono(recording.path, RATE_HZ) / 32768
    phones_path = recording.path.with_suffix(".phones")
    phones = (
        read_phones(phones_path.read_text("utf-8")) if phones_path.exists() else recognised(sound)
    )
    if not phones:
        phones = [Phone("pau", 0.0, len(sound) / RATE_HZ)]
    return Utterance(sound.astype(np.float32), tuple(phones), voice)


def recognised(sound: NDArray[Any]) -> list[Phone]:
    """Returns the phones of English speech as PocketSphinx hears them.

    Args:
        sound: Mono at 16 kHz, full scale 1.

    Raises:
        InvalidParameterError: PocketSphinx is not installed.
    """
    try:
        sphinx = cast("Any", importlib.import_module("pocketsphinx"))
    except ImportError:
        raise InvalidParameterError(
            "speech without a .phones file needs PocketSphinx: pip install pocketsphinx"
        ) from None
    model = sphinx.get_model_path()
    decoder = sphinx.Decoder(
        sphinx.Config(
            hmm=f"{model}/en-us/en-us",
            allphone=f"{model}/en-us/en-us-phone.lm.bin",
            lm=None,
            lw=2.0,
            pip=0.3,
            beam=1e-20,
            pbeam=1e-20,
            loglevel="ERROR",
        )
    )
    decoder.start_utt()
    decoder.process_raw(_stored(np.asarray(sound)).tobytes(), full_utt=True)
    decoder.end_utt()
    lines = [f"{s.word} {(s.end_frame + 1) / 100:.2f}" for s in decoder.seg()]
    return read_phones("\n".join(lines))


def _clip(recording: Recording) -> Iterator[Item]:
    try:
        clip = read_clip(recording.path, _LIMITS)
    except UnreadableMediaError:
        return
    for place, mouth in enumerate(clip.mouths):
        if len(mouth) < _SHORTEST:
            continue
        yield Item(
            f"clip/{recording.name}/{place:03d}",
            "train",
            {"crops": mouth.crops, "sound": _stored(clip.sound)},
            {
                "kind": "clip",
                "voice": Path(recording.key).stem,
                "first": mouth.first_frame,
            },
        )


def _stored(sound: NDArray[Any]) -> NDArray[np.int16]:
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16)
