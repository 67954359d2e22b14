"""Holds a report against a profile: every rule with what was measured beside its limit.

Pure: a report of an endpoint, or an old one, can be held against any profile without its media.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from defectscope.findings import Finding, Report
from defectscope.profiles.model import Bound, Profile, Rule, Score


def parameters_with(
    profile: Profile,
    given: Mapping[str, Mapping[str, Any]] | None,
    detectors: tuple[str, ...] | None = None,
) -> dict[str, dict[str, Any]]:
    """Returns the detectors' parameters under a profile; what a user gives wins.

    Args:
        profile: The profile.
        given: Parameters by detector that replace the profile's.
        detectors: Those that run; None for all.
    """
    merged = {
        name: dict(values)
        for name, values in profile.parameters.items()
        if detectors is None or name in detectors
    }
    for name, values in (given or {}).items():
        merged[name] = {**merged.get(name, {}), **values}
    return merged


def apply_profile(report: Report, profile: Profile) -> Report:
    """Returns the report with the profile's rules decided; its findings stay as they are."""
    rules = tuple(_result(rule, report, profile) for rule in profile.rules)
    return replace(report, profile=profile.summary(), rules=rules)


def _result(rule: Rule, report: Report, profile: Profile) -> dict[str, Any]:
    """One rule's entry in `report.json`."""
    result: dict[str, Any] = {
        "id": rule.id,
        "title": rule.title,
        "detector": rule.detector,
        "measured": None,
        "limit": rule.limit,
        "unit": rule.unit,
        "verdict": "pass",
        "code": rule.code,
        "source": str(rule.source),
    }
    if rule.vocabulary:
        result["vocabulary"] = rule.vocabulary
    if rule.fact:
        return result | _of_fact(rule, report)
    entry = report.verdicts.get(rule.detector)
    if entry is None:
        return result | _unjudged(f"{rule.detector} did not run")
    if entry.get("verdict") == "not_applicable":
        return result | {"verdict": "not_applicable"}
    if rule.scores:
        return result | _of_scores(rule, entry, report)
    return result | _of_findings(rule, entry, report, profile)


def _unjudged(reason: str) -> dict[str, Any]:
    return {"verdict": "not_judged", "reason": reason}


def _of_fact(rule: Rule, report: Report) -> dict[str, Any]:
    if rule.fact not in report.facts:
        medium = "audio" if rule.fact.startswith(("audio", "channel")) else "video"
        if report.facts and medium not in report.asset:
            return {"verdict": "not_applicable"}
        return _unjudged(f"the report does not hold {rule.fact}")
    value = report.facts[rule.fact]
    if value is None or value == "none":
        if rule.bound.required:
            return {"measured": value, "verdict": rule.verdict}
        if value is None:
            return _unjudged("the container does not state it")
    if rule.bound.required and rule.bound == Bound(required=True):
        return {"measured": value, "verdict": "pass"}
    compared: Any = value
    if rule.bound.one_of is None and isinstance(value, str):
        try:
            compared = float(Fraction(value.replace(":", "/")))
        except (ValueError, ZeroDivisionError):
            return _unjudged(f"{value!r} is no number")
    if rule.bound.target is None and rule.bound.min is None and rule.bound.max is not None:
        compared = abs(float(compared))
    held = rule.bound.holds(compared)
    return {"measured": value, "verdict": "pass" if held else rule.verdict}


def _of_scores(rule: Rule, entry: Mapping[str, Any], report: Report) -> dict[str, Any]:
    peaks: Mapping[str, float] = entry.get("peak_score", {})
    known = [score for score in rule.scores if _usable(score, peaks)]
    if not known:
        reason = str(entry.get("reason", "")) or "nothing of it could be measured"
        return _unjudged(reason)
    kept = [score for score in known if score.bound.holds(peaks[score.name])]
    shown = kept[0] if kept else known[0]
    verdict = "pass" if kept else rule.verdict
    out: dict[str, Any] = {"measured": peaks[shown.name], "verdict": verdict}
    if len(rule.scores) > 1:
        out["reason"] = f"by {shown.name.rpartition('_')[0].replace('_', ' ')}"
    if not kept:
        out["findings"] = [
            index
            for index, finding in enumerate(report.findings)
            if finding.detector == rule.detector
            and (not rule.defect or finding.defect == rule.defect)
        ]
        if out["findings"] and all(report.findings[k].waiver for k in out["findings"]):
            out["verdict"], out["reason"] = "pass", "waived"
    return out


def _usable(score: Score, peaks: Mapping[str, float]) -> bool:
    if score.name not in peaks:
        return False
    return score.needs is None or peaks.get(score.needs[0], 0.0) >= score.needs[1]


def _of_findings(
    rule: Rule, entry: Mapping[str, Any], report: Report, profile: Profile
) -> dict[str, Any]:
    matching = [
        (index, finding)
        for index, finding in enumerate(report.findings)
        if _matches(rule, finding) and _in_position(rule, finding, report, profile)
    ]
    broken = [(k, f) for k, f in matching if not _holds(rule, f)]
    open_ones = [(k, f) for k, f in broken if f.waiver is None]
    if not open_ones and entry.get("verdict") in ("not_judged", "inconclusive"):
        reason = str(entry.get("reason", "")) or f"{rule.detector} is inconclusive"
        if rule.skip_unsure and entry.get("verdict") == "inconclusive":
            return {"verdict": "not_applicable", "reason": reason}
        return _unjudged(reason)
    values = [_measure(rule, finding) for _, finding in (broken or matching)]
    out: dict[str, Any] = {
        "measured": max(values, key=abs, default=0.0) if rule.measure else len(broken),
        "verdict": rule.verdict if open_ones else "pass",
    }
    if open_ones:
        out["findings"] = [k for k, _ in open_ones]
    elif broken:
        out["reason"] = "waived"
    return out


def _matches(rule: Rule, finding: Finding) -> bool:
    if finding.detector != rule.detector or (rule.defect and finding.defect != rule.defect):
        return False
    for name, allowed in rule.where.items():
        value = finding.evidence.get(name)
        values = value if isinstance(value, list | tuple) else [value]
        if not any(one in allowed for one in values):
            return False
    return True


def _measure(rule: Rule, finding: Finding) -> float:
    if rule.measure == "duration_s":
        return round(finding.end_s - finding.start_s, 4)
    if rule.measure == "duration_frames":
        return float((finding.end_frame or 0) - (finding.start_frame or 0))
    value = finding.evidence.get(rule.measure)
    return float(value) if isinstance(value, int | float) else 0.0


def _holds(rule: Rule, finding: Finding) -> bool:
    return bool(rule.measure) and rule.bound.holds(_measure(rule, finding))


def _in_position(rule: Rule, finding: Finding, report: Report, profile: Profile) -> bool:
    if rule.position == "anywhere":
        return True
    end_s = float(report.asset.get("duration_s", 0.0))
    # A frame's length: what begins with the first frame or ends with the last touches the end.
    frame_s = 0.04
    video = report.asset.get("video")
    if video:
        frame_s = float(1 / Fraction(str(video["frame_rate"])))
    head = finding.start_s < max(profile.head_s, frame_s)
    tail = finding.end_s > end_s - max(profile.tail_s, frame_s)
    return {"head": head, "tail": tail, "programme": not head and not tail}[rule.position]
