"""One reviewer and one queue: what is asked, what was answered, what is taken back."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.learning.evidence import FILES
from defectscope.learning.items import by_id, read_items
from defectscope.learning.labels import Label, LabelFile, now
from defectscope.learning.queue_folder import read_facts


class ReviewSession:
    """What the review page is about.

    Args:
        folder: Of the queue.
        reviewer: Initials or an account.

    Raises:
        MalformedRequestError: The folder holds no queue, or a damaged one.
        InvalidParameterError: The reviewer's name is unfit.
    """

    def __init__(self, folder: Path, reviewer: str) -> None:
        self._folder, self._reviewer = folder, reviewer
        self._items = by_id(read_items(folder))
        self._defects = read_facts(folder).defects
        self._labels = LabelFile(folder)
        # One answer at a time, so that undo takes back the last one.
        self._lock = threading.Lock()
        Label("0" * 16, "unsure", "", 0, 0, reviewer, now())
        self._labels.every()

    def state(self) -> dict[str, Any]:
        """Returns what the page shows: items in order, and this reviewer's answers.

        Neither the score nor why an item was chosen is among it: it would lead the answer.
        """
        answers = {x.item: x.answer for x in self._labels.current() if self._is_mine(x)}
        items = [
            {
                "id": item.id,
                "title": item.title,
                "detector": item.detector,
                "defect": item.defect,
                "start_s": item.start_s,
                "end_s": item.end_s,
                "evidence": _numbers(item.evidence) if item.origin == "finding" else {},
                "files": [n for n in FILES if (self._folder / "evidence" / item.id / n).is_file()],
            }
            for item in self._items.values()
        ]
        defects = {name: list(own) for name, own in self._defects.items()}
        return {
            "reviewer": self._reviewer, "items": items, "answers": answers, "defects": defects,
        }  # fmt: skip

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Puts an answer on disk.

        Args:
            body: `item`, `answer`, and where they apply `defect`, `start_s`, `end_s`, `seconds`,
                `region`.

        Raises:
            MalformedRequestError: It is no answer to an item of the queue.
        """
        item = self._items.get(str(body.get("item", "")))
        if item is None:
            raise MalformedRequestError("no such item in this queue")
        answer = body.get("answer")
        if answer not in ("true", "false", "wrong_ends", "unsure"):
            raise MalformedRequestError("an answer is true, false, wrong_ends or unsure")
        there = answer in ("true", "wrong_ends")
        defect = str(body.get("defect") or item.defect) if there else ""
        if there and not defect:
            raise MalformedRequestError("name the defect that is there")
        if there and defect not in {*self._defects.get(item.detector, ()), item.defect}:
            raise MalformedRequestError(f"{item.detector} has no defect {defect[:60]!r}")
        fields = {
            "item": item.id, "answer": answer, "defect": defect,
            "start_s": body.get("start_s", item.start_s) if there else item.start_s,
            "end_s": body.get("end_s", item.end_s) if there else item.end_s,
            "reviewer": self._reviewer, "at": now(), "version": item.version,
            "seconds": body.get("seconds", 0.0), "region": body.get("region", ()),
        }  # fmt: skip
        with self._lock:
            self._labels.add([Label.from_dict(fields)])
        return {"saved": item.id}

    def undo(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Takes back the reviewer's last answer that still stands; returns its item."""
        del body
        with self._lock:
            mine = [x for x in self._labels.current() if self._is_mine(x)]
            if not mine:
                raise InvalidParameterError("there is nothing to take back")
            last = mine[-1]
            self._labels.add(
                [Label(last.item, "undone", "", last.start_s, last.end_s, self._reviewer, now())]
            )
        return {"undone": last.item}

    def evidence(self, item: str, name: str) -> bytes | None:
        """Returns a file of an item's evidence, None where there is none."""
        if item not in self._items or name not in FILES:
            return None
        try:
            return (self._folder / "evidence" / item / name).read_bytes()
        except OSError:
            return None

    def _is_mine(self, label: Label) -> bool:
        return label.reviewer == self._reviewer and label.item in self._items


def _numbers(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was measured, without what the detector made of it."""
    own = {k: v for k, v in evidence.items() if isinstance(v, int | float)}
    return {k: v for k, v in own.items() if "probability" not in k and "log_odds" not in k}
