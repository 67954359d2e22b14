"""Marks the findings of a report that somebody accepted, and decides its verdicts without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.findings import Finding, Report
from defectscope.media.timecode import Timecode
from defectscope.waivers.files import Waiver, Waivers

# A finding may begin or end this much outside of a waiver's range: another encode of the same
# programme moves ends by a frame or two.
_SLACK_S = 0.1


def apply_waivers(report: Report, waivers: Waivers, today: date | None = None) -> Report:
    """Returns the report with accepted findings marked; detectors are decided without them.

    Args:
        report: The report, before a profile is applied to it.
        waivers: What was accepted.
        today: The day it is; None for the clock's.
    """
    today = today or date.today()
    uri, sha256 = str(report.asset.get("uri", "")), str(report.asset.get("sha256", ""))
    ours = [
        waiver
        for waiver in waivers.entries
        if waiver.is_of(uri, sha256) and (waiver.until is None or today <= waiver.until)
    ]
    findings = tuple(_marked(finding, ours, report) for finding in report.findings)
    verdicts = {name: _decided(name, entry, findings) for name, entry in report.verdicts.items()}
    return replace(report, findings=findings, verdicts=verdicts)


def _marked(finding: Finding, ours: list[Waiver], report: Report) -> Finding:
    for waiver in ours:
        if waiver.defect not in ("*", finding.defect):
            continue
        start_s = instant_s(waiver.start, report) if waiver.start else float("-inf")
        end_s = instant_s(waiver.end, report) if waiver.end else float("inf")
        if start_s - _SLACK_S <= finding.start_s and finding.end_s <= end_s + _SLACK_S:
            noted = {"reason": waiver.reason, "who": waiver.who}
            if waiver.until is not None:
                noted["until"] = waiver.until.isoformat()
            return replace(finding, waiver=noted)
    return replace(finding, waiver=None)


def instant_s(text: str, report: Report) -> float:
    """Returns an instant of a waiver in seconds: seconds, or a timecode of the report's grid.

    Raises:
        InvalidParameterError: It is neither.
    """
    if ":" not in text:
        try:
            return float(text)
        except ValueError:
            raise InvalidParameterError(f"{text!r} is neither seconds nor a timecode") from None
    video = report.asset.get("video")
    if not video:
        raise InvalidParameterError(f"{text!r}: a timecode needs video")
    rate = Fraction(str(video["frame_rate"]))
    wanted = Timecode.parse(text, rate)
    stated = report.facts.get("timecode")
    first = Timecode.parse(str(stated), rate) if stated else Timecode.zero(rate)
    return float((wanted.frame - first.frame) / rate)


def _decided(name: str, entry: Mapping[str, Any], findings: tuple[Finding, ...]) -> dict[str, Any]:
    """A detector's verdict without what was accepted."""
    if entry.get("verdict") not in ("fail", "warn"):
        return dict(entry)
    left = [f for f in findings if f.detector == name and f.waiver is None]
    if not left:
        return {**entry, "verdict": "pass", "reason": "waived"}
    minor = all(finding.severity == "minor" for finding in left)
    return {**entry, "verdict": "warn" if minor else "fail"}
