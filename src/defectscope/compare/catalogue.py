"""Compares folders of titles, and says over all of them whether the candidates are worse."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectscope.compare.pair import Comparison
from defectscope.compare.statistics import (
    CatalogueVerdict,
    Tested,
    bootstrap_interval,
    compare_counts,
    overall,
)
from defectscope.errors import DefectscopeError, InvalidParameterError

SCHEMA = "defectscope/catalogue-comparison/1"


@dataclass(frozen=True)
class CatalogueComparison:
    """Many titles compared.

    Attributes:
        comparisons: By title.
        failed: Titles that could not be compared, and why.
        unmatched: Titles that one folder has alone.
        whole: Test of all findings together.
        detectors: Test of each detector's findings.
        verdict: What follows.
    """

    comparisons: dict[str, Comparison]
    failed: dict[str, DefectscopeError]
    unmatched: tuple[str, ...]
    whole: Tested | None
    detectors: tuple[Tested, ...]
    verdict: CatalogueVerdict

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "titles": {
                title: {"verdict": found.verdict, "reasons": list(found.reasons)}
                for title, found in sorted(self.comparisons.items())
            },
            "failed": {
                title: {"code": error.code, "message": error.message}
                for title, error in sorted(self.failed.items())
            },
            "unmatched": list(self.unmatched),
            "all_findings": None if self.whole is None else self.whole.to_dict(),
            "detectors": [tested.to_dict() for tested in self.detectors],
            "metrics": self._scores(),
        }

    def to_json(self, indent: int | None = None) -> str:
        """Returns it as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def _scores(self) -> dict[str, Any]:
        """Returns the mean of each measure of video quality over titles, with its interval."""
        curves = [c.quality for c in self.comparisons.values() if c.quality is not None]
        made: dict[str, Any] = {}
        if len(curves) > 1:
            import numpy as np

            for name in curves[0].values:
                means = np.array([curve.values[name].mean() for curve in curves])
                value, low, high = bootstrap_interval(np.zeros(len(means)), means)
                made[name] = {"mean": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
        return made


def pair_titles(base: Path, candidate: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Returns the titles that both folders have, by their path without suffix, and the others.

    Raises:
        InvalidParameterError: One is no folder, or a folder has two files of one title.
    """
    titles = [_titles(folder) for folder in (base, candidate)]
    both = sorted(titles[0].keys() & titles[1].keys())
    alone = sorted(titles[0].keys() ^ titles[1].keys())
    return {title: (titles[0][title], titles[1][title]) for title in both}, alone


def _titles(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InvalidParameterError(f"{folder} is no folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        title = path.relative_to(folder).with_suffix("").as_posix()
        if title in found:
            raise InvalidParameterError(
                f"{folder} holds two files of the title {title}: {found[title].name} and "
                f"{path.name}"
            )
        found[title] = path
    return found


def compare_catalogue(
    base: Path, candidate: Path, compare_title: Callable[[str, Path, Path], Comparison]
) -> CatalogueComparison:
    """Compares each title that both folders have; one bad title does not stop the others.

    Args:
        base: Folder of baselines.
        candidate: Folder of candidates; a title has the same path there but for its suffix.
        compare_title: Compares one.

    Raises:
        InvalidParameterError: The folders share no title.
    """
    pairs, alone = pair_titles(base, candidate)
    if not pairs:
        raise InvalidParameterError(f"{base} and {candidate} have no title in common")
    compared: dict[str, Comparison] = {}
    failed: dict[str, DefectscopeError] = {}
    for title, (one, other) in pairs.items():
        try:
            compared[title] = compare_title(title, one, other)
        except DefectscopeError as error:
            failed[title] = error
    whole, detectors = _tested(list(compared.values()))
    verdict = "too little data" if whole is None else overall(whole, detectors)
    return CatalogueComparison(compared, failed, tuple(alone), whole, tuple(detectors), verdict)


def _tested(comparisons: Sequence[Comparison]) -> tuple[Tested | None, list[Tested]]:
    if not comparisons:
        return None, []
    names = sorted(
        {name for c in comparisons for name in (*c.base.verdicts, *c.candidate.verdicts)}
    )
    counts = {
        name: (
            [sum(f.detector == name for f in c.base.findings) for c in comparisons],
            [sum(f.detector == name for f in c.candidate.findings) for c in comparisons],
        )
        for name in names
    }
    return compare_counts(counts)
