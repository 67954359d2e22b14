"""Attributes what a fault brings with it to the fault: one cause is one finding.

A damaged stream is torn, blocky and stutters where its decoder conceals what is missing. A viewer
sees one fault there, and so does a report: what lies inside such damage is named as its evidence.
Everything is decided from findings alone, so that segments and a whole programme agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from defectscope.findings import DetectorResult, Finding, Interval

# What concealment and lost frames look like. A viewer's other faults stay findings of their own: a
# frame that stands, black and flashes are seen as such whatever made them.
BROUGHT_BY_DAMAGE = frozenset(
    {"tearing", "stutter", "compression_blockiness", "banding", "blur", "interlacing"}
)
# Complaints about the stream after which decoded frames are not what was sent.
_DAMAGE = frozenset({"decode_error", "corrupt_frame", "corrupt_packet", "video_gap"})
# A finding that lies outside of the damage for longer than this share has a cause of its own.
_LEAST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Cause:
    """One finding that explains others.

    Attributes:
        finding: The finding.
        brings: Detectors whose findings inside it are its doing.
    """

    finding: Finding
    brings: frozenset[str]


def causes_of(results: Mapping[str, DetectorResult]) -> list[Cause]:
    """Returns the findings that explain others: damage of the picture's stream."""
    result = results.get("stream_integrity")
    if result is None:
        return []
    return [Cause(f, BROUGHT_BY_DAMAGE) for f in result.findings if _damages(f)]


def _damages(finding: Finding) -> bool:
    kinds = finding.evidence.get("kinds", (finding.evidence.get("kind"),))
    return bool(_DAMAGE & set(kinds))


def attributed(results: Mapping[str, DetectorResult]) -> dict[str, DetectorResult]:
    """Returns the results with each fault counted once.

    What lies inside damage by half of its length or more leaves the findings of its detector, whose
    peak scores and curves stay as they were measured; the damage's evidence says in `brings` how
    many findings of which detectors it took.

    Args:
        results: By detector, each as the detector decided it.
    """
    causes = causes_of(results)
    taken: list[dict[str, int]] = [{} for _ in causes]
    out = dict(results)
    for name, result in results.items():
        able = [k for k, cause in enumerate(causes) if name in cause.brings]
        if not able or not result.findings:
            continue
        own: list[Finding] = []
        for finding in result.findings:
            near = [k for k in able if _same_track(causes[k].finding, finding)]
            at = _explains(finding, [causes[k].finding for k in near])
            if at is None:
                own.append(finding)
            else:
                counts = taken[near[at]]
                counts[name] = counts.get(name, 0) + 1
        out[name] = _without(result, own)
    if any(taken):
        brought = {
            id(cause.finding): replace(
                cause.finding, evidence={**cause.finding.evidence, "brings": counts}
            )
            for cause, counts in zip(causes, taken, strict=True)
            if counts
        }
        damaged = results["stream_integrity"]
        fresh = tuple(brought.get(id(f), f) for f in damaged.findings)
        out["stream_integrity"] = replace(damaged, findings=fresh)
    return out


def _same_track(cause: Finding, finding: Finding) -> bool:
    return cause.track is None or finding.track is None or cause.track == finding.track


def _explains(finding: Finding, causes: Sequence[Finding]) -> int | None:
    """Returns which cause covers most of a finding, None where all of them leave half of it."""
    shared = [finding.interval.intersection_s(cause.interval) for cause in causes]
    total_s = _covered_s(finding.interval, [cause.interval for cause in causes])
    if total_s < _LEAST_SHARE * finding.interval.duration_s or not any(shared):
        return None
    return max(range(len(shared)), key=shared.__getitem__)


def _covered_s(one: Interval, others: Sequence[Interval]) -> float:
    """Returns how much of an interval lies in any of the others, seconds."""
    total_s, reached_s = 0.0, one.start_s
    for other in sorted(others):
        start_s = max(reached_s, other.start_s)
        end_s = min(one.end_s, other.end_s)
        if end_s > start_s:
            total_s += end_s - start_s
            reached_s = end_s
    return total_s


def _without(result: DetectorResult, own: Sequence[Finding]) -> DetectorResult:
    if len(own) == len(result.findings):
        return result
    taken = len(result.findings) - len(own)
    reason = f"attributed to the stream's damage: {taken} finding{'s' if taken > 1 else ''}"
    verdict = "fail" if own else "pass"
    return replace(result, findings=tuple(own), verdict=verdict, reason=reason)
