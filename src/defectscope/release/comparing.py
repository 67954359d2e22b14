"""Says of a candidate build whether it is worse than its baseline, measure by measure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from defectscope.compare.statistics import ALPHA, CatalogueVerdict, holm
from defectscope.errors import InvalidParameterError
from defectscope.release.matrix import MEASURES, NEVER_PLAYED, Measure, Run, counted
from defectscope.release.stratified import Difference, difference

SCHEMA = "defectscope/release-comparison/1"
_ORDER: tuple[CatalogueVerdict, ...] = ("worse", "too little data", "no difference seen", "better")


@dataclass(frozen=True)
class MeasureChange:
    """One measure over all cells, or in one.

    Attributes:
        measure: What was compared.
        cell: Device and title; empty over all.
        base: The baseline's values.
        candidate: The candidate's.
        found: The test; None where no cell has both.
        adjusted_p: After Holm's correction over measures, or over cells and measures.
        verdict: What follows.
    """

    measure: Measure
    cell: str
    base: tuple[float, ...]
    candidate: tuple[float, ...]
    found: Difference | None
    adjusted_p: float
    verdict: CatalogueVerdict

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        made: dict[str, Any] = {
            "measure": self.measure.name,
            "verdict": self.verdict,
            "base": _distribution(self.base),
            "candidate": _distribution(self.candidate),
            "adjusted_p_value": round(self.adjusted_p, 6),
        }
        if self.cell:
            made["cell"] = self.cell
        if self.found is not None:
            made["p_value"] = round(self.found.p_value, 6)
            made["difference"] = {
                "mean": round(self.found.mean, 4),
                "low": round(self.found.low, 4),
                "high": round(self.found.high, 4),
            }
        return made


@dataclass(frozen=True)
class ReleaseComparison:
    """Two builds compared.

    Attributes:
        base: The baseline's sessions.
        candidate: The candidate's.
        whole: Each measure over all cells, regressions first.
        cells: Each measure of each cell, regressions first.
        unmatched: Cells that one build has alone.
        verdict: What follows.
        reasons: What the verdict rests on.
    """

    base: tuple[Run, ...]
    candidate: tuple[Run, ...]
    whole: tuple[MeasureChange, ...]
    cells: tuple[MeasureChange, ...]
    unmatched: tuple[str, ...]
    verdict: CatalogueVerdict
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "measures": [change.to_dict() for change in self.whole],
            "cells": [change.to_dict() for change in self.cells],
            "unmatched": list(self.unmatched),
            "builds": {
                side: {
                    "names": sorted({run.build for run in runs if run.build}),
                    "sessions": len(counted(runs)),
                    "left_out": {run.name: run.left_out for run in runs if run.left_out},
                }
                for side, runs in (("base", self.base), ("candidate", self.candidate))
            },
        }

    def to_json(self, indent: int | None = None) -> str:
        """Returns it as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)


def compare_releases(base: Sequence[Run], candidate: Sequence[Run]) -> ReleaseComparison:
    """Compares two builds over the cells that both have.

    Args:
        base: Sessions of the baseline.
        candidate: Sessions of the candidate.

    Raises:
        InvalidParameterError: They share no device and title.
    """
    sides = [counted(base), counted(candidate)]
    names = [{run.cell for run in side} for side in sides]
    shared = sorted(names[0] & names[1])
    failed = [sum(run.left_out == NEVER_PLAYED for run in side) for side in (base, candidate)]
    if not shared and failed[1] <= failed[0]:
        why = sorted({run.left_out for side in (base, candidate) for run in side if run.left_out})
        left_out = f" (left out: {', '.join(why[:3])})" if why else ""
        raise InvalidParameterError(f"the two builds have no device and title in common{left_out}")
    told = [m for m in MEASURES if any(m.name in run.values for side in sides for run in side)]
    whole = _holm([_change(measure, "", sides, shared) for measure in told])
    cells = _holm([_change(m, cell, sides, [cell]) for cell in shared for m in told])
    reasons = [_reason(change) for change in whole if change.verdict == "worse"]
    reasons += [_reason(change) for change in cells if change.verdict == "worse"]
    if failed[1] > failed[0]:
        reasons.insert(0, f"{failed[1]} sessions never played, {failed[0]} of the baseline")
    verdict: CatalogueVerdict = "worse" if reasons else _overall(whole)
    return ReleaseComparison(
        base=tuple(base),
        candidate=tuple(candidate),
        whole=tuple(whole),
        cells=tuple(cells),
        unmatched=tuple(sorted(names[0] ^ names[1])),
        verdict=verdict,
        reasons=tuple(reasons),
    )


