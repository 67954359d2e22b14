"""Says over a catalogue of titles whether a candidate is worse, and how sure that is.

Findings cluster by title: a bad master has many in both versions. So titles are the sample, each
with its own pair of counts, and the test is Wilcoxon's on the differences of the square roots of
the counts (the root makes the spread of counts alike). Pooling all findings in one Poisson test
would call one in seven equal pairs worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from defectscope.errors import InvalidParameterError

CatalogueVerdict = Literal["better", "worse", "no difference seen", "too little data"]

ALPHA = 0.05
_POWER = 0.8
_BOOTSTRAPS = 2_000
# Changes that the power is tried for.
_CHANGES = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
_POWER_TRIES = 200
_SEED = 20_240_501


@dataclass(frozen=True)
class Tested:
    """One paired test over titles.

    Attributes:
        name: What was counted: a detector, or `all`.
        titles: Pairs of counts.
        differing: Titles whose two counts differ; the others say nothing.
        base: Sum over the baseline.
        candidate: Sum over the candidate.
        ratio: Candidate over baseline, with its interval of 95 % by bootstrap over titles.
        p_value: Two-sided.
        adjusted_p: After Holm's correction, where several were tested.
        verdict: What follows.
        smallest_change: Smallest rise of findings that would have been called worse in 80 % of
            catalogues like this one; None where not even threefold would.
    """

    name: str
    titles: int
    differing: int
    base: int
    candidate: int
    ratio: tuple[float, float, float] | None
    p_value: float
    adjusted_p: float
    verdict: CatalogueVerdict
    smallest_change: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as in the comparison's JSON."""
        made: dict[str, Any] = {
            "name": self.name,
            "verdict": self.verdict,
            "titles": self.titles,
            "differing_titles": self.differing,
            "base_findings": self.base,
            "candidate_findings": self.candidate,
            "p_value": round(self.p_value, 6),
            "adjusted_p_value": round(self.adjusted_p, 6),
            "smallest_detectable_change": self.smallest_change,
        }
        if self.ratio is not None:
            value, low, high = (round(number, 3) for number in self.ratio)
            made["ratio"] = {"value": value, "low": low, "high": high}
        return made


def paired_test(base: NDArray[np.int64], candidate: NDArray[np.int64]) -> tuple[float, float]:
    """Returns the two-sided p-value and the direction (positive: the candidate has more).

    Args:
        base: (titles,) counts of findings.
        candidate: (titles,) counts of the same titles.
    """
    difference = np.sqrt(candidate) - np.sqrt(base)
    moved = difference[difference != 0]
    if not len(moved):
        return 1.0, 0.0
    result: Any = wilcoxon(moved, method="exact" if len(moved) <= 12 else "approx")
    ranks = np.argsort(np.argsort(np.abs(moved))) + 1
    return float(result.pvalue), float(np.sum(np.sign(moved) * ranks))


def compare_counts(
    counts: Mapping[str, tuple[Sequence[int], Sequence[int]]], *, power: bool = True
) -> tuple[Tested, list[Tested]]:
    """Tests all findings together, and each detector with Holm's correction.

    Args:
        counts: By detector: counts per title in the baseline and in the candidate, in one order of
            titles.
        power: Whether to simulate the smallest change that could have been seen.

    Returns:
        The test of all findings, and those of the detectors by name.

    Raises:
        InvalidParameterError: The counts are not of the same titles.
    """
    tables = {
        name: (np.asarray(pair[0], np.int64), np.asarray(pair[1], np.int64))
        for name, pair in sorted(counts.items())
    }
    sizes = {len(side) for pair in tables.values() for side in pair}
    if len(sizes) != 1:
        raise InvalidParameterError("counts of different numbers of titles cannot be paired")
    base = np.sum([pair[0] for pair in tables.values()], axis=0)
    candidate = np.sum([pair[1] for pair in tables.values()], axis=0)
    p_all, sign_all = paired_test(base, candidate)
    whole = _tested("all", base, candidate, p_all, p_all, sign_all, power=power)
    tests = {name: paired_test(*pair) for name, pair in tables.items()}
    adjusted = holm({name: p for name, (p, _) in tests.items()})
    detectors = [
        _tested(name, *tables[name], p, adjusted[name], sign, power=False)
        for name, (p, sign) in tests.items()
    ]
    return whole, detectors


