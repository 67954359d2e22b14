"""Frames for findings, as the base64 text that a page embeds."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from defectscope.findings import SEVERITIES, Finding
from defectscope.media.source import MediaLike
from defectscope.media.stills import encode_jpeg, read_stills

# Wide enough for the detail pane of the page; 16:9 gives 480 x 270.
MAX_HEIGHT_PX = 270


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


def thumbnails(
    media: MediaLike, times_s: Sequence[float], max_height_px: int = MAX_HEIGHT_PX
) -> list[str | None]:
    """Returns the frame at each instant as base64 of a JPEG file.

    Args:
        media: A local path, the bytes themselves, or a seekable binary file object.
        times_s: Instants in seconds from the first presented frame.
        max_height_px: Taller frames are scaled down to this.

    Returns:
        One text per instant; None where there is no video.

    Raises:
        MediaError: The media cannot be opened.
    """
    if not times_s:
        return []
    return [
        None if still is None else base64.b64encode(encode_jpeg(still.rgb)).decode("ascii")
        for still in read_stills(media, times_s, max_height_px)
    ]
