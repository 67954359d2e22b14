"""Chooses a round: of every six items three most suspicious, two most uncertain, one random.

The random ones are drawn first, evenly and from everything, so that they alone tell without bias
how often findings are right. What is suspicious or uncertain comes from one title each, and unlike
what is labelled already.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import spatial

from defectscope.errors import InvalidParameterError
from defectscope.learning.items import Reason, ReviewItem

# Of every six. One random in six keeps the estimate of precision free of bias at little cost.
PATTERN: tuple[Reason, ...] = (
    "random", "suspicious", "uncertain", "suspicious", "uncertain", "suspicious",
)  # fmt: skip
MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Round:
    """What a round asks.

    Attributes:
        items: To be shown, in the order of showing.
        reused: Drawn at random and labelled before: their labels count for the estimate again,
            and nobody is asked twice.
    """

    items: tuple[ReviewItem, ...]
    reused: tuple[ReviewItem, ...]


def choose(
    candidates: Sequence[ReviewItem],
    count: int,
    seed: int,
    labelled: Sequence[ReviewItem] = (),
    number: int = 1,
    *,
    diverse: bool = True,
) -> Round:
    """Returns a round.

    Args:
        candidates: Everything that could be asked.
        count: How many items, six a day for six minutes.
        seed: Of the random share and of the order.
        labelled: Items of earlier rounds.
        number: Of the round.
        diverse: Prefer what was measured unlike what is labelled or chosen; False shows in a
            benchmark what that does.

    Raises:
        InvalidParameterError: The count is not within 1 to 10,000.
    """
    if not 1 <= count <= MOST_ITEMS:
        raise InvalidParameterError(f"a round has 1 to {MOST_ITEMS} items, not {count}")
    rng = np.random.default_rng([seed, number])
    wanted: list[Reason] = [PATTERN[k % len(PATTERN)] for k in range(count)]
    known = {item.id for item in labelled}
    drawn = _at_random(candidates, wanted.count("random"), rng)
    reused = [item.chosen("random", number) for item in drawn if item.id in known]
    chosen = [item.chosen("random", number) for item in drawn if item.id not in known]
    space = _Space([*candidates, *labelled] if diverse else [])
    seen = [*labelled, *chosen]
    titles = {item.title for item in chosen}
    for reason in wanted:
        if reason == "random":
            continue
        best = _best(reason, candidates, seen, known, titles, space)
        if best is None:
            break
        titles.add(best.title)
        seen.append(best)
        chosen.append(best.chosen(reason, number))
    # What is asked next must not tell what kind it is.
    order = rng.permutation(len(chosen))
    return Round(tuple(chosen[int(k)] for k in order), tuple(reused))


def at_random(
    candidates: Sequence[ReviewItem],
    count: int,
    seed: int,
    labelled: Sequence[ReviewItem] = (),
    number: int = 1,
) -> Round:
    """Returns a round drawn evenly from everything that has no label: what choosing is beside."""
    known = {item.id for item in labelled}
    open_items = [item for item in candidates if item.id not in known]
    rng = np.random.default_rng([seed, number])
    order = rng.permutation(len(open_items))[:count]
    return Round(tuple(open_items[int(k)].chosen("random", number) for k in order), ())


def _at_random(
    candidates: Sequence[ReviewItem], count: int, rng: np.random.Generator
) -> list[ReviewItem]:
    """Returns findings and random pieces in turn, each kind drawn evenly from all of its kind."""
    kinds = [[c for c in candidates if c.origin == origin] for origin in ("finding", "random")]
    drawn = [[kind[int(k)] for k in rng.permutation(len(kind))] for kind in kinds]
    out: list[ReviewItem] = []
    while len(out) < count and any(drawn):
        for own in drawn:
            if own and len(out) < count:
                out.append(own.pop(0))
    return out


def _best(
    reason: Reason,
    candidates: Sequence[ReviewItem],
    seen: Sequence[ReviewItem],
    known: Collection[str],
    titles: Collection[str],
    space: _Space,
) -> ReviewItem | None:
    open_items = [c for c in candidates if c.id not in known and c.title not in titles and c.defect]
    if not open_items:
        # All titles had their turn: another item of a title is better than none.
        taken = {item.id for item in seen}
        open_items = [c for c in candidates if c.id not in taken and c.defect]
    if not open_items:
        return None
    scores = np.array([item.score for item in open_items])
    weight = scores if reason == "suspicious" else 1 - 2 * np.abs(scores - 0.5)
    weight = weight * space.novelty(open_items, seen)
    # Ties fall the same way on every machine, and not by title.
    ties = np.array([zlib.crc32(item.id.encode()) for item in open_items])
    return open_items[int(np.lexsort((ties, -weight))[0])]


class _Space:
    """Distances between what was measured, each quantity by its own spread."""

    def __init__(self, items: Sequence[ReviewItem]) -> None:
        self._where: dict[str, NDArray[np.float64]] = {}
        by_shape: dict[tuple[str, int], list[ReviewItem]] = {}
        for item in items:
            if item.embedding:
                by_shape.setdefault((item.detector, len(item.embedding)), []).append(item)
        for own in by_shape.values():
            values = np.array([item.embedding for item in own], np.float64)
            spread = values.std(axis=0)
            # Distances of about one between any two, however many quantities there are.
            scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
            scaled /= np.sqrt(2 * values.shape[1])
            self._where |= {item.id: row for item, row in zip(own, scaled, strict=True)}

    def novelty(
        self, items: Sequence[ReviewItem], seen: Sequence[ReviewItem]
    ) -> NDArray[np.float64]:
        """Returns 0 to 1 for each item: how unlike it is to those seen of its defect."""
        out = np.ones(len(items))
        groups: dict[tuple[str, int], list[int]] = {}
        for place, item in enumerate(items):
            if item.id in self._where:
                groups.setdefault((item.defect, len(item.embedding)), []).append(place)
        for (defect, size), places in groups.items():
            near = [
                self._where[s.id]
                for s in seen
                if s.defect == defect and s.id in self._where and len(s.embedding) == size
            ]
            if near:
                own = np.stack([self._where[items[place].id] for place in places])
                apart = spatial.distance.cdist(own, np.stack(near)).min(axis=1)
                out[places] = 1 - np.exp(-2 * apart)
        return out
