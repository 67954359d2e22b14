"""Counts what was found against what was made: by defect, by peer, and of other defects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from typing import Any

from peers import PEERS, intervals
from scoring import Tally, is_known

from defectscope.findings import Interval
from defectscope.simulate.registry import simulators


def tabulate(wanted: Sequence[str], results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts, for each simulator, its own defect, its peer, and findings of other defects."""
    clean = {r["source"]: r for r in results if r["defect"] is None}
    rows = {name: Tally() for name in wanted}
    peers = {p.defect: Tally() for p in PEERS if p.defect in wanted}
    matrix: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    examples: list[list[Any]] = []
    clips: dict[str, int] = defaultdict(int)
    for result in results:
        name = result["defect"]
        if name is None:
            continue
        before = clean[result["source"]]
        truth = [Interval(s, e) for _, s, e in result["truth"]]
        own = {d for d, _, _ in result["truth"]} or set(simulators()[name].defects)
        sound = simulators()[name].medium == "audio"
        per_second = 1000.0 if sound else result["rate"]
        label = f"{result['source']} {result['severity']}"
        clips[name] += 1
        score = {d: max((result["peaks"].get(d, 0.0) for d in own), default=0.0) for d in (name,)}
        rows[name].sources.add(result["source"])
        rows[name].add(
            label,
            result["severity"],
            truth,
            _spans(result, own),
            _spans(before, own),
            per_second,
        )
        rows[name].positive[result["severity"]].append(score[name])
        if name in peers and name in result["peers"]:
            _count_peer(peers[name], result, before, truth, label, per_second)
        for detector, defect, s, e in result["findings"]:
            if defect not in own and not is_known(Interval(s, e), _spans(before, {defect})):
                matrix[detector][name] += 1
                examples.append([detector, defect, label, name, round(s, 2), round(e, 2)])
    for name, row in rows.items():
        own = simulators()[name].defects
        row.negative = [
            max((clean[s]["peaks"].get(d, 0.0) for d in own), default=0.0) for s in row.sources
        ]
    return {
        "rows": {n: r.summary() for n, r in rows.items()},
        "peers": {n: r.summary() for n, r in peers.items()},
        "loudness": _loudness(results),
        "clips": clips,
        "matrix": matrix,
        "matrix_findings": examples,
        "clean": {n: r["findings"] for n, r in clean.items() if r["findings"]},
        "clean_seconds": round(sum(r["seconds"] for r in clean.values()), 1),
        "errors": [[r["source"], r["defect"], r["error"]] for r in results if "error" in r],
    }


def _count_peer(
    tally: Tally,
    result: dict[str, Any],
    before: dict[str, Any],
    truth: list[Interval],
    label: str,
    per_second: float,
) -> None:
    answer, clean = (r["peers"].get(result["defect"]) for r in (result, before))
    if answer is None or clean is None or answer["score"] is None:
        return
    if result["source"] not in tally.sources and clean["score"] is not None:
        tally.negative.append(clean["score"])
    tally.sources.add(result["source"])
    tally.positive[result["severity"]].append(answer["score"])
    known = intervals(clean)
    tally.add(label, result["severity"], truth, intervals(answer), known, per_second)


def _loudness(results: Sequence[dict[str, Any]]) -> list[list[float]]:
    """Pairs our integrated loudness with ebur128's, clip by clip."""
    return [
        [r["peaks"]["integrated_lufs"], r["peers"]["loudness"]["score"]]
        for r in results
        if "integrated_lufs" in r["peaks"] and r["peers"].get("loudness", {}).get("score")
    ]


def _spans(result: dict[str, Any], defects: Container[str]) -> list[Interval]:
    return [Interval(s, e) for _, d, s, e in result["findings"] if d in defects]
