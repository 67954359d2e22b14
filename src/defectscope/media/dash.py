"""DASH packages on disk: a manifest becomes the pieces of its best video and of its best sound.

Source: ISO/IEC 23009-1, clause 5 (media presentation description).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin
from xml.etree import ElementTree

from defectscope.errors import MediaError, UnreadableMediaError
from defectscope.media.pieces import MAX_PIECES, Piece, inside, read_list

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.ASCII)
_IDENTIFIER = re.compile(r"\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$")
_SPAN = re.compile(r"(\d+)-(\d+)", re.ASCII)
Node = ElementTree.Element


@dataclass(frozen=True, slots=True)
class _Representation:
    """One encoding: its own element and those it inherits from, the innermost last."""

    kind: str
    nodes: tuple[Node, ...]
    length_s: float

    def get(self, name: str) -> str:
        """An attribute, of the innermost element that states it."""
        return next((n.attrib[name] for n in reversed(self.nodes) if name in n.attrib), "")

    @property
    def captions(self) -> str:
        """`files` or `fragments` where it is captions, by what they come in; else empty."""
        kind = self.get("mimeType")
        if kind in ("text/vtt", "application/ttml+xml"):
            return "files"
        of_mp4 = kind == "application/mp4" and self.get("codecs").startswith(("stpp", "wvtt"))
        return "fragments" if of_mp4 else ""

    @property
    def forced(self) -> bool:
        """Whether it captions foreign speech and signs only."""
        roles = [role.get("value", "") for node in self.nodes for role in node.findall("Role")]
        return any(role.replace("_", "-") == "forced-subtitle" for role in roles)

    def rank(self) -> tuple[int, int]:
        """Pixels, then bits a second."""
        width, height, bits = (_whole(self.get(n) or "0") for n in ("width", "height", "bandwidth"))
        return width * height, bits


def dash_pieces(path: Path) -> tuple[list[Piece], list[Piece]]:
    """Returns the pieces of a package's best video, and of its best sound where there are both.

    The best has the most pixels, then the most bits a second.

    Raises:
        UnreadableMediaError: The manifest is broken, of several periods, encrypted, or of a kind
            that is not read.
        MediaRefusedError: It names what lies outside its folder.
        MediaNotFoundError: A segment is missing.
    """
    found = _representations(path)
    kinds = {kind: [r for r in found if r.kind == kind] for kind in ("video", "audio")}
    best = [
        _pieces(path, max(of_kind, key=_Representation.rank))
        for of_kind in kinds.values()
        if of_kind
    ]
    if not best:
        _broken(path, "no video and no sound in it")
    return best[0], best[1] if len(best) > 1 else []


def dash_captions(path: Path) -> tuple[list[Piece], bool]:
    """Returns the pieces of the first captions that are not forced; none where there are none.

    Returns:
        The pieces, and whether they are fragments of MP4; else each is a file of its own.

    Raises:
        MediaError: The manifest cannot be read, or a segment of them is missing.
    """
    found = [one for one in _representations(path) if one.captions]
    if not found:
        return [], False
    chosen = next((one for one in found if not one.forced), found[0])
    return _pieces(path, chosen), chosen.captions == "fragments"


def dash_files(path: Path) -> set[Path]:
    """Returns the files that belong to a manifest, as far as they can be told."""
    found: set[Path] = set()
    with suppress(MediaError):
        for representation in _representations(path):
            with suppress(MediaError):
                found |= {piece.path for piece in _pieces(path, representation)}
    return found


def _broken(path: Path, why: str) -> NoReturn:
    raise UnreadableMediaError(f"{path.name}: {why}")


def _representations(path: Path) -> list[_Representation]:
    text = read_list(path)
    # Entities need a document type, and a manifest has none: nothing is expanded or fetched.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        _broken(path, "a manifest with a document type is not read")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError):
        _broken(path, "not XML")
    for node in root.iter():
        # Without its namespace, which differs between editions.
        node.tag = str(node.tag).rpartition("}")[2]
        if node.tag == "ContentProtection":
            _broken(path, "the segments are encrypted")
    periods = root.findall("Period")
    if root.tag != "MPD" or len(periods) != 1:
        _broken(path, f"a manifest of {len(periods)} periods; one of a single period is read")
    period = periods[0]
    length_s = _seconds(period.get("duration") or root.get("mediaPresentationDuration", ""))
    found: list[_Representation] = []
    for group in period.findall("AdaptationSet"):
        for one in group.findall("Representation"):
            nodes = (root, period, group, one)
            kinds = [n.get(a, "") for n in (one, group) for a in ("contentType", "mimeType")]
            kind = next((k.partition("/")[0] for k in kinds if k), "")
            found.append(_Representation(kind, nodes, length_s))
    return found


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        return 0.0
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise UnreadableMediaError(f"the manifest has a number that is none: {text[:20]!r}")
    return int(text)


def _pieces(path: Path, one: _Representation) -> list[Piece]:
    base = ""
    for node in one.nodes:
        stated = (node.findtext("BaseURL") or "").strip()
        base = urljoin(base, stated) if stated else base

    def piece(name: str, span: str = "") -> Piece:
        where = inside(path.parent, path.parent, urljoin(base, name))
        if not span:
            return Piece(where)
        match = _SPAN.fullmatch(span)
        if match is None:
            _broken(path, f"a byte range that is none: {span[:40]}")
        first, last = int(match[1]), int(match[2])
        return Piece(where, first, last - first + 1)

    template = _inherited(one, "SegmentTemplate")
    if template:
        # All are named before the first is looked up: too many then cost no look at the disk.
        names = list(_named(path, one, template))
        return [piece(name) for name in names]
    lists = _inherited(one, "SegmentList")
    if lists:
        entries = lists[-1].findall("SegmentURL")
        head = lists[-1].find("Initialization")
        found = [] if head is None else [piece(head.get("sourceURL", ""), head.get("range", ""))]
        return found + [piece(e.get("media", ""), e.get("mediaRange", "")) for e in entries]
    # One file, whose own index says where its segments are.
    return [piece("")]


def _inherited(one: _Representation, tag: str) -> list[Node]:
    return [found for node in one.nodes if (found := node.find(tag)) is not None]


def _named(path: Path, one: _Representation, templates: list[Node]) -> Iterator[str]:
    """Names of the initialisation section and of all segments."""

    def get(name: str, default: str = "") -> str:
        return next((t.attrib[name] for t in reversed(templates) if name in t.attrib), default)

    fixed = {"RepresentationID": one.get("id"), "Bandwidth": one.get("bandwidth")}
    if get("initialization"):
        yield _filled(path, get("initialization"), fixed)
    media, timescale = get("media"), max(1, _whole(get("timescale", "1")))
    if not media:
        _broken(path, "a template without media")
    first = _whole(get("startNumber", "1"))
    timeline = next(
        (t for n in reversed(templates) if (t := n.find("SegmentTimeline")) is not None), None
    )
    if timeline is not None:
        times = _times(path, timeline, one.length_s * timescale)
    else:
        ticks = _whole(get("duration", "0"))
        if not ticks or not one.length_s:
            _broken(path, "a template without a timeline, or without durations")
        count = math.ceil(round(one.length_s * timescale / ticks, 6))
        times = (k * ticks for k in range(count))
    for number, time in enumerate(times, first):
        if number - first >= MAX_PIECES:
            _broken(path, f"more than {MAX_PIECES} segments")
        yield _filled(path, media, {**fixed, "Number": str(number), "Time": str(time)})


def _times(path: Path, timeline: Node, end: float) -> Iterator[int]:
    """The start of each segment, in ticks."""
    time = 0
    entries = timeline.findall("S")
    for place, entry in enumerate(entries):
        time = _whole(entry.get("t", str(time)))
        ticks = _whole(entry.get("d", "0"))
        if not ticks:
            _broken(path, "a segment without a duration")
        repeated = entry.get("r", "0")
        if repeated == "-1":
            following = entries[place + 1].get("t") if place + 1 < len(entries) else None
            until = float(_whole(following)) if following else end
            count = max(1, math.ceil(round((until - time) / ticks, 6)))
        else:
            count = _whole(repeated) + 1
        for _ in range(count):
            yield time
            time += ticks


def _filled(path: Path, template: str, values: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if not match[1]:
            return "$"
        if match[1] not in values:
            _broken(path, f"${match[1]}$ has no place there")
        return values[match[1]].zfill(int(match[2] or 0))

    return _IDENTIFIER.sub(value, template)
