"""Measures the head of block corruption on ways of damaging that it did not learn.

    python benchmarks/block_left_out.py --examples WORK --recordings FOLDER [--pattern 'p70m_*.mp4']
        --work FOLDER [--clips 160] [--seed 5] [--out FILE]

WORK holds the examples of `defectscope-train heads`; of FOLDER's recordings nothing was learned.
Heads are learned from all examples, from all but one codec's, and from all but one generator's.
All rank the same pairs of frames: where damage begins or ends, and where nothing is new.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import block_scores
import numpy as np
from publishing import publish

from defectscope.training.block_corruption import onset_examples, onset_training
from defectscope.training.block_corruption.grey_slices import GREY_SLICES
from defectscope.training.block_corruption.onset_training import Example
from defectscope.training.block_corruption.programmes import detector_in_use
from defectscope.training.contract import Recording

CODEC, GENERATOR = "libx265", "slice_loss"
LARGE = 0.07
_SEEDS = (1, 2)


def pairs(paths: Sequence[Path], work: Path, count: int, seed: int) -> list[Example]:
    """Makes the pairs once; a second run reads them."""
    work.mkdir(parents=True, exist_ok=True)
    shown = [Recording(p, "strangers", p.name, p.stem, "test") for p in paths]
    runtime = detector_in_use().runtime
    files: list[Path] = []
    for number in range(count):
        plan = onset_examples.plan_of(shown, number, seed)
        path = work / f"{number:05d}.npz"
        if plan.generator == GREY_SLICES:
            continue
        if path.exists() or onset_examples.make(plan, runtime, path):
            files.append(path)
    return [e for e in onset_training.read_examples(files) if e.label is not None]


def scores(learned: Sequence[Example], measured: Sequence[Example]) -> list[np.ndarray]:
    """Returns what heads of some examples say of the measured pairs."""
    heads = [onset_training.learn(learned, seed)[0] for seed in _SEEDS]
    return [
        np.array([head.of_frame(row) for row in onset_training.described(head.layer, measured)])
        for head in heads
    ]


def row(title: str, said: Sequence[np.ndarray], measured: Sequence[Example]) -> str:
    """Returns a row of the table: AUC of what is new, for all ways and for those left out."""
    new = np.array([e.label == 1 for e in measured])
    ways: list[Callable[[Example], bool]] = [
        lambda _: True,
        lambda e: e.facts["codec"] == CODEC,
        lambda e: e.facts["generator"] == GENERATOR,
        lambda e: e.look.new_share >= LARGE,
    ]
    cells: list[str] = []
    for way in ways:
        counted = ~new | np.array([way(e) for e in measured])
        found = [block_scores.auc(each[counted], new[counted]) for each in said]
        cells.append(f"{np.mean(found):.3f} ({int((new & counted).sum())})")
    return f"| {title} | " + " | ".join(cells) + " |"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--pattern", default="p70m_*.mp4")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the table here as well")
    given = parser.parse_args()
    paths = sorted(given.recordings.glob(given.pattern))
    measured = pairs(paths, given.work, given.clips, given.seed)
    every = onset_training.read_examples(sorted(given.examples.glob("?????.npz")))

    def without(fact: str, value: str) -> list[Example]:
        return [e for e in every if e.facts[fact] != value]

    shipped: Any = detector_in_use().heads.onset
    said = [shipped.of_frame(each) for each in onset_training.described(shipped.layer, measured)]
    lines = [
        f"| head, {sum(e.label == 0 for e in measured)} pairs without anything new | all "
        f"| {CODEC} | {GENERATOR} | over 7 % new |",
        "|---|---|---|---|---|",
        row("in use", [np.array(said)], measured),
        row("all ways", scores(every, measured), measured),
        row(f"without {CODEC}", scores(without("codec", CODEC), measured), measured),
        row(f"without {GENERATOR}", scores(without("generator", GENERATOR), measured), measured),
        row(
            f"without {GREY_SLICES}",
            scores(without("generator", GREY_SLICES), measured),
            measured,
        ),
    ]
    publish("\n".join(lines) + "\n", given.out)


if __name__ == "__main__":
    main()
