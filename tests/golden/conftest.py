"""Clips of the golden reports: one per simulator at severity 3, one per hard negative."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.media.cues import Cue
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.contract import CaptionSimulator
from defectscope.simulate.effects.caption_text import caption_bytes
from defectscope.simulate.registry import simulator
from defectscope.simulate.run import impair_file, job, stream_of
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of, speech_like

SEED = 5
SEVERITY = 3.0
RATE_HZ = 48_000
LENGTH_S = 6.0
# Captions want more speech than a film of six seconds holds.
SPEECH_S = 24.0


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of two scenes with stereo music."""
    path = tmp_path_factory.mktemp("golden") / "film.mp4"
    rate = Fraction(25)
    footage = Footage(
        seed=SEED, width=320, height=176, rate=rate, frames=round(LENGTH_S * 25), cuts_s=(4.6,)
    )
    encoding = VideoEncoding(320, 176, rate, crf=18.0, gop_frames=25, preset="veryfast")
    write_clip(
        path,
        frames=footage,
        runs=runs_of(music_like(SEED, LENGTH_S, RATE_HZ)),
        video=encoding,
        audio=AudioEncoding(options={"aac_pns": "0"}),
    )
    return path


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A voice of four phrases with pauses, and its captions in time."""
    folder = tmp_path_factory.mktemp("golden")
    sound = np.zeros((round(SPEECH_S * RATE_HZ), 1), np.float32)
    cues: list[Cue] = []
    for index, start_s in enumerate(np.arange(0.5, SPEECH_S - 3.0, 3.0)):
        phrase = speech_like(SEED + index, 2.2, RATE_HZ)
        at = round(float(start_s) * RATE_HZ)
        sound[at : at + len(phrase)] += phrase
        cues.append(Cue(float(start_s), float(start_s) + 2.2, (f"Phrase {index + 1} is spoken.",)))
    path = folder / "voice.wav"
    write_clip(path, runs=runs_of(sound), audio=AudioEncoding(RATE_HZ, "mono", "pcm_s16le"))
    captions = folder / "voice.srt"
    captions.write_bytes(caption_bytes(cues, "srt"))
    return path, captions


@pytest.fixture(scope="session")
def keeping(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a clip that has the film's video, or its sound, packet by packet, and not the other."""

    def make(medium: str) -> Path:
        name = "audio_dropout" if medium == "video" else "black_frames"
        path = tmp_path_factory.mktemp("golden") / f"{medium}.mkv"
        impair_file(film, path, [job(name, stream_of(film), seed=SEED, severity=SEVERITY)])
        return path

    return make


@pytest.fixture
def golden_clip(
    film: Path, voice: tuple[Path, Path], tmp_path: Path
) -> Callable[[str, str], tuple[Path, Path | None]]:
    """Makes a clip by kind and name: the media, and its captions where it has some."""

    def make(kind: str, name: str) -> tuple[Path, Path | None]:
        if kind == "hard_negative":
            suffix = ".mkv" if hard_negative(name).frame is not None else ".wav"
            path = tmp_path / f"{name}{suffix}"
            hard_negative(name).write(path, SEED)
            return path, None
        if isinstance(simulator(name), CaptionSimulator):
            media, captions = voice
            impaired = tmp_path / "impaired.srt"
            plan = job(name, stream_of(captions), seed=SEED, severity=SEVERITY)
            impair_file(captions, impaired, [plan])
            return media, impaired
        suffix = ".ts" if name == "stream_integrity" else ".mkv"
        path = tmp_path / f"{name}{suffix}"
        impair_file(film, path, [job(name, stream_of(film), seed=SEED, severity=SEVERITY)])
        return path, None

    return make
