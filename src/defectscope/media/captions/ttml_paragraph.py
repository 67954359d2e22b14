"""Cues of one TTML paragraph, whose spans may have times of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from defectscope.media.captions.ttml_style import Sheet
from defectscope.media.captions.ttml_timing import Timed
from defectscope.media.cues import Cue


@dataclass(frozen=True, slots=True)
class Leaf:
    """A piece of text.

    Attributes:
        text: As it stands; a line feed is a line break.
        start_s: When it appears.
        end_s: When it goes.
        region: Identifier of its region.
    """

    text: str
    start_s: float
    end_s: float
    region: str


def paragraph_cues(paragraph: Timed, leaves: Sequence[Leaf], sheet: Sheet) -> list[Cue]:
    """Returns the cues of a closed paragraph.

    Pieces of text that are on screen together are one cue; pieces that follow each other are
    cues of their own.

    Args:
        paragraph: The paragraph.
        leaves: Its text in document order.
        sheet: Styles and regions.
    """
    place = sheet.place(paragraph.region, paragraph.style)
    words = [leaf for leaf in leaves if leaf.text.strip()]
    spans = _together(words)
    out: list[Cue] = []
    for start_s, end_s in spans:
        own = [
            leaf
            for leaf in leaves
            if (start_s <= leaf.start_s and leaf.end_s <= end_s) or not leaf.text.strip()
        ]
        region = next((leaf.region for leaf in own if leaf.region), paragraph.region)
        where = place if region == paragraph.region else sheet.place(region, paragraph.style)
        if math.isfinite(start_s):
            out.append(Cue(start_s, end_s, _lines(own), paragraph.line, place=where))
    return out


def _together(words: Sequence[Leaf]) -> list[tuple[float, float]]:
    """Returns intervals in which text stays on screen, ordered by start."""
    out: list[tuple[float, float]] = []
    for leaf in sorted(words, key=lambda leaf: (leaf.start_s, leaf.end_s)):
        if out and leaf.start_s < out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], leaf.end_s))
        else:
            out.append((leaf.start_s, leaf.end_s))
    return out


def empty_cue(paragraph: Timed, sheet: Sheet) -> list[Cue]:
    """Returns the cue of a paragraph that states times and holds no text."""
    if not paragraph.times.stated or paragraph.end_s <= paragraph.begin_s:
        return []
    place = sheet.place(paragraph.region, paragraph.style)
    return [Cue(paragraph.begin_s, paragraph.end_s, (), paragraph.line, place=place)]


def joined(cue: Cue, following: Cue) -> Cue | None:
    """Returns two cues as one where they are lines of one caption, else None.

    Many documents hold a paragraph for every line, with the same times and region.
    """
    same = (cue.start_s, cue.end_s, cue.place) == (
        following.start_s,
        following.end_s,
        following.place,
    )
    if not same or not any(cue.lines) or not any(following.lines):
        return None
    return replace(cue, lines=cue.lines + following.lines)


def _lines(leaves: Sequence[Leaf]) -> tuple[str, ...]:
    text = "".join(leaf.text for leaf in leaves)
    return tuple(" ".join(part.split()) for part in text.split("\n"))
