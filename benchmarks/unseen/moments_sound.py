"""Clips of sound and of captions that went wrong in ways that no simulator knows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import captions
import numpy as np
import soundfile
from av.error import FFmpegError
from captions import Captioned, programme
from verified import has_already

from unseen import ways_captions, ways_sound
from unseen.design import is_unseen
from unseen.moments import Moment
from unseen.ways_sound import Sound

SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".mp4", ".webm", ".mkv"}
DEFECTS = tuple(ways_sound.WAYS_OF)
CAPTION_DEFECTS = tuple(ways_captions.WAYS_OF)
LENGTH_S, _LEAST_S = 9.0, 6.0
_LEVELS = (3, 4, 5)
_WAYS_EACH = 5
# Below this the two channels have no phase that could be turned over.
_LEAST_CORRELATION = 0.3
# Voices of three languages choose nothing.
_UNSEEN_VOICES = ("voc_ru", "voc_uk", "voc_wa")


def _rng(text: str) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16))


def heard(path: Path) -> tuple[Sound, int] | None:
    """Returns the middle of a recording's sound as a pair, and its rate; None without sound."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            rate_hz = stream.rate
            resampler = av.AudioResampler("fltp", "stereo", rate_hz)
            blocks = [
                out.to_ndarray()
                for frame in container.decode(stream)
                for out in resampler.resample(frame)
            ]
    except (FFmpegError, OSError, UnicodeDecodeError):
        return None
    if not blocks:
        return None
    sound = np.concatenate(blocks, axis=1).T.astype(np.float32)
    if len(sound) < _LEAST_S * rate_hz:
        return None
    length = min(len(sound), round(LENGTH_S * rate_hz))
    first = (len(sound) - length) // 2
    return sound[first : first + length], rate_hz


def write(sound: Sound, rate_hz: int, target: Path) -> None:
    """Writes a pair as FLAC, or in AAC at 128 kbit/s where the name says so."""
    if target.suffix == ".flac":
        soundfile.write(target, sound, rate_hz, subtype="PCM_16")
        return
    with av.open(str(target), "w") as out:
        stream = out.add_stream("aac", rate=rate_hz, layout="stereo")
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def made(
    paths: Sequence[Path], defects: Sequence[str], per_way: int, work: Path
) -> Iterable[Moment]:
    """Makes clips of sound until each way has so many of seen and of unseen recordings."""
    work.mkdir(parents=True, exist_ok=True)
    for unseen in (False, True):
        count: dict[str, int] = {}
        pool = [p for p in paths if is_unseen(p) == unseen and not has_already(p.name, DEFECTS)]
        for at in _rng(f"sounds {unseen}").permutation(len(pool)):
            lacking = [
                (defect, way)
                for defect in defects
                for way in ways_sound.WAYS_OF[defect]
                if count.get(way, 0) < per_way
            ]
            if not lacking:
                break
            for moment in _of_recording(pool[at], lacking, work, unseen=unseen):
                count[moment.facts["way"]] = count.get(moment.facts["way"], 0) + 1
                yield moment


def _of_recording(
    path: Path, ways: Sequence[tuple[str, str]], work: Path, *, unseen: bool
) -> Iterable[Moment]:
    note = work / f"sound.{path.stem}.json"
    if not note.exists():
        note.write_text(json.dumps(_rows(path, ways, work, unseen=unseen)) + "\n", "utf-8")
    for facts in json.loads(note.read_text("utf-8")):
        yield Moment(work / facts["file"], facts)


def _rows(
    path: Path, ways: Sequence[tuple[str, str]], work: Path, *, unseen: bool
) -> list[dict[str, Any]]:
    got = heard(path)
    if got is None:
        return []
    rng, (sound, rate_hz) = _rng(path.name), got
    power = float(np.sqrt((sound[:, 0] ** 2).mean() * (sound[:, 1] ** 2).mean()))
    common = float((sound[:, 0] * sound[:, 1]).mean()) / power if power > 0 else 0.0
    rows: list[dict[str, Any]] = []
    chosen = [ways[k] for k in rng.permutation(len(ways))[:_WAYS_EACH]]
    for defect, way in [*chosen, ("", "clean")]:
        if defect == "phase_inversion" and common < _LEAST_CORRELATION:
            continue
        level = int(rng.choice(_LEVELS)) if defect else 0
        told, out = [], sound
        if defect:
            try:
                out, told = ways_sound.WAYS_OF[defect][way](sound, rate_hz, level, rng)
            except ValueError:
                continue  # nobody would hear it
        delivered = bool(rng.random() < 0.5)
        suffix = ".m4a" if delivered else ".flac"
        file = f"{defect or 'none'}.{way}.{level}.{path.stem}{suffix}"
        write(out, rate_hz, work / file)
        rows.append(
            {
                **{"file": file, "defect": defect, "way": way, "level": level, "truth": told},
                **{"recording": path.name, "unseen": unseen, "delivered": delivered},
                "sound": True,
            }
        )
    return rows


def captioned(
    voices: Sequence[Path], music: Sequence[Path], per_way: int
) -> Iterable[dict[str, Any]]:
    """Returns what is found of captions that went wrong, programme by programme.

    Programmes are five minutes of voices with pauses between, bare or over music; captions are set
    where they speak.

    Args:
        voices: Recordings of speech.
        music: Recordings of music.
        per_way: Programmes of seen voices, and of unseen ones.
    """
    for unseen in (False, True):
        split = "unseen" if unseen else "seen"
        spoken = [p for p in voices if p.name.startswith(_UNSEEN_VOICES) == unseen]
        for number in range(per_way):
            bed_db = captions.BEDS[number % len(captions.BEDS)]
            sound, cues = programme(1000 * unseen + number, spoken, music, bed_db)
            judged = Captioned(sound)
            rng = _rng(f"captions {unseen} {number}")
            for defect, ways in [("", {"clean": None}), *ways_captions.WAYS_OF.items()]:
                for way, change in ways.items():
                    level = int(rng.choice(_LEVELS)) if defect else 0
                    shown, wrong = change(cues, level, rng) if change else (list(cues), [])
                    yield {
                        **{"file": f"captions.{way}.{level}.{unseen}.{number}", "defect": defect},
                        **{"way": way, "level": level, "unseen": unseen, "delivered": False},
                        "truth": [[a, b] for _, a, b in wrong],
                        "recording": f"programme {number} of {split} voices",
                        "found": [
                            [f.defect, f.start_s, f.end_s, ""] for f in judged.findings(shown)
                        ],
                        "captions": True,
                    }
