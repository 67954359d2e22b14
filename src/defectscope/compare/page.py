"""A comparison as one HTML file: both versions at one frame, curves, what differs. No network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.compare.alignment import Alignment
from defectscope.compare.pair import Comparison
from defectscope.errors import InvalidParameterError
from defectscope.findings import Curve
from defectscope.report.page import assemble
from defectscope.report.playing import playable
from defectscope.report.saving import write_text

_STYLES = ("theme.css", "compare.css")
_SCRIPTS = ("elements.js", "theme.js", "plots.js", "compare.js")
# More points than this no screen shows.
_POINTS = 2_000
_MAX_DETECTORS = 8


def render_comparison(
    found: Comparison, base: str, candidate: str, *, page: Path | None = None
) -> str:
    """Returns a comparison as one self-contained HTML page.

    Args:
        found: The comparison.
        base: Where the baseline lies; it is played where that is beside the page.
        candidate: Where the candidate lies; likewise.
        page: Where the page will lie.

    Raises:
        InvalidParameterError: Reports alone were compared.
    """
    aligned = found.alignment
    if aligned is None:
        raise InvalidParameterError("the page of a comparison shows media, not two reports")
    names = [_name(base), _name(candidate)]
    plays = [playable(media, page) for media in (base, candidate)]
    fps = [_fps(report.asset) for report in (found.base, found.candidate)]
    facts = [
        ("offset", f"{aligned.offset_frames:+d} frames"),
        ("speed", f"{aligned.speed:.4f}"),
        ("dropped", str(len(aligned.dropped))),
        ("doubled", str(len(aligned.doubled))),
        *((e.kind, f"{e.frames} frames at {e.base_frame}") for e in aligned.edits[:20]),
    ]
    if found.sound is not None and found.sound.offset_ms is not None:
        facts.append(("sound", f"{found.sound.offset_ms:+.1f} ms"))
    facts += [(name, f"{one} → {other}") for name, one, other in found.facts[:40]]
    quality, every = _quality(found, len(aligned.paired), fps[0])
    return assemble(
        title=f"{names[1]} beside {names[0]} – defectscope",
        body="compare.html",
        styles=_STYLES,
        scripts=_SCRIPTS,
        data={
            "names": names,
            "media": [None if p is None else p["src"] for p in plays],
            "verdict": found.verdict,
            "reasons": list(found.reasons),
            "base_frames": len(aligned.paired),
            "base_fps": fps[0],
            "candidate_fps": fps[1],
            "runs": _runs(aligned.paired),
            "alignment": facts,
            "worst": [] if found.quality is None else found.quality.worst(),
            "changes": _changes(found, aligned),
            "quality": quality,
            "every": every,
            "scores": _scores(found, aligned),
        },
    )


def write_comparison(
    found: Comparison, path: str | os.PathLike[str], base: str, candidate: str
) -> None:
    """Writes the page to a file, whole or not at all; arguments as those of `render_comparison`."""
    target = Path(path)
    write_text(target, render_comparison(found, base, candidate, page=target))


def _name(media: str) -> str:
    return media.rstrip("/").rsplit("/", 1)[-1]


def _fps(asset: Mapping[str, Any]) -> float:
    return float(Fraction(asset["video"]["frame_rate"]))


def _runs(paired: NDArray[np.int64]) -> list[list[int]]:
    """Returns pairs as runs: first frame of the baseline, of the candidate, how many."""
    rows = np.flatnonzero(paired >= 0)
    columns = paired[rows]
    edges = np.flatnonzero((np.diff(rows) != 1) | (np.diff(columns) != 1)) + 1
    starts = [0, *edges.tolist()]
    ends = [*edges.tolist(), len(rows)]
    return [
        [int(rows[a]), int(columns[a]), b - a] for a, b in zip(starts, ends, strict=True) if b > a
    ]


def _quality(found: Comparison, frames: int, fps: float) -> tuple[dict[str, dict[str, Any]], int]:
    """Returns each measure's least and greatest value of every so many frames, and how many."""
    curves = found.quality
    if curves is None or not len(curves.base_frames):
        return {}, 0
    every = max(1, -(-frames // _POINTS))
    bucket = curves.base_frames // every
    count = -(-frames // every)
    made: dict[str, dict[str, Any]] = {}
    for name, values in curves.values.items():
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        np.minimum.at(low, bucket, values)
        np.maximum.at(high, bucket, values)
        # Frames without a pair have no measure: the curve goes on from the one before.
        at = np.maximum.accumulate(np.where(np.isfinite(low), np.arange(count), -1))
        at = np.where(at < 0, int(np.flatnonzero(np.isfinite(low))[0]), at)
        made[name] = {
            "step_s": every / fps,
            "min": [float(f"{v:.5g}") for v in low[at]],
            "max": [float(f"{v:.5g}") for v in high[at]],
        }
    return made, every


def _changes(found: Comparison, aligned: Alignment) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for change in found.findings:
        if change.status == "same":
            continue
        start_s = (
            change.base.start_s
            if change.base is not None
            else aligned.to_base_s(change.finding.start_s)
        )
        made.append(
            {
                "status": change.status,
                "defect": change.finding.defect,
                "severity": change.finding.severity,
                "start_s": round(max(start_s, 0.0), 4),
            }
        )
    return made


def _scores(found: Comparison, aligned: Alignment) -> list[dict[str, Any]]:
    """Returns the score curves of both versions for detectors whose findings changed."""
    names = sorted({c.finding.detector for c in found.findings if c.status != "same"})
    made: list[dict[str, Any]] = []
    for name in names[:_MAX_DETECTORS]:
        both = [report.curves.get(name, {}) for report in (found.base, found.candidate)]
        shared = sorted(both[0].keys() & both[1].keys())
        if shared:
            curves = [_on_base_time(side, own[shared[0]], aligned) for side, own in enumerate(both)]
            made.append({"detector": name, "curves": curves})
    return made


def _on_base_time(side: int, curve: Curve, aligned: Alignment) -> dict[str, Any]:
    """Returns a curve on the baseline's time."""
    low, high = np.asarray(curve.min, np.float64), np.asarray(curve.max, np.float64)
    if side:
        times_s = (np.arange(len(high)) + 0.5) * curve.step_s
        base_s = np.array([aligned.to_base_s(t) for t in times_s.tolist()])
        grid_s = (np.arange(max(1, int(base_s[-1] / curve.step_s) + 1)) + 0.5) * curve.step_s
        at = np.clip(np.searchsorted(base_s, grid_s), 0, len(high) - 1)
        low, high = low[at], high[at]
    return {
        "name": "candidate" if side else "baseline",
        "step_s": curve.step_s,
        "min": [float(f"{v:.4g}") for v in low],
        "max": [float(f"{v:.4g}") for v in high],
    }
