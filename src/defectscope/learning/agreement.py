"""How far reviewers agree, and what counts where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from defectscope.learning.labels import Label
from defectscope.training.scores import wilson

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree.

    Attributes:
        reviewers: Both.
        items: What both answered with yes or no.
        same: On how many they agree.
        share: 95 % interval of the share on which they agree (Wilson).
        kappa: Cohen's kappa: 1 for always, 0 for no more than by chance.
        kappa_interval: Its 95 % interval, by resampling the items.
    """

    reviewers: tuple[str, str]
    items: int
    same: int
    share: tuple[float, float]
    kappa: float
    kappa_interval: tuple[float, float]


def agreement(labels: Sequence[Label], seed: int = 1) -> list[Agreement]:
    """Returns the agreement of every two reviewers who answered a common item."""
    answers: dict[str, dict[str, bool]] = {}
    for label in labels:
        if label.is_there is not None:
            answers.setdefault(label.reviewer, {})[label.item] = label.is_there
    out: list[Agreement] = []
    for first, second in combinations(sorted(answers), 2):
        common = sorted(answers[first].keys() & answers[second].keys())
        if not common:
            continue
        pairs = np.array([(answers[first][item], answers[second][item]) for item in common])
        same = int((pairs[:, 0] == pairs[:, 1]).sum())
        low, high = np.quantile(_resampled(pairs, seed), [0.025, 0.975])
        out.append(
            Agreement(
                (first, second),
                len(common),
                same,
                wilson(same, len(common)),
                _kappa(pairs),
                (float(low), float(high)),
            )
        )
    return out


def settled(labels: Sequence[Label]) -> tuple[list[Label], list[str]]:
    """Returns one label for each item on which reviewers agree, and the items in dispute.

    Of several that agree the last counts, with the trust of both together: two reviewers who each
    err once in ten err together once in a hundred.
    """
    by_item: dict[str, list[Label]] = {}
    for label in labels:
        if label.is_there is not None:
            by_item.setdefault(label.item, []).append(label)
    out: list[Label] = []
    disputed: list[str] = []
    for item, own in by_item.items():
        if len({(label.is_there, label.defect if label.is_there else "") for label in own}) > 1:
            disputed.append(item)
            continue
        out.append(own[-1])
    return out, disputed


def reviewers_of(labels: Sequence[Label]) -> Mapping[str, int]:
    """Returns how many items each reviewer answered."""
    out: dict[str, int] = {}
    for label in labels:
        out[label.reviewer] = out.get(label.reviewer, 0) + 1
    return out


def _kappa(pairs: NDArray[np.bool_]) -> float:
    cells = np.asarray(_cells(pairs), np.float64)
    return float(_kappa_of(cells[np.newaxis] / len(pairs))[0])


def _cells(pairs: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns how many items both, the first alone, the second alone and none answered with yes."""
    both, first, second = pairs.all(axis=1).sum(), pairs[:, 0].sum(), pairs[:, 1].sum()
    cells = [both, first - both, second - both, len(pairs) - first - second + both]
    return np.array(cells, np.int64)


def _resampled(pairs: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """Returns kappa of items drawn again and again, from the four counts alone."""
    rng = np.random.default_rng(seed)
    shares = _cells(pairs) / len(pairs)
    return _kappa_of(rng.multinomial(len(pairs), shares, size=_RESAMPLES) / len(pairs))


def _kappa_of(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns Cohen's kappa of rows of the four shares; 1 where both say one thing alone.

    Source: Cohen 1960, Educational and Psychological Measurement 20(1). A test holds it against
    scikit-learn's, which an image for serving does not bring.
    """
    agreed = shares[:, 0] + shares[:, 3]
    yes, also = shares[:, 0] + shares[:, 1], shares[:, 0] + shares[:, 2]
    chance = yes * also + (1 - yes) * (1 - also)
    certain = chance >= 1 - 1e-12
    return np.where(certain, 1.0, (agreed - chance) / np.where(certain, 1.0, 1 - chance))
