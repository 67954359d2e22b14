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
# Why a detector passes whose findings were all accepted.
WAIVED = "waived"


def apply_waivers(report: Report, waivers: Waivers, today: date | None = None) -> Report:
    """Returns the report with accepted findings marked; detectors are decided without them.

    Args:
        report: The report, before a profile is applied to it.
        waivers: What was accepted.
        today: The day it is; None for the clock's.
    """
    today = today or date.today()
    ours = [one for one in waivers.entries if one.until is None or today <= one.until]
    findings = tuple(_marked(finding, ours, report) for finding in report.findings)
    verdicts = {name: _decided(name, entry, findings) for name, entry in report.verdicts.items()}
    return replace(report, findings=findings, verdicts=verdicts)


def without_waivers(report: Report) -> Report:
    """Returns the report as it was before anything was accepted."""
    findings = tuple(replace(finding, waiver=None) for finding in report.findings)
    verdicts = {
        name: _decided(name, {**entry, "verdict": "fail", "reason": ""}, findings)
        if entry.get("reason") == WAIVED or _was_waived(name, report)
        else dict(entry)
        for name, entry in report.verdicts.items()
    }
    return replace(report, findings=findings, verdicts=verdicts)


def _was_waived(detector: str, report: Report) -> bool:
    return any(f.detector == detector and f.waiver is not None for f in report.findings)


def _marked(finding: Finding, ours: list[Waiver], report: Report) -> Finding:
    for waiver in ours:
        if covers(waiver, finding, report):
            noted = {"reason": waiver.reason, "who": waiver.who}
            if waiver.until is not None:
                noted["until"] = waiver.until.isoformat()
            return replace(finding, waiver=noted)
    return replace(finding, waiver=None)


def covers(waiver: Waiver, finding: Finding, report: Report) -> bool:
    """Tells whether an entry is about a finding of a report.

    Raises:
        InvalidParameterError: Its range is neither seconds nor timecodes.
    """
    uri, sha256 = str(report.asset.get("uri", "")), str(report.asset.get("sha256", ""))
    if waiver.defect not in ("*", finding.defect) or not waiver.is_of(uri, sha256):
        return False
    start_s = instant_s(waiver.start, report) if waiver.start else float("-inf")
    end_s = instant_s(waiver.end, report) if waiver.end else float("inf")
    return start_s - _SLACK_S <= finding.start_s and finding.end_s <= end_s + _SLACK_S


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
        return {**entry, "verdict": "pass", "reason": WAIVED}
    minor = all(finding.severity == "minor" for finding in left)
    return {**entry, "verdict": "warn" if minor else "fail"}
