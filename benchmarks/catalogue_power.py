"""Simulates catalogues, and prints how often equal and worse candidates are called worse.

    python benchmarks/catalogue_power.py

Findings cluster by title: each title has a rate of its own (a gamma distribution of shape 0.5),
each finding belongs to one of 21 detectors with unequal shares, and a version's counts are drawn
from these rates. What is called worse is the verdict of the whole comparison.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.compare.statistics import compare_counts, overall

CATALOGUES = 200
DETECTORS = 21
MEAN_FINDINGS = 3.0
SHAPE = 0.5


Counts = dict[str, tuple[list[int], list[int]]]
VERDICTS = ("worse", "better", "no difference seen", "too little data")


def catalogue(rng: np.random.Generator, titles: int, change: float) -> Counts:
    """Returns counts by detector of a catalogue whose candidate has `change` more findings."""
    rates = rng.gamma(SHAPE, MEAN_FINDINGS / SHAPE, titles)
    shares = 1.0 / np.arange(1, DETECTORS + 1)
    shares /= shares.sum()

    def drawn(rate: float) -> NDArray[np.int64]:
        return rng.poisson(rate * rates[:, None] * shares[None, :])

    base, candidate = drawn(1.0), drawn(1.0 + change)
    return {f"d{k:02d}": (base[:, k].tolist(), candidate[:, k].tolist()) for k in range(DETECTORS)}


def main() -> None:
    """Prints the table."""
    print("| titles | more findings | worse | better | no difference seen | too little data |")
    print("|---|---|---|---|---|---|")
    for titles in (10, 50, 200):
        for change in (0.0, 0.25, 0.5, 1.0):
            rng = np.random.default_rng(round(1000 * change) + titles)
            counts: dict[str, int] = {}
            for _ in range(CATALOGUES):
                verdict = overall(*compare_counts(catalogue(rng, titles, change), power=False))
                counts[verdict] = counts.get(verdict, 0) + 1
            row = [f"{counts.get(name, 0) / CATALOGUES:.1%}" for name in VERDICTS]
            print(f"| {titles} | {change:+.0%} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
