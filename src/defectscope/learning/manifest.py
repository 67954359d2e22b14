"""Labels as a versioned manifest: what a fit learned from, to the byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.learning.agreement import agreement, reviewers_of, settled
from defectscope.learning.items import ReviewItem, by_id, read_items
from defectscope.learning.labels import Label, LabelFile

SCHEMA = "defectscope/labels/1"


@dataclass(frozen=True, slots=True)
class Labelled:
    """An item with the label that counts.

    Attributes:
        item: What was asked.
        label: What was said.
        folder: Of the queue.
    """

    item: ReviewItem
    label: Label
    folder: Path


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which labels a fit used.

    Attributes:
        document: As manifest.json has it.
        examples: The labels.
    """

    document: dict[str, Any]
    examples: tuple[Labelled, ...]

    @property
    def sha256(self) -> str:
        """Digest of the labels alone: the same labels have the same digest."""
        return str(self.document["sha256"])


def manifest(folders: Sequence[Path], detector: str, version: int = 1) -> Manifest:
    """Returns the manifest of what reviewers settled about a detector.

    Args:
        folders: Queues.
        detector: Whose items.
        version: Number of the manifest.

    Raises:
        InvalidParameterError: No label is about the detector.
        MalformedRequestError: A queue is damaged.
    """
    examples: list[Labelled] = []
    every: list[Label] = []
    disputed = 0
    for folder in folders:
        items = by_id(read_items(folder))
        own = [label for label in LabelFile(folder).current() if label.item in items]
        own = [label for label in own if items[label.item].detector == detector]
        clear, open_items = settled(own)
        examples += [Labelled(items[label.item], label, folder) for label in clear]
        every += own
        disputed += len(open_items)
    if not examples:
        raise InvalidParameterError(
            f"no settled label is about {detector}: review its items first (defectscope review)"
        )
    rows = [
        {
            "item": e.item.id, "title": e.item.title, "defect": e.label.defect,
            "asked": e.item.defect, "answer": e.label.answer, "start_s": e.label.start_s,
            "end_s": e.label.end_s, "reason": e.item.reason, "round": e.item.round,
            "reviewer": e.label.reviewer, "at": e.label.at, "source": e.label.source,
            "trust": e.label.trust,
        }
        for e in sorted(examples, key=lambda e: (e.item.id, e.label.reviewer))
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    document = {
        "schema": SCHEMA,
        "version": version,
        "detector": detector,
        "sha256": digest,
        "labels": len(rows),
        "disputed": disputed,
        "unsure": sum(label.is_there is None for label in every),
        "reviewers": dict(reviewers_of(every)),
        "agreement": [
            {"reviewers": list(a.reviewers), "items": a.items, "kappa": round(a.kappa, 4),
             "interval": [round(v, 4) for v in a.kappa_interval]}
            for a in agreement(every)
        ],
        "examples": rows,
    }  # fmt: skip
    return Manifest(document, tuple(examples))