def _change(measure: Measure, cell: str, sides: list[list[Run]], cells: list[str]) -> MeasureChange:
    values = {
        name: tuple(
            [
                run.values[measure.name]
                for run in side
                if run.cell == name and measure.name in run.values
            ]
            for side in sides
        )
        for name in cells
    }
    pooled = [tuple(value for name in cells for value in values[name][side]) for side in (0, 1)]
    found = difference({name: (own[0], own[1]) for name, own in values.items()})
    p_value = 1.0 if found is None else found.p_value
    return MeasureChange(measure, cell, pooled[0], pooled[1], found, p_value, "no difference seen")


def _holm(changes: list[MeasureChange]) -> list[MeasureChange]:
    """Returns the changes of one family with corrected probabilities and verdicts, worst first."""
    # What cannot differ (no stall anywhere) is no test, and takes nothing from the others.
    tested = {
        str(k): change.adjusted_p
        for k, change in enumerate(changes)
        if len({*change.base, *change.candidate}) > 1 and change.found is not None
    }
    # Two families, the whole and the cells, share the error.
    adjusted = {name: min(1.0, 2 * p) for name, p in holm(tested).items()}
    made = [
        _decided(change, adjusted.get(str(k), 1.0), len(tested)) for k, change in enumerate(changes)
    ]
    return sorted(made, key=lambda c: (_ORDER.index(c.verdict), c.adjusted_p))


def _decided(change: MeasureChange, adjusted_p: float, tests: int) -> MeasureChange:
    found = change.found
    verdict: CatalogueVerdict = "no difference seen"
    if found is None or found.least_p * 2 * max(tests, 1) >= ALPHA:
        verdict = "too little data"
    # Ranks say whether, means say how much: what they do not agree on is no difference.
    elif adjusted_p < ALPHA and abs(found.mean) > change.measure.least:
        if found.mean > 0 and found.shift > 0:
            verdict = "worse"
        elif found.mean < 0 and found.shift < 0:
            verdict = "better"
    return MeasureChange(
        change.measure, change.cell, change.base, change.candidate, found, adjusted_p, verdict
    )


def _overall(whole: Sequence[MeasureChange]) -> CatalogueVerdict:
    verdicts = [change.verdict for change in whole]
    for verdict in ("worse", "better"):
        if verdict in verdicts:
            return verdict
    # Measures that few sessions tell (seeks, say) do not take away from what the others say.
    return "no difference seen" if "no difference seen" in verdicts else "too little data"


def _reason(change: MeasureChange) -> str:
    assert change.found is not None
    where = f" on {change.cell}" if change.cell else ""
    unit = f" {change.measure.unit}" if change.measure.unit else ""
    before, after = float(np.mean(change.base)), float(np.mean(change.candidate))
    return (
        f"{change.measure.name}{where}: mean {before:.3g} -> {after:.3g}{unit} "
        f"(p {change.adjusted_p:.3f})"
    )


def _distribution(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"sessions": 0}
    low, middle, high = np.percentile(values, (5, 50, 95)).tolist()
    return {
        "sessions": len(values),
        "mean": round(float(np.mean(values)), 4),
        "p5": round(low, 4),
        "median": round(middle, 4),
        "p95": round(high, 4),
    }
