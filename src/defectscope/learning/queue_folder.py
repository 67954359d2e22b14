"""Makes a queue: a folder that holds all that a reviewer and a later fit need, and nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Report
from defectscope.learning.candidates import candidates, title_of
from defectscope.learning.items import ReviewItem, read_items, write_atomically, write_items
from defectscope.learning.rounds import Round, choose
from defectscope.measurements import Measurements

SCHEMA = "defectscope/queue/1"
DOCUMENT = "queue.json"
# Clips are the studio's own material: they are not kept longer than a review takes.
KEEP_DAYS = 90


@dataclass(frozen=True, slots=True)
class Draw:
    """The random share of a round: it alone tells without bias how often findings are right.

    Attributes:
        round: Its number.
        findings: How many findings there were, by detector.
        items: Ids of what was drawn, also of those that had been asked before.
    """

    round: int
    findings: Mapping[str, int]
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What queue.json holds.

    Attributes:
        made: Date on which it was made.
        keep_until: Date after which `defectscope queue --prune` deletes it.
        rounds: How many rounds it has had.
        defects: Names of each detector's defects, which a reviewer may give.
        draws: What each round drew at random, and from how many.
    """

    made: date
    keep_until: date
    rounds: int
    defects: Mapping[str, Sequence[str]]
    draws: tuple[Draw, ...] = ()


def add_round(
    folder: Path,
    reports: Sequence[Report],
    *,
    count: int,
    detectors: Sequence[str] = (),
    seed: int = 1,
    keep_days: int = KEEP_DAYS,
) -> Round:
    """Chooses a round out of reports and adds it to a queue, which is made where there is none.

    Args:
        folder: Of the queue.
        reports: Of one asset each; with measurements, so that labels can teach.
        count: Items of the round.
        detectors: Which to ask about; empty for all.
        seed: Of the random share.
        keep_days: How long a new queue may be kept.

    Returns:
        What was chosen.

    Raises:
        InvalidParameterError: Two assets have one name, or a detector is in no report.
        MalformedRequestError: The folder holds a damaged queue.
    """
    names = [title_of(report) for report in reports]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidParameterError(f"two reports are of an asset called {twice[0]}: rename one")
    facts = read_facts(folder) if (folder / DOCUMENT).exists() else None
    known = read_items(folder) if facts is not None else []
    number = 1 if facts is None else facts.rounds + 1
    rng = np.random.default_rng([seed, number])
    offered = [c for report in reports for c in candidates(report, rng, detectors)]
    chosen = choose(offered, count, seed, known, number)
    asked = {(item.title, item.detector) for item in chosen.items}
    for report, name in zip(reports, names, strict=True):
        for own in report.measurements:
            if (name, own.detector) in asked:
                keep_measurements(folder, name, own)
    write_items(folder, [*known, *chosen.items])
    today = datetime.now(UTC).date()
    fresh = QueueFacts(
        today if facts is None else facts.made,
        today + timedelta(days=keep_days) if facts is None else facts.keep_until,
        number,
        {**({} if facts is None else facts.defects), **_defects(reports)},
        (*(() if facts is None else facts.draws), _draw(number, offered, chosen)),
    )
    _write_facts(folder, fresh)
    return chosen


def read_facts(folder: Path) -> QueueFacts:
    """Returns what queue.json says.

    Raises:
        MalformedRequestError: There is none, or it is damaged.
    """
    path = folder / DOCUMENT
    try:
        body = json.loads(path.read_text("utf-8"))
        if body["schema"] != SCHEMA:
            raise MalformedRequestError(f"{path}: not a {SCHEMA} document")
        defects = {str(k): [str(d) for d in v] for k, v in body["defects"].items()}
        made, until = date.fromisoformat(body["made"]), date.fromisoformat(body["keep_until"])
        draws = tuple(
            Draw(
                int(own["round"]),
                {str(k): int(v) for k, v in own["findings"].items()},
                tuple(str(item) for item in own["items"]),
            )
            for own in body.get("draws", ())
        )
        return QueueFacts(made, until, int(body["rounds"]), defects, draws)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedRequestError(f"{path}: not a queue ({error})") from None


def prune(folder: Path, today: date) -> bool:
    """Deletes what shows media once a queue's time is over; labels and items stay.

    Returns:
        Whether there was something to delete.
    """
    if today <= read_facts(folder).keep_until:
        return False
    kept = folder / "evidence"
    if not kept.exists():
        return False
    shutil.rmtree(kept)
    return True


def keep_measurements(folder: Path, title: str, measured: Measurements) -> None:
    """Keeps what a detector measured on a title."""
    text = json.dumps(measured.to_dict(), separators=(",", ":"))
    write_atomically(_place(folder, title, measured.detector), text.encode())


def measurements_of(folder: Path, item: ReviewItem) -> Measurements | None:
    """Returns what an item's detector measured on its title; None where it was not kept.

    Raises:
        MalformedRequestError: The file is damaged.
    """
    path = _place(folder, item.title, item.detector)
    try:
        return Measurements.from_dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except ValueError:
        raise MalformedRequestError(f"{path}: damaged measurements") from None


def _place(folder: Path, title: str, detector: str) -> Path:
    # A title may hold anything; its digest is a name of a file everywhere.
    digest = hashlib.sha256(f"{title}\n{detector}".encode("utf-8", "replace")).hexdigest()
    return folder / "measurements" / f"{digest[:24]}.json"


def _draw(number: int, offered: Sequence[ReviewItem], chosen: Round) -> Draw:
    findings: dict[str, int] = {}
    for item in offered:
        if item.origin == "finding":
            findings[item.detector] = findings.get(item.detector, 0) + 1
    drawn = [*(i.id for i in chosen.items if i.reason == "random"), *(i.id for i in chosen.reused)]
    return Draw(number, findings, tuple(drawn))


def _defects(reports: Sequence[Report]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for report in reports:
        for name in report.detectors:
            peaks: Mapping[str, Any] = report.verdicts.get(name, {}).get("peak_score") or {}
            found = {f.defect for f in report.findings if f.detector == name}
            known = {*out.get(name, ()), *peaks, *report.curves.get(name, {}), *found}
            out[name] = sorted(known)
    return out


def _write_facts(folder: Path, facts: QueueFacts) -> None:
    body = {
        "schema": SCHEMA,
        "made": facts.made.isoformat(),
        "keep_until": facts.keep_until.isoformat(),
        "rounds": facts.rounds,
        "defects": {k: list(v) for k, v in facts.defects.items()},
        "draws": [
            {"round": d.round, "findings": dict(d.findings), "items": list(d.items)}
            for d in facts.draws
        ],
    }
    write_atomically(folder / DOCUMENT, (json.dumps(body, indent=1) + "\n").encode())
