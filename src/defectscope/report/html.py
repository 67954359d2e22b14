"""The report as one HTML file: timeline, findings with frames, evidence. No network."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from defectscope.errors import MediaError
from defectscope.findings import Finding, Report
from defectscope.media.source import MediaLike
from defectscope.report.page import assemble
from defectscope.report.thumbnails import choose, instant_s, thumbnails
from defectscope.report.units import UNITS

_STYLES = ("theme.css", "report.css", "print.css")
_SCRIPTS = (
    "model.js",
    "theme.js",
    "plots.js",
    "timeline.js",
    "picture.js",
    "detail.js",
    "list.js",
    "verdict.js",
    "report.js",
)
MAX_THUMBNAILS = 60
# What frames and arrays of evidence may add to a page; findings themselves are never dropped.
MAX_HEAVY_BYTES = 3_000_000
# Evidence above this many characters counts as heavy: maps, curves, frames.
_HEAVY_CHARACTERS = 400


def render(
    report: Report, media: MediaLike | None = None, *, max_thumbnails: int = MAX_THUMBNAILS
) -> str:
    """Returns the report as one self-contained HTML page.

    Args:
        report: What to show.
        media: The asset, for frames of the findings; without it, or where it cannot be read,
            the page has none.
        max_thumbnails: Most frames, taken from the worst findings of each detector.
    """
    findings = report.findings
    order = choose(findings, len(findings))
    budget = MAX_HEAVY_BYTES
    stills: dict[int, str] = {}
    chosen = order[:max_thumbnails]
    if media is not None and report.asset.get("video"):
        for index, still in _stills(media, findings, chosen).items():
            # The better half goes to frames, the rest to arrays of evidence.
            if budget - len(still) > MAX_HEAVY_BYTES // 3:
                budget -= len(still)
                stills[index] = still
    evidence: dict[int, Mapping[str, Any]] = {}
    for index in order:
        kept, cost = _within(findings[index].evidence, budget)
        budget -= cost
        evidence[index] = kept
    body = report.to_dict()
    body.pop("measurements", None)
    body.pop("stream", None)
    for index, finding in enumerate(body["findings"]):
        finding["evidence"] = evidence[index]
    body["curves"] = {
        detector: {name: _rounded(curve) for name, curve in by_name.items()}
        for detector, by_name in body["curves"].items()
    }
    data = {
        "report": body,
        "units": UNITS,
        "pictures": {str(index): still for index, still in stills.items()},
        "picture_times_s": {str(index): instant_s(findings[index]) for index in stills},
    }
    name = str(report.asset.get("uri", "")).rstrip("/").rsplit("/", 1)[-1]
    return assemble(
        title=f"{name or 'report'} – defectscope",
        body="report.html",
        styles=_STYLES,
        scripts=_SCRIPTS,
        data=data,
    )


def write(report: Report, path: str | os.PathLike[str], media: MediaLike | None = None) -> None:
    """Writes the page to a file.

    Args:
        report: What to show.
        path: Where; an existing file is replaced at once, never left half written.
        media: As in `render`.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.write_text(render(report, media), encoding="utf-8", newline="\n")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _stills(media: MediaLike, findings: Sequence[Finding], chosen: Sequence[int]) -> dict[int, str]:
    try:
        found = thumbnails(media, [instant_s(findings[index]) for index in chosen])
    except MediaError:
        # A report outlives its media: the page is worth having without frames.
        return {}
    return {index: p for index, p in zip(chosen, found, strict=True) if p is not None}


def _within(evidence: Mapping[str, Any], budget: int) -> tuple[dict[str, Any], int]:
    """Evidence without the heavy parts that the budget no longer covers."""
    kept: dict[str, Any] = {}
    omitted: list[str] = []
    spent = 0
    for name, value in evidence.items():
        if isinstance(value, bool | int | float) or value is None:
            kept[name] = value
            continue
        size = len(json.dumps(value, default=str))
        if size > _HEAVY_CHARACTERS:
            if spent + size > budget:
                omitted.append(name)
                continue
            spent += size
        kept[name] = value
    if omitted:
        kept["omitted_here"] = ", ".join(omitted) + " (in report.json)"
    return kept, spent


def _rounded(curve: Mapping[str, Any]) -> dict[str, Any]:
    """Four digits are more than a line on a screen can show."""
    return {
        "step_s": curve["step_s"],
        **{
            half: [float(f"{value:.4g}") for value in cast("Sequence[float]", curve[half])]
            for half in ("min", "max")
        },
    }
