"""Attributes what a fault brings with it to the fault: one cause is one finding.

A damaged stream is torn, blocky and stutters where its decoder conceals what is missing. A viewer
sees one fault there, and so does a report: what lies inside such damage is named as its evidence.
So it is with bars of colour, which stand and have borders, and with woven fields, whose rows are of
two instants in every frame.
Everything is decided from findings alone, so that segments and a whole programme agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from defectscope.findings import DetectorResult, Finding, Interval

# What concealment and lost frames look like. A viewer's other faults stay findings of their own: a
# frame that stands, black and flashes are seen as such whatever made them.
BROUGHT_BY_DAMAGE = frozenset(
    {"tearing", "stutter", "compression_blockiness", "banding", "blur", "interlacing"}
)
# A gradient in few steps has lost its fine texture with it.
BROUGHT_BY_BANDING = frozenset({"blur"})
# A pattern in the programme's place stands, is flat, and has straight borders.
BROUGHT_BY_PATTERN = frozenset({"freeze", "banding", "blur", "letterbox", "tearing", "stutter"})
# Each woven frame holds rows of two instants, and what moves leaves combs beside itself.
BROUGHT_BY_WEAVING = frozenset({"tearing", "stutter", "video_noise"})
# Complaints about the stream after which decoded frames are not what was sent.
_DAMAGE = frozenset({"decode_error", "corrupt_frame", "corrupt_packet", "video_gap"})
# A finding that lies outside of the damage for longer than this share has a cause of its own.
_LEAST_SHARE = 0.5


def _damages(finding: Finding) -> bool:
    kinds = finding.evidence.get("kinds", (finding.evidence.get("kind"),))
    return bool(_DAMAGE & set(kinds))


def attributed(results: Mapping[str, DetectorResult]) -> dict[str, DetectorResult]:
    """Returns the results with each fault counted once.

    What lies inside a cause by half of its length or more leaves the findings of its detector,
    whose peak scores and curves stay as they were measured; the cause's evidence says in `brings`
    how many findings of which detectors it took. What damage explains explains nothing further.

    Args:
        results: By detector, each as the detector decided it.
    """
    out = dict(results)
    if "stream_integrity" in out:
        damage = [f for f in out["stream_integrity"].findings if _damages(f)]
        _attribute(out, "stream_integrity", damage, BROUGHT_BY_DAMAGE, "the stream's damage")
    if "test_pattern" in out:
        patterns = out["test_pattern"].findings
        _attribute(out, "test_pattern", patterns, BROUGHT_BY_PATTERN, "the test pattern")
    if "interlacing" in out:
        woven = [
            f for f in out["interlacing"].findings if f.evidence.get("pattern") == "interlaced"
        ]
        _attribute(out, "interlacing", woven, BROUGHT_BY_WEAVING, "woven fields")
    if "banding" in out:
        _attribute(out, "banding", out["banding"].findings, BROUGHT_BY_BANDING, "banding")
    return out


def _attribute(
    out: dict[str, DetectorResult],
    cause: str,
    causes: Sequence[Finding],
    brings: frozenset[str],
    words: str,
) -> None:
    """Moves what some findings of one detector explain from the others' results to their evidence.

    Args:
        out: By detector; changed.
        cause: The detector of the causes.
        causes: Its findings that explain others.
        brings: Detectors whose findings they explain.
        words: What to call the cause where findings went to it.
    """
    taken: dict[int, dict[str, int]] = {}
    for name in [name for name in out if name in brings]:
        own: list[Finding] = []
        for finding in out[name].findings:
            near = [one for one in causes if _same_track(one, finding)]
            at = _explains(finding, near)
            if at is None:
                own.append(finding)
            else:
                counts = taken.setdefault(id(near[at]), {})
                counts[name] = counts.get(name, 0) + 1
        out[name] = _without(out[name], own, words)
    if taken:
        findings = [
            replace(f, evidence={**f.evidence, "brings": taken[id(f)]}) if id(f) in taken else f
            for f in out[cause].findings
        ]
        out[cause] = replace(out[cause], findings=tuple(findings))


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


def _without(result: DetectorResult, own: Sequence[Finding], words: str) -> DetectorResult:
    if len(own) == len(result.findings):
        return result
    taken = len(result.findings) - len(own)
    reason = f"attributed to {words}: {taken} finding{'s' if taken > 1 else ''}"
    verdict = "fail" if own else "pass"
    return replace(result, findings=tuple(own), verdict=verdict, reason=reason)
