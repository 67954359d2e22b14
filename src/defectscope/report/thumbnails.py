"""Which findings are worth a frame, and which of their instants shows them best."""

from __future__ import annotations

from collections.abc import Sequence

from defectscope.findings import SEVERITIES, Finding

# Wide enough for the viewer of the page; 16:9 gives 640 x 360.
MAX_HEIGHT_PX = 360


def instant_s(finding: Finding) -> float:
    """Returns the instant that shows a finding best: its peak where known, else its middle."""
    for name in ("peak_s", "peak_time_s"):
        peak = finding.evidence.get(name)
        if isinstance(peak, int | float) and finding.start_s <= peak < finding.end_s:
            return float(peak)
    return (finding.start_s + finding.end_s) / 2


def choose(findings: Sequence[Finding], limit: int) -> list[int]:
    """Returns the findings worth a frame, as indices, most wanted first.

    The worst of every detector come before the second worst of any, so that a detector with a
    thousand findings does not take all the frames.
    """
    ranked = sorted(
        range(len(findings)),
        key=lambda i: (-SEVERITIES.index(findings[i].severity), -findings[i].confidence, i),
    )
    seen: dict[str, int] = {}
    rounds: list[tuple[int, int, int]] = []
    for place, index in enumerate(ranked):
        turn = seen.get(findings[index].detector, 0)
        seen[findings[index].detector] = turn + 1
        rounds.append((turn, place, index))
    return [index for _, _, index in sorted(rounds)[:limit]]
