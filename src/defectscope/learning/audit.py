"""How often findings are right in production, from the random share of review queues alone.

Each round drew findings evenly from all that there were; what reviewers said of them is a sample
of that round. Rounds count by how many findings they had (stratified sampling), and the interval is
Wilson's at the effective size of the sample.

Source: Kish 1965, Survey Sampling (effective size); Wilson 1927, J. Am. Stat. Assoc. 22(158).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from defectscope.errors import InvalidParameterError
from defectscope.learning.agreement import settled
from defectscope.learning.items import ReviewItem, by_id, read_items
from defectscope.learning.labels import Label, LabelFile
from defectscope.learning.queue_folder import Draw, read_facts


@dataclass(frozen=True, slots=True)
class Audit:
    """What the random share says of a detector.

    Attributes:
        detector: Which.
        findings: How many findings the rounds had.
        asked: How many of those drawn have a settled answer.
        right: How many of these were right.
        precision: Share of all findings that are right, as estimated.
        interval: Its 95 % interval.
        pieces: How many random pieces without a finding have a settled answer.
        missed: In how many of these reviewers found a defect after all.
        missed_interval: 95 % interval of the share of such pieces.
    """

    detector: str
    findings: int
    asked: int
    right: int
    precision: float
    interval: tuple[float, float]
    pieces: int
    missed: int
    missed_interval: tuple[float, float]


def audit(folders: Sequence[Path]) -> list[Audit]:
    """Returns what the random shares of queues say of each detector.

    Args:
        folders: Queues.

    Raises:
        MalformedRequestError: A queue is damaged.
        InvalidParameterError: No item that was drawn at random has a settled answer.
    """
    strata: dict[str, list[tuple[int, int, int]]] = {}
    pieces: dict[str, list[bool]] = {}
    for folder in folders:
        items = by_id(read_items(folder))
        clear, _ = settled([x for x in LabelFile(folder).current() if x.item in items])
        answers = {label.item: label for label in clear}
        facts = read_facts(folder)
        for draw in facts.draws or _from_reasons(items):
            for detector, asked, right in _findings(draw, items, answers):
                total = draw.findings.get(detector, asked)
                strata.setdefault(detector, []).append((total, asked, right))
        for item in items.values():
            if item.reason == "random" and item.origin == "random" and item.id in answers:
                there = answers[item.id].is_there is True
                pieces.setdefault(item.detector, []).append(there)
    names = sorted({*strata, *pieces})
    if not names:
        raise InvalidParameterError(
            "no item that was drawn at random has an answer on which reviewers agree"
        )
    return [_audited(name, strata.get(name, []), pieces.get(name, [])) for name in names]


def stratified(strata: Sequence[tuple[int, int, int]]) -> tuple[float, tuple[float, float]]:
    """Returns an estimated share and its 95 % interval.

    Args:
        strata: Of each: how many there are, how many were looked at, how many of these hold. Those
            of which nothing was looked at are left out, as if they were like the others.
    """
    known = [(total, asked, right) for total, asked, right in strata if asked]
    whole = sum(total for total, _, _ in known)
    if not whole:
        return math.nan, (0.0, 1.0)
    weights = [total / whole for total, _, _ in known]
    share = sum(w * right / asked for w, (_, asked, right) in zip(weights, known, strict=True))
    size = 1 / sum(w * w / asked for w, (_, asked, _) in zip(weights, known, strict=True))
    return share, _wilson(share, size)


def _wilson(share: float, size: float) -> tuple[float, float]:
    z = float(stats.norm.ppf(0.975))
    centre = share + z * z / (2 * size)
    spread = z * math.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    scale = 1 + z * z / size
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _audited(name: str, strata: Sequence[tuple[int, int, int]], pieces: Sequence[bool]) -> Audit:
    precision, interval = stratified(strata)
    count, missed = len(pieces), sum(pieces)
    return Audit(
        name,
        sum(total for total, _, _ in strata),
        sum(asked for _, asked, _ in strata),
        sum(right for _, _, right in strata),
        precision,
        interval,
        count,
        missed,
        _wilson(missed / count, count) if count else (0.0, 1.0),
    )


def _findings(
    draw: Draw, items: Mapping[str, ReviewItem], answers: Mapping[str, Label]
) -> list[tuple[str, int, int]]:
    """Returns for each detector how many findings drawn have an answer, and how many are right."""
    own: dict[str, list[bool]] = {}
    for name in draw.items:
        item = items.get(name)
        if item is not None and item.origin == "finding" and name in answers:
            label = answers[name]
            # Another defect than was reported is there: that finding is not right.
            right = label.is_there is True and label.defect in ("", item.defect)
            own.setdefault(item.detector, []).append(right)
    return [(detector, len(right), sum(right)) for detector, right in own.items()]


def _from_reasons(items: Mapping[str, ReviewItem]) -> list[Draw]:
    """Returns the draws of a queue that was made before draws were kept."""
    by_round: dict[int, list[str]] = {}
    for item in items.values():
        if item.reason == "random":
            by_round.setdefault(item.round, []).append(item.id)
    return [Draw(number, {}, tuple(ids)) for number, ids in sorted(by_round.items())]
