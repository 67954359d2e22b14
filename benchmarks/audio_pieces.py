"""Measures pieces of sound with audio_artifacts and keeps what it measured, unit by unit."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import audio_families
import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.spectra import RATE_HZ
from defectscope.errors import DefectscopeError
from defectscope.findings import Interval
from defectscope.training.audio_artifacts import clips
from defectscope.training.audio_artifacts.clips import Damage
from defectscope.training.audio_artifacts.measured import Piece, measured
from defectscope.training.audio_artifacts.pieces import Maker, by_simulator, draw, passed_on
from defectscope.training.contract import Recording

Sound = NDArray[Any]
_UNIT = 10
_SEAM = 64


def clean(
    scorer: Scorer, recordings: Sequence[Recording], longest_s: float, seed: int, *, coded: bool
) -> list[Callable[[], list[Piece]]]:
    """Returns units of clean recordings as they are, or passed on at a level through a codec."""

    def unit(part: Sequence[Recording], number: int) -> list[Piece]:
        out: list[Piece] = []
        rng = np.random.default_rng([seed, number, int(coded)])
        for recording in part:
            try:
                sound = clips.read_mono(recording.path, RATE_HZ)
            except (DefectscopeError, UnicodeError):
                continue
            if len(sound) > longest_s * RATE_HZ:
                start = int(rng.integers(0, len(sound) - longest_s * RATE_HZ))
                sound = sound[start : start + round(longest_s * RATE_HZ)]
            if coded and len(sound) < RATE_HZ:
                continue
            if coded:
                sound, _ = passed_on(sound / 32768, rng)
            piece = measured(scorer, sound, name=recording.name, corpus=recording.corpus)
            out += [piece] if piece is not None else []
        return out

    ordered = sorted(recordings, key=lambda r: zlib.crc32(r.name.encode()))
    starts = range(0, len(ordered), _UNIT)
    return [lambda i=i: unit(ordered[i : i + _UNIT], i) for i in starts]


def impaired(
    scorer: Scorer, recordings: Sequence[Recording], make: Maker, count: int, seed: int
) -> list[Callable[[], list[Piece]]]:
    """Returns units of pieces, one for each defect in turn."""

    def unit(number: int) -> list[Piece]:
        out: list[Piece] = []
        for place, defect in enumerate(CLASSES):
            rng = np.random.default_rng([seed, number, place])
            one = draw(recordings, defect, make, rng)
            piece = measured(
                scorer,
                one.sound,
                name=one.recording.name,
                corpus=one.recording.corpus,
                defect=defect,
                family=one.damage.family,
                level=one.damage.severity,
                events=tuple(Interval(*span) for span in one.damage.spans_s),
                audibility_db=one.audibility_db,
            )
            out += [piece] if piece is not None else []
        return out

    return [lambda n=n: unit(n) for n in range(count)]


def by_family(
    sound: NDArray[np.float64], defect: str, span: Interval, level: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], Damage, Sound]:
    """Returns a sound damaged in a way that no simulator uses."""
    family = str(rng.choice(list(audio_families.FAMILIES[defect])))
    first, last = round(span.start_s * RATE_HZ), round(span.end_s * RATE_HZ)
    own = sound[first:last]
    made = audio_families.damage(defect, family, own, RATE_HZ, level, rng)
    # Loudness tells nothing: what became louder is turned down.
    loud = float(np.sqrt(np.mean(made.sound**2)))
    gain = min(1.0, float(np.sqrt(np.mean(own**2))) / max(loud, 1e-9))
    weight = np.ones(len(own))
    if first > 0:
        weight[:_SEAM] = np.linspace(0, 1, _SEAM)
    if last < len(sound):
        weight[-_SEAM:] = np.linspace(1, 0, _SEAM)
    out, plain = sound.copy(), sound.copy()
    out[first:last] = own + (made.sound * gain - own) * weight
    plain[first:last] = own * (1 + (gain - 1) * weight)
    spans = tuple(((first + a) / RATE_HZ, (first + b) / RATE_HZ) for a, b in made.events)
    return out, Damage(defect, family, level, spans, {}), out - plain


MAKERS: dict[str, Maker] = {"simulators": by_simulator, "other ways": by_family}


def kept(path: Path, units: Sequence[Callable[[], list[Piece]]]) -> Iterator[Piece]:
    """Yields the pieces of every unit; those made before a kill come from the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made: list[list[Piece]] = []
    if path.exists():
        with path.open("rb") as stream:
            while True:
                try:
                    made.append(pickle.load(stream))
                except (EOFError, pickle.UnpicklingError):
                    break
    with path.open("wb") as stream:
        for pieces in made:
            pickle.dump(pieces, stream)
        for number, unit in enumerate(units):
            if number >= len(made):
                made.append(unit())
                pickle.dump(made[-1], stream)
                stream.flush()
    for pieces in made:
        yield from pieces
