"""What viewers saw, by title, device and app, beside what the masters' reports say."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from defectscope.findings import Report

# A viewer's clock and a master's differ by this much, seconds: frames left out, starts cut off.
_TOLERANCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """One event that viewers saw, over all their sessions.

    Attributes:
        detector: Which detector told it.
        kind: What kind of its defect.
        start_s: Earliest start, seconds into the title.
        end_s: Latest end.
        sessions: In how many sessions it was seen.
        in_master: Whether the master's report has it; None without a report.
    """

    detector: str
    kind: str
    start_s: float
    end_s: float
    sessions: int
    in_master: bool | None = None


@dataclass(slots=True)
class Group:
    """All sessions of one title on one kind of device and app.

    Attributes:
        content: Id of the title.
        device: Class of device.
        app: Version of the app.
        sessions: Sessions that sent anything.
        measured_frames: Frames measured by them.
        dropped_frames: Frames that their players dropped.
        rebuffering_ms: How long they waited altogether, milliseconds.
        findings: (session, finding as in a report), in the order of arrival.
    """

    content: str
    device: str
    app: str
    sessions: set[str] = field(default_factory=lambda: set[str]())
    measured_frames: int = 0
    dropped_frames: int = 0
    rebuffering_ms: float = 0.0
    findings: list[tuple[str, Mapping[str, Any]]] = field(
        default_factory=lambda: list[tuple[str, Mapping[str, Any]]]()
    )

    def seen(self) -> list[Seen]:
        """Returns the events, those of several sessions as one."""
        by_kind: dict[tuple[str, str], list[tuple[float, float, str]]] = defaultdict(list)
        for session, finding in self.findings:
            kind = str(finding["evidence"].get("kind", finding["defect"]))
            span = (float(finding["start_s"]), float(finding["end_s"]), session)
            by_kind[finding["detector"], kind].append(span)
        found: list[Seen] = []
        for (detector, kind), spans in by_kind.items():
            for start_s, end_s, sessions in _joined(sorted(spans)):
                found.append(Seen(detector, kind, start_s, end_s, len(sessions)))
        return sorted(found, key=lambda each: (each.start_s, each.detector, each.kind))


def _joined(spans: Iterable[tuple[float, float, str]]) -> Iterator[tuple[float, float, set[str]]]:
    """Joins spans that overlap, in order of their starts."""
    current: tuple[float, float, set[str]] | None = None
    for start_s, end_s, session in spans:
        if current is not None and start_s <= current[1] + _TOLERANCE_S:
            current[2].add(session)
            current = (current[0], max(current[1], end_s), current[2])
        else:
            if current is not None:
                yield current
            current = (start_s, end_s, {session})
    if current is not None:
        yield current


def group(lines: Iterable[str]) -> list[Group]:
    """Groups what a collector kept.

    Args:
        lines: Lines of JSON; numbers of frames and times count up within a session.

    Returns:
        Groups in order of title, device and app.
    """
    groups: dict[tuple[str, str, str], Group] = {}
    latest: dict[tuple[str, str, str, str], tuple[int, Mapping[str, Any]]] = {}
    seen: set[tuple[str, int]] = set()
    for line in lines:
        batch: dict[str, Any] = json.loads(line)
        session, number = str(batch["session"]), int(batch["number"])
        if (session, number) in seen:
            continue  # delivered twice
        seen.add((session, number))
        key = (str(batch["content"]), str(batch["device"]), str(batch["app"]))
        into = groups.setdefault(key, Group(*key))
        into.sessions.add(session)
        into.findings += [(session, finding) for finding in batch["findings"]]
        before = latest.get((*key, session))
        if before is None or before[0] < number:
            latest[*key, session] = (number, batch)
    for (content, device, app, _), (_, last) in latest.items():
        into = groups[content, device, app]
        into.measured_frames += int(last["frames"].get("measured", 0))
        into.dropped_frames += int(last["frames"].get("dropped", 0))
        into.rebuffering_ms += float(last["events"].get("rebuffering", {}).get("total_ms", 0.0))
    return [groups[key] for key in sorted(groups)]


def join(seen: Iterable[Seen], report: Report) -> tuple[list[Seen], list[Mapping[str, Any]]]:
    """Marks what the master has as well, and gives what only the master's report has.

    Args:
        seen: Events that viewers saw in a title.
        report: The report of its master.

    Returns:
        The events with `in_master` set; and the master's findings by the same detectors that
        nobody saw, as `report.json` has them.
    """
    marked: list[Seen] = []
    matched: set[int] = set()
    for each in seen:
        hits = {
            number
            for number, finding in enumerate(report.findings)
            if finding.detector == each.detector
            and str(finding.evidence.get("kind", finding.defect)) == each.kind
            and finding.start_s <= each.end_s + _TOLERANCE_S
            and finding.end_s >= each.start_s - _TOLERANCE_S
        }
        matched |= hits
        marked.append(
            Seen(each.detector, each.kind, each.start_s, each.end_s, each.sessions, bool(hits))
        )
    told = {each.detector for each in marked}
    alone: list[Mapping[str, Any]] = [
        {"detector": f.detector, "defect": f.defect, "start_s": f.start_s, "end_s": f.end_s}
        for number, f in enumerate(report.findings)
        if number not in matched and f.detector in told
    ]
    return marked, alone
