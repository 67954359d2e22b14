"""Verdicts over catalogues: equal pairs are rarely called worse, plain differences are."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.compare.statistics import compare_counts, holm, overall
from defectscope.errors import InvalidParameterError


def catalogue(seed: int, titles: int, change: float) -> dict[str, tuple[list[int], list[int]]]:
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.5, 6.0, titles)
    return {
        name: (
            rng.poisson(rates * share).tolist(),
            rng.poisson(rates * share * (1 + change)).tolist(),
        )
        for name, share in (("freeze", 0.6), ("black_frames", 0.3), ("blur", 0.1))
    }


def verdicts(change: float, titles: int = 200, tries: int = 60) -> list[str]:
    return [
        overall(*compare_counts(catalogue(seed, titles, change), power=False))
        for seed in range(tries)
    ]


def test_equal_pairs_are_rarely_called_worse() -> None:
    # At most 5 % are meant to be: of 60, 9 or more would happen once in a thousand times.
    assert verdicts(0.0).count("worse") < 9


def test_half_as_many_findings_again_are_called_worse() -> None:
    assert verdicts(0.5).count("worse") >= 48


def test_fewer_findings_are_better() -> None:
    assert verdicts(-0.5).count("better") >= 48


def test_few_titles_are_too_little_data() -> None:
    whole, detectors = compare_counts({"freeze": ([1, 0, 2], [2, 1, 3])})
    assert overall(whole, detectors) == "too little data"
    assert whole.smallest_change is None


def test_the_smallest_change_that_could_be_seen_is_stated() -> None:
    whole, _ = compare_counts(catalogue(3, 200, 0.0))
    assert whole.smallest_change is not None
    assert 0.1 <= whole.smallest_change <= 1.0


def test_holm_corrects_for_the_number_of_tests() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "c": 0.06, "b": 0.06}
    )


def test_counts_of_different_titles_are_refused() -> None:
    with pytest.raises(InvalidParameterError, match="titles"):
        compare_counts({"freeze": ([1, 2], [1])})