def overall(whole: Tested, detectors: Sequence[Tested]) -> CatalogueVerdict:
    """Returns one verdict: worse if the whole or any detector is, which are tested apart.

    Each of the two families calls an equal pair worse in at most 2.5 % of catalogues, so that both
    together do in at most 5 %.
    """
    verdicts = [whole.verdict, *(tested.verdict for tested in detectors)]
    if "worse" in verdicts:
        return "worse"
    if "better" in verdicts:
        return "better"
    return whole.verdict


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Returns p-values corrected for their number.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted: dict[str, float] = {}
    least = 0.0
    for k, name in enumerate(ordered):
        least = max(least, min(1.0, (len(ordered) - k) * p_values[name]))
        adjusted[name] = least
    return adjusted


def bootstrap_interval(
    base: NDArray[np.float64], candidate: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Returns the mean difference of paired scores with its interval of 95 %, over titles."""
    difference = candidate - base
    rng = np.random.default_rng(_SEED)
    picks = rng.integers(0, len(difference), (_BOOTSTRAPS, len(difference)))
    means = difference[picks].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(difference.mean()), float(low), float(high)


def _tested(
    name: str,
    base: NDArray[np.int64],
    candidate: NDArray[np.int64],
    p_value: float,
    adjusted: float,
    sign: float,
    *,
    power: bool,
) -> Tested:
    differing = int(np.sum(base != candidate))
    verdict: CatalogueVerdict = "no difference seen"
    if adjusted < ALPHA:
        verdict = "worse" if sign > 0 else "better"
    elif differing and 2.0 ** (1 - differing) >= ALPHA and base.sum() + candidate.sum() > 0:
        # Even if all of them had moved the same way, that would not have been significant.
        verdict = "too little data"
    elif len(base) < _least_titles():
        verdict = "too little data"
    return Tested(
        name,
        len(base),
        differing,
        int(base.sum()),
        int(candidate.sum()),
        _ratio(base, candidate),
        p_value,
        adjusted,
        verdict,
        _smallest_change(base) if power else None,
    )


def _least_titles() -> int:
    """Returns how many titles must differ, all alike, before a test can be significant."""
    return 1 + int(np.ceil(np.log2(1 / ALPHA)))


def _ratio(
    base: NDArray[np.int64], candidate: NDArray[np.int64]
) -> tuple[float, float, float] | None:
    if base.sum() == 0:
        return None
    rng = np.random.default_rng(_SEED)
    picks = rng.integers(0, len(base), (_BOOTSTRAPS, len(base)))
    below, above = base[picks].sum(axis=1), candidate[picks].sum(axis=1)
    ratios = above[below > 0] / below[below > 0]
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(candidate.sum() / base.sum()), float(low), float(high)


def _smallest_change(base: NDArray[np.int64]) -> float | None:
    """Returns the smallest of `_CHANGES` that would have been seen in most catalogues like this.

    The baseline's counts stand for the titles' rates; both versions are drawn anew from them.
    """
    if base.sum() == 0 or len(base) < _least_titles():
        return None
    rng = np.random.default_rng(_SEED)
    for change in _CHANGES:
        seen = 0
        for _ in range(_POWER_TRIES):
            p_value, sign = paired_test(rng.poisson(base), rng.poisson(base * (1 + change)))
            seen += p_value < ALPHA and sign > 0
        if seen >= _POWER * _POWER_TRIES:
            return change
    return None
