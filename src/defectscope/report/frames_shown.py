"""Frames before, at and after findings, within a budget of bytes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import MediaError
from defectscope.findings import Finding, Report
from defectscope.media.source import MediaLike
from defectscope.media.stills import encode_jpeg, read_stills
from defectscope.report.thumbnails import MAX_HEIGHT_PX, instant_s

_MOMENTS = ("at", "before", "after")


def frames_shown(
    report: Report, media: MediaLike, chosen: Sequence[int], budget: int
) -> tuple[dict[int, dict[str, Any]], int]:
    """Returns frames as base64 of JPEG, and their instants, by finding; and the bytes they take.

    `at` is the worst moment, `before` the last frame before a finding begins, `after` the first one
    that is past it, at half the size.

    Args:
        report: The report.
        media: Its asset.
        chosen: Indices of findings, the most wanted first.
        budget: Most bytes of base64; `at` of a finding comes before `before` and `after` of any.
    """
    moments = {k: _moments(report.findings[k], report) for k in chosen}
    places = [(k, name) for name in _MOMENTS for k in chosen if name in moments[k]]
    try:
        stills = read_stills(media, [moments[k][name] for k, name in places], MAX_HEIGHT_PX)
    except MediaError:
        # A report outlives its media: the page is worth having without frames.
        return {}, 0
    shown: dict[int, dict[str, Any]] = {}
    spent = 0
    for (index, name), still in zip(places, stills, strict=True):
        if still is None or (name != "at" and index not in shown):
            continue
        rgb = still.rgb if name == "at" else _halved(still.rgb)
        text = base64.b64encode(encode_jpeg(rgb)).decode("ascii")
        if spent + len(text) > budget:
            continue
        spent += len(text)
        entry = shown.setdefault(index, {})
        entry[name], entry[f"{name}_s"] = text, round(moments[index][name], 4)
    return shown, spent


def _moments(finding: Finding, report: Report) -> dict[str, float]:
    rate = float(Fraction(str(report.asset["video"].get("frame_rate", "25"))) or 25)
    end_s = float(report.asset.get("duration_s", 0.0))
    # The middle of a frame, so that rounding never shows its neighbour.
    found = {"at": instant_s(finding)}
    if finding.start_s > 0.5 / rate:
        found["before"] = finding.start_s - 0.5 / rate
    if finding.end_s + 0.5 / rate < end_s:
        found["after"] = finding.end_s + 0.5 / rate
    return found


def _halved(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = (side - side % 2 for side in rgb.shape[:2])
    if height < 4 or width < 4:
        return rgb
    quads = rgb[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return quads.mean(axis=(1, 3)).astype(np.uint8)
