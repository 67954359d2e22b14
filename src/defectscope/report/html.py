"""The report as one HTML file: timeline, findings with frames, evidence. No network."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import defectscope
from defectscope.errors import MediaError, MediaNotFoundError
from defectscope.findings import Report
from defectscope.media.package import is_package
from defectscope.media.package_captions import captions_with
from defectscope.media.source import MediaLike, resolved
from defectscope.report.advice import advice_on
from defectscope.report.frames_shown import frames_shown
from defectscope.report.limits import limits_of
from defectscope.report.page import assemble
from defectscope.report.playing import playable
from defectscope.report.sounds import caption_texts, kept_within, sound_views
from defectscope.report.thumbnails import choose
from defectscope.report.units import UNITS

_STYLES = ("uplot.css", "theme.css", "report.css", "viewer.css", "narrow.css", "print.css")
_SCRIPTS = (
    "uplot.js",
    "elements.js",
    "model.js",
    "timecode.js",
    "theme.js",
    "plots.js",
    "charts.js",
    "timeline.js",
    "picture.js",
    "channels.js",
    "player.js",
    "sound.js",
    "waivers.js",
    "review.js",
    "detail.js",
    "list.js",
    "verdict.js",
    "facts.js",
    "report.js",
)
MAX_THUMBNAILS = 60
# What frames and arrays of evidence may add to a page; findings themselves are never dropped.
MAX_HEAVY_BYTES = 3_000_000
# Evidence above this many characters counts as heavy: maps, curves, frames.
_HEAVY_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Desk:
    """How a page is reached when it is served, so that it can write.

    Attributes:
        token: What it must send along; nobody else knows it.
        media: Address of the media; None where there is none.
        rejected: Findings that were confirmed as faults, by index: `reason`, `who`.
    """

    token: str
    media: str | None
    rejected: Mapping[int, Mapping[str, Any]] = field(default_factory=dict[int, Mapping[str, Any]])


def render(
    report: Report,
    media: MediaLike | None = None,
    *,
    page: Path | None = None,
    captions: MediaLike | None = None,
    desk: Desk | None = None,
    max_thumbnails: int = MAX_THUMBNAILS,
) -> str:
    """Returns the report as one self-contained HTML page.

    Args:
        report: What to show.
        media: The asset, for frames and sound of the findings; without it, or where it cannot be
            read, the page has none.
        page: Where the page will lie: the media, or a proxy, is played from beside it.
        captions: Side-car captions, for the text of findings in captions.
        desk: The page is served and may write.
        max_thumbnails: Most frames, taken from the worst findings of each detector.
    """
    findings = report.findings
    order = choose(findings, len(findings))
    budget = MAX_HEAVY_BYTES
    stills: dict[int, dict[str, Any]] = {}
    sounds: dict[int, dict[str, Any]] = {}
    texts: dict[int, list[dict[str, Any]]] = {}
    with suppress(MediaError), _opened(media, captions) as (source, side):
        if report.asset.get("video"):
            # The better half goes to frames, the rest to sound and arrays of evidence.
            chosen = order[:max_thumbnails]
            stills, spent = frames_shown(report, source, chosen, budget * 2 // 3)
            budget -= spent
        with suppress(MediaError):
            texts = caption_texts(source, findings, order, side)
        with suppress(MediaError):
            sounds, budget = kept_within(sound_views(source, findings, order), order, budget)
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
    if desk is None:
        plays = playable(media, page)
    else:
        plays = None if desk.media is None else {"src": desk.media, "proxy": False}
    data = {
        "report": body,
        "units": UNITS,
        "version": defectscope.__version__,
        "advice": advice_on(finding.defect for finding in findings),
        "limits": limits_of(report),
        "stills": stills,
        "sounds": sounds,
        "captions": texts,
        "media": plays,
        "desk": desk and {"token": desk.token, "rejected": dict(desk.rejected)},
    }
    name = str(report.asset.get("uri", "")).rstrip("/").rsplit("/", 1)[-1]
    return assemble(
        title=f"{name or 'report'} – defectscope",
        body="report.html",
        styles=_STYLES,
        scripts=_SCRIPTS,
        data=data,
        served=desk is not None,
    )


@contextmanager
def _opened(
    media: MediaLike | None, captions: MediaLike | None
) -> Generator[tuple[MediaLike, MediaLike | None]]:
    """The asset as it is opened, and its captions: a package is one file, with those of its own."""
    if media is None:
        raise MediaNotFoundError("there is no media")
    if not is_package(media):
        yield media, captions
        return
    side = captions_with(media) if captions is None else captions
    with resolved(media) as source:
        yield source, side


def write(
    report: Report,
    path: str | os.PathLike[str],
    media: MediaLike | None = None,
    *,
    captions: MediaLike | None = None,
) -> None:
    """Writes the page to a file.

    Args:
        report: What to show.
        path: Where; an existing file is replaced at once, never left half written.
        media: As in `render`.
        captions: As in `render`.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        text = render(report, media, page=target, captions=captions)
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


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
