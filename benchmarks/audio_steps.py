"""Keeps what was measured of pieces of sound in one small file, so that a decision is made again.

The columns of the analysis, four rows a second, with the truth of each piece: no sound.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.detectors.audio_artifacts import impulse
from defectscope.detectors.audio_artifacts.analysis import COLUMNS, DECIBEL_SCALE
from defectscope.findings import Interval
from defectscope.training.audio_artifacts.measured import Piece

# Where it was not measured every step may hold clicks, none is sure.
_UNKNOWN = {"isolated": round(impulse.LEAST_DB * DECIBEL_SCALE)}


def save(path: Path, pieces: Sequence[Piece]) -> None:
    """Writes pieces as compressed arrays."""
    facts = [
        {
            "name": p.name, "corpus": p.corpus, "seconds": p.seconds, "defect": p.defect,
            "family": p.family, "level": p.level, "steps": len(p.starts_s),
            "events": [[e.start_s, e.end_s] for e in p.events],
            "ticks": -1 if p.audibility_db is None else len(p.audibility_db),
        }
        for p in pieces
    ]  # fmt: skip
    columns = np.stack([np.concatenate([p.columns[name] for p in pieces]) for name in COLUMNS])
    heard = [p.audibility_db for p in pieces if p.audibility_db is not None]
    np.savez_compressed(
        path,
        facts=np.array(json.dumps(facts)),
        names=np.array(COLUMNS),
        columns=columns.astype(np.int16),
        starts=np.concatenate([np.rint(p.starts_s * 4) for p in pieces]).astype(np.int32),
        audibility_db=np.concatenate([*heard, np.zeros(0, np.int8)]).astype(np.int8),
    )


def read(path: Path) -> list[Piece]:
    """Returns the pieces of a file that `save` wrote."""
    out: list[Piece] = []
    with np.load(path) as stored:
        names = [str(name) for name in stored["names"]]
        columns, starts, heard = (stored[k] for k in ("columns", "starts", "audibility_db"))
        step = tick = 0
        for fact in json.loads(str(stored["facts"])):
            steps, ticks = slice(step, step + fact["steps"]), max(0, fact["ticks"])
            own: dict[str, Any] = {n: columns[k, steps] for k, n in enumerate(names)}
            # What a file was written without speaks against nothing, and for nothing.
            own |= {n: np.full(fact["steps"], _UNKNOWN.get(n, 0), np.int16)
                    for n in COLUMNS if n not in own}  # fmt: skip
            out.append(
                Piece(
                    fact["name"],
                    fact["corpus"],
                    fact["seconds"],
                    own,
                    starts[steps] / 4.0,
                    fact["defect"],
                    fact["family"],
                    fact["level"],
                    tuple(Interval(*span) for span in fact["events"]),
                    heard[tick : tick + ticks] if fact["ticks"] >= 0 else None,
                )
            )
            step, tick = steps.stop, tick + ticks
    return out


def entries(work: Path) -> Iterator[Any]:
    """Yields what a run has measured so far, one object after the other; nothing without a file."""
    if not work.exists():
        return
    with work.open("rb") as stream:
        while True:
            try:
                yield pickle.load(stream)
            except EOFError:
                return
