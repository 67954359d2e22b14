"""What a reviewer is asked: an interval of a title in which a detector may be right or wrong.

A queue is a folder:

    queue.json          schema, when it was made, until when it may be kept
    items.jsonl         one `ReviewItem` a line
    measurements/       what the detector measured on each title, for learning from the labels
    evidence/ID/        clip, frame strip, spectrogram, map of each item
    labels.jsonl        what reviewers said (labels.py)

Nothing in it names a person or a path of the machine it was made on; a title is a file's name.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from defectscope.errors import MalformedRequestError
from defectscope.findings import Interval

ITEMS = "items.jsonl"
Origin = Literal["finding", "near_miss", "random"]
Reason = Literal["", "suspicious", "uncertain", "random"]
ORIGINS: tuple[Origin, ...] = ("finding", "near_miss", "random")
REASONS: tuple[Reason, ...] = ("", "suspicious", "uncertain", "random")
# Names a folder below evidence/: nothing that a path could be made of.
_ID = re.compile(r"[0-9a-f]{16}")
_MAX_LINE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One question to a reviewer.

    Attributes:
        id: Sixteen hexadecimal digits, of title, detector, defect and ends: the same question
            asked twice has the same id.
        title: Name of the asset, without folders.
        detector: Which is asked about.
        defect: Which defect; empty where the question is whether there is any.
        start_s: Where the interval begins, seconds from the first frame.
        end_s: Where it ends.
        origin: `finding`, `near_miss` (its curve rose, and nothing was reported) or `random`.
        score: Probability, 0 to 1, that the defect is there, as the detector has it.
        version: Of the detector that gave the score.
        embedding: What was measured there, for the diversity of a round; may be empty.
        evidence: Measured quantities of a finding; names carry their units.
        reason: Why a round chose it; empty for a candidate.
        round: Number of that round, from 1; 0 for a candidate.
    """

    id: str
    title: str
    detector: str
    defect: str
    start_s: float
    end_s: float
    origin: Origin
    score: float
    version: str
    embedding: tuple[float, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reason: Reason = ""
    round: int = 0

    @property
    def interval(self) -> Interval:
        """Where it is."""
        return Interval(self.start_s, self.end_s)

    def chosen(self, reason: Reason, number: int) -> ReviewItem:
        """Returns the item as a round has it."""
        return replace(self, reason=reason, round=number)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {**asdict(self), "embedding": list(self.embedding)}

    @staticmethod
    def from_dict(data: Any) -> ReviewItem:
        """Reads the JSON form.

        Raises:
            MalformedRequestError: It is not an item, or one whose id is no name of a folder.
        """
        if not isinstance(data, Mapping):
            raise MalformedRequestError("an item of a queue is a JSON object")
        body = cast("Mapping[str, Any]", data)
        known = {f.name for f in fields(ReviewItem)}
        try:
            values: dict[str, Any] = {k: v for k, v in body.items() if k in known}
            values["embedding"] = tuple(float(v) for v in values.get("embedding", ()))
            item = ReviewItem(**values)
            _check(item)
        except (TypeError, ValueError) as error:
            raise MalformedRequestError(f"an item of the queue is damaged: {error}") from None
        return item


def item_id(title: str, detector: str, defect: str, interval: Interval) -> str:
    """Returns the id of a question."""
    text = f"{title}\n{detector}\n{defect}\n{interval.start_s:.3f}\n{interval.end_s:.3f}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def read_items(folder: Path) -> list[ReviewItem]:
    """Returns the items of a queue, in order.

    Raises:
        MalformedRequestError: There is no queue, or a line of it is damaged; names the line.
    """
    path = folder / ITEMS
    out: list[ReviewItem] = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if len(line) > _MAX_LINE_BYTES:
                    raise MalformedRequestError(f"{path}: line {number} is too long for an item")
                if line.strip():
                    out.append(_item(path, number, line))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise MalformedRequestError(f"{path}: not a queue ({reason})") from None
    return out


def write_items(folder: Path, items: Iterable[ReviewItem]) -> None:
    """Writes the items of a queue; an existing file is replaced at once."""
    text = "".join(json.dumps(item.to_dict(), allow_nan=False) + "\n" for item in items)
    write_atomically(folder / ITEMS, text.encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file that is either whole or not there, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with part.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def by_id(items: Sequence[ReviewItem]) -> dict[str, ReviewItem]:
    """Returns the items by id."""
    return {item.id: item for item in items}


def _item(path: Path, number: int, line: bytes) -> ReviewItem:
    try:
        return ReviewItem.from_dict(json.loads(line))
    except ValueError:
        raise MalformedRequestError(f"{path}: line {number} is not JSON") from None
    except MalformedRequestError as error:
        raise MalformedRequestError(f"{path}: line {number}: {error.message}") from None


def _check(item: ReviewItem) -> None:
    # What JSON held may be of any type, whatever the fields promise.
    texts: tuple[Any, ...] = (item.id, item.title, item.detector, item.defect, item.version)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("id, title, detector, defect and version are text")
    if not _ID.fullmatch(item.id):
        raise ValueError(f"{item.id[:40]!r} is no id")
    numbers: tuple[Any, ...] = (item.start_s, item.end_s, item.score, *item.embedding)
    if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
        raise ValueError("ends, score and embedding are finite numbers")
    if not (0 <= item.start_s <= item.end_s and 0 <= item.score <= 1):
        raise ValueError("an item lies within its title, and its score within 0 to 1")
    if item.origin not in ORIGINS or item.reason not in REASONS:
        raise ValueError(f"unknown origin {item.origin!r} or reason {item.reason!r}")
