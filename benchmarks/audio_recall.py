"""Counts which audible events of levels 3 to 5 audio_artifacts finds, by defect and by way.

draw   makes events in ways that no simulator uses, on recordings that nothing has seen, and
       measures them, into --work; a run that was killed goes on
keep   writes what --work holds into a file of steps
count  decides on files of steps, each by itself and all of them together
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import audio_pieces
import audio_steps
import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.registry import load
from defectscope.errors import DefectscopeError
from defectscope.findings import Interval
from defectscope.training import corpora
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts.clips import Damage
from defectscope.training.audio_artifacts.measured import Piece, measured
from defectscope.training.audio_artifacts.pieces import Drawn, draw
from defectscope.training.contract import recipe
from defectscope.training.scores import wilson

HERE = Path(__file__).parent
MODERATE = 3


class _TooSlightError(Exception):
    """A level below those that are counted was drawn."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("draw", "keep", "count"))
    parser.add_argument("--root", type=Path, action="append", default=[])
    parser.add_argument("--work", type=Path, action="append", default=[], help="what was measured")
    parser.add_argument("--steps", type=Path, action="append", default=[])
    parser.add_argument("--units", type=int, default=100, help="drawn pieces of each defect")
    parser.add_argument("--seed", type=int, default=900)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    if options.verb == "draw":
        _draw(options)
    elif options.verb == "keep":
        entries = sorted(
            (e for file in options.work for e in audio_steps.entries(file)), key=lambda e: e[:2]
        )
        audio_steps.save(options.steps[0], [entry[2] for entry in entries if entry[2] is not None])
    else:
        print(count({file.stem: audio_steps.read(file) for file in options.steps}))
    return 0


def count(files: dict[str, list[Piece]]) -> str:
    """Returns what is found: by defect and file, by way, and what is missed one by one."""
    detector = cast("AudioArtifacts", load("audio_artifacts"))
    rules = decision.rules_of(detector.tuned.artifact)
    hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
    missed: list[str] = []
    for name, pieces in files.items():
        for piece in pieces:
            if piece.level < MODERATE:
                continue
            found = decision.found(piece, rules)[piece.defect]
            asked = detector.tuned.thresholds[f"{piece.defect}_normal"]
            for event in filter(piece.is_audible, piece.joined_events()):
                evidence = decision.best_over(found, event)
                for place in (name, "together", piece.family):
                    hits[piece.defect, place].append(evidence >= asked)
                if evidence < asked:
                    missed.append(
                        f"- {piece.defect} {piece.family} {piece.level}, {piece.name}: "
                        f"{event.start_s:.1f} to {event.end_s:.1f} s of {piece.seconds:.1f}, "
                        f"evidence {evidence:.1f} of {asked:.1f}"
                    )
    lines = ["| defect | " + " | ".join([*files, "together"]) + " | by way |"]
    lines += ["|---|" + "---|" * (len(files) + 2)]
    for defect in CLASSES:
        cells = [_share(hits[defect, name]) for name in [*files, "together"]]
        ways = sorted(way for d, way in hits if d == defect and way not in {*files, "together"})
        each = ", ".join(f"{w} {sum(hits[defect, w])} of {len(hits[defect, w])}" for w in ways)
        lines.append(f"| {defect} | " + " | ".join(cells) + f" | {each} |")
    return "\n".join([*lines, "", *sorted(missed)])


def _share(hits: Sequence[bool]) -> str:
    if not hits:
        return "none"
    low, high = wilson(sum(hits), len(hits))
    return f"{np.mean(hits):.2f} ({sum(hits)} of {len(hits)}; {low:.2f} to {high:.2f})"


def drawn(
    roots: Sequence[Path],
    units: int,
    seed: int,
    known: Container[tuple[int, int]] = (),
) -> Iterator[tuple[int, int, Drawn]]:
    """Yields pieces with events of levels 3 to 5, each with its unit and the place of its defect.

    Args:
        roots: Where the recordings of audio_unseen.toml lie.
        units: Pieces of each defect that are drawn.
        seed: Of the draw.
        known: Units and places that are passed over.
    """
    recordings = corpora.recordings(
        corpora.read_corpora(HERE / "audio_unseen.toml", roots),
        recipe("audio_artifacts").suffixes,
        seed=1,
    )

    def make(
        sound: NDArray[np.float64], defect: str, span: Interval, level: int, rng: Any
    ) -> tuple[NDArray[np.float64], Damage, NDArray[Any]]:
        if level < MODERATE:
            raise _TooSlightError
        return audio_pieces.by_family(sound, defect, span, level, rng)

    for number in range(units):
        for place, defect in enumerate(CLASSES):
            if (number, place) in known:
                continue
            rng = np.random.default_rng([seed, number, place])
            try:
                yield number, place, draw(recordings, defect, make, rng)
            except (_TooSlightError, DefectscopeError, UnicodeError):
                continue


def _draw(options: argparse.Namespace) -> None:
    (work,) = options.work
    done = {entry[:2] for entry in audio_steps.entries(work)}
    scorer = cast("Scorer", cast("AudioArtifacts", load("audio_artifacts")).scorer)
    with work.open("ab") as out:
        for number, place, one in drawn(options.root, options.units, options.seed, done):
            facts: dict[str, Any] = {
                "name": one.recording.name,
                "corpus": one.recording.corpus,
                "defect": one.damage.defect,
                "family": one.damage.family,
                "level": one.damage.severity,
                "events": tuple(Interval(*span) for span in one.damage.spans_s),
                "audibility_db": one.audibility_db,
            }
            piece = measured(scorer, one.sound, **facts)
            is_heard = piece is not None and any(map(piece.is_audible, piece.joined_events()))
            pickle.dump((number, place, piece if is_heard else None), out)
            out.flush()


if __name__ == "__main__":
    sys.exit(main())
