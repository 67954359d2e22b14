"""The fixed titles that a new version is held against: media with truth beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Interval, Report
from defectscope.learning.items import write_atomically
from defectscope.measurements import Measurements

_TRUTH = ".truth.json"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A title that nothing learns from.

    Attributes:
        name: Of the title.
        measurements: What the detector measured on it.
        seconds: Its length.
        truth: Where each defect is; of one that is not named nothing is there.
    """

    name: str
    measurements: Measurements
    seconds: float
    truth: Mapping[str, tuple[Interval, ...]]


# (media, detector) -> a report with measurements.
Analyze = Callable[[Path, str], Report]


def read_held_out(folder: Path, detector: str, analyze: Analyze, kept: Path) -> list[HeldOut]:
    """Returns the titles of a folder, measured.

    Args:
        folder: Holds media and `NAME.truth.json` beside each, as `defectscope simulate` writes it;
            `{"defects": []}` says that a title is clean.
        detector: Which measures them.
        analyze: Measures a title.
        kept: Folder for what was measured, so that the next fit need not decode again.

    Raises:
        InvalidParameterError: There is no title, or one has no truth.
        MalformedRequestError: A truth file is damaged.
    """
    truths = sorted(folder.glob(f"*{_TRUTH}"))
    if not truths:
        raise InvalidParameterError(f"{folder}: no NAME{_TRUTH} in it, so nothing to hold against")
    out: list[HeldOut] = []
    for path in truths:
        media = path.with_name(path.name.removesuffix(_TRUTH))
        if not media.is_file():
            raise InvalidParameterError(f"{path}: there is no {media.name} beside it")
        measured, seconds = _measured(media, detector, analyze, kept)
        out.append(HeldOut(media.name, measured, seconds, read_truth(path)))
    return out


def read_truth(path: Path) -> dict[str, tuple[Interval, ...]]:
    """Returns where each defect is, as a truth file has it.

    Raises:
        MalformedRequestError: It is damaged.
    """
    try:
        entries = cast("list[dict[str, Any]]", json.loads(path.read_bytes())["defects"])
        out: dict[str, list[Interval]] = {}
        for entry in entries:
            where = Interval(float(entry["start_s"]), float(entry["end_s"]))
            out.setdefault(str(entry["defect"]), []).append(where)
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedRequestError(f"{path}: not a truth file ({error})") from None
    return {defect: tuple(sorted(own)) for defect, own in out.items()}


def uncovered(titles: Sequence[HeldOut], defects: Sequence[str]) -> list[str]:
    """Returns the defects of which no title has an event: nobody can say how a fit changes them."""
    return [d for d in defects if not any(t.truth.get(d) for t in titles)]


def _measured(
    media: Path, detector: str, analyze: Analyze, kept: Path
) -> tuple[Measurements, float]:
    facts = media.stat()
    stamp = f"{media.name}\n{facts.st_size}\n{facts.st_mtime_ns}\n{detector}"
    digest = hashlib.sha256(stamp.encode("utf-8", "replace")).hexdigest()
    path = kept / f"{digest[:24]}.json"
    if path.exists():
        body = json.loads(path.read_bytes())
        return Measurements.from_dict(body["measurements"]), float(body["seconds"])
    report = analyze(media, detector)
    (measured,) = (m for m in report.measurements if m.detector == detector)
    seconds = float(report.asset["duration_s"])
    body = {"measurements": measured.to_dict(), "seconds": seconds}
    write_atomically(path, json.dumps(body, separators=(",", ":")).encode())
    return measured, seconds
