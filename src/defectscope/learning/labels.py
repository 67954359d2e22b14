"""What reviewers said: one line of JSON for each answer, on disk before the next is asked.

The file only grows. An answer that is taken back is a line of its own; the last line of a reviewer
about an item counts. A line that a kill cut short is not an answer, and is left out.
"""

from __future__ import annotations

import json
import math
import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.learning.regions import check_runs

LABELS = "labels.jsonl"
Answer = Literal["true", "false", "wrong_ends", "unsure", "undone"]
ANSWERS: tuple[Answer, ...] = ("true", "false", "wrong_ends", "unsure", "undone")
# Initials or an account: a name in full, an address or a path is more than is needed.
_REVIEWER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True, slots=True)
class Label:
    """One answer.

    Attributes:
        item: Id of the item.
        answer: `true`, `false`, `wrong_ends` (it is there, between `start_s` and `end_s`),
            `unsure`, or `undone`: the reviewer takes back what was said.
        defect: Which defect is there; empty where none is.
        start_s: Where it begins, as the reviewer says.
        end_s: Where it ends.
        reviewer: Initials or an account.
        at: When, ISO 8601 in UTC.
        version: Of the detector that was asked about.
        source: `review`, `label_studio`, `ground_truth` or `truth`.
        trust: Weight in learning, above 0 to 1.
        seconds: How long the reviewer took, 0 where it is not known.
        region: Where in the frame, as shares of width and height: x, y, width, height; empty for
            the whole frame.
        mask: What of the frame is marked, see regions.py; empty where nobody painted.
    """

    item: str
    answer: Answer
    defect: str
    start_s: float
    end_s: float
    reviewer: str
    at: str
    version: str = ""
    source: str = "review"
    trust: float = 1.0
    seconds: float = 0.0
    region: tuple[float, ...] = ()
    mask: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.answer not in ANSWERS:
            raise InvalidParameterError(f"an answer is one of {', '.join(ANSWERS)}")
        if not _REVIEWER.fullmatch(self.reviewer):
            raise InvalidParameterError(
                f"reviewer {self.reviewer[:40]!r}: initials or an account, up to 32 of A-Z a-z 0-9 "
                "_ . -"
            )
        if not 0 < self.trust <= 1:
            raise InvalidParameterError(f"trust is above 0 and up to 1, not {self.trust}")
        ends = (self.start_s, self.end_s, self.seconds, *self.region)
        if not all(math.isfinite(e) for e in ends) or not 0 <= self.start_s <= self.end_s:
            raise InvalidParameterError("a label begins at 0 or later, and ends after it begins")
        if self.region and (len(self.region) != 4 or not all(0 <= v <= 1 for v in self.region)):
            raise InvalidParameterError("a region is x, y, width, height, each 0 to 1")
        if self.mask:
            try:
                check_runs(self.mask)
            except (ValueError, TypeError) as error:
                raise InvalidParameterError(str(error)) from None

    @property
    def is_there(self) -> bool | None:
        """Whether the defect is there; None where the reviewer could not say."""
        if self.answer in ("unsure", "undone"):
            return None
        return self.answer != "false"

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {**asdict(self), "region": list(self.region), "mask": list(self.mask)}

    @staticmethod
    def from_dict(data: Any) -> Label:
        """Reads the JSON form.

        Raises:
            MalformedRequestError: It is not a label.
        """
        if not isinstance(data, Mapping):
            raise MalformedRequestError("a label is a JSON object")
        body = cast("Mapping[str, Any]", data)
        known = {f.name for f in fields(Label)}
        try:
            values: dict[str, Any] = {k: v for k, v in body.items() if k in known}
            values["region"] = tuple(float(v) for v in values.get("region", ()))
            values["mask"] = tuple(values.get("mask", ()))
            for name in ("start_s", "end_s", "trust", "seconds"):
                if name in values:
                    values[name] = float(values[name])
            return Label(**values)
        except (TypeError, ValueError) as error:
            raise MalformedRequestError(f"a label is damaged: {error}") from None
        except InvalidParameterError as error:
            raise MalformedRequestError(error.message) from None


def now() -> str:
    """Returns the time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class LabelFile:
    """The labels of a queue; every answer is on disk when `add` returns.

    Args:
        folder: Of the queue.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LABELS
        self._lock = threading.Lock()

    def add(self, labels: Iterable[Label]) -> None:
        """Appends answers, all of them or none."""
        text = "".join(json.dumps(label.to_dict(), allow_nan=False) + "\n" for label in labels)
        with self._lock:
            torn = self._is_torn()
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                data = ("\n" if torn else "").encode() + text.encode()
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
            finally:
                os.close(handle)

    def every(self) -> list[Label]:
        """Returns all lines, oldest first, also what was taken back.

        Raises:
            MalformedRequestError: A whole line is damaged.
        """
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return []
        out: list[Label] = []
        *lines, rest = text.split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                out.append(Label.from_dict(json.loads(line)))
            except MalformedRequestError as error:
                raise MalformedRequestError(
                    f"{self._path}: line {number}: {error.message}"
                ) from None
            except ValueError:
                # What a kill cut short has its end put to it by the next answer.
                continue
        del rest
        return out

    def current(self) -> list[Label]:
        """Returns what counts: the last answer of each reviewer about each item."""
        return standing(self.every())

    def _is_torn(self) -> bool:
        try:
            with self._path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) != b"\n"
        except (FileNotFoundError, OSError):
            return False


def standing(labels: Sequence[Label]) -> list[Label]:
    """Returns the last answer of each reviewer about each item, without those taken back."""
    last: dict[tuple[str, str], Label] = {}
    for label in labels:
        last.pop((label.item, label.reviewer), None)
        last[label.item, label.reviewer] = label
    return [label for label in last.values() if label.answer != "undone"]
