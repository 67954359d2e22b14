"""TTML and IMSC: which text is on screen when, in one pass over the document.

Source: W3C TTML2, sections 8.1 (content), 12.2 (timing attributes and containers), 14 (metadata).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.parsers import expat

from defectscope.errors import CaptionsError
from defectscope.media.captions.clock import moved
from defectscope.media.captions.ttml_paragraph import (
    Leaf,
    empty_cue,
    joined,
    paragraph_cues,
)
from defectscope.media.captions.ttml_style import (
    HIDING,
    Sheet,
    is_annotation,
    is_hidden,
    style_of,
)
from defectscope.media.captions.ttml_time import TimeBase, time_base
from defectscope.media.captions.ttml_timing import Timed, Times
from defectscope.media.cues import (
    BAD_TIME,
    BAD_XML,
    LATE_PROGRAMME,
    MAX_CUES,
    MAX_FAULTS,
    NEVER_SHOWN,
    NO_REGION,
    CaptionFault,
    Captions,
    Cue,
)

_TIMING = ("begin", "end", "dur")
_TIMED = frozenset({"body", "div", "p", "span", "br", "image"})
# Deeper documents are made to hurt.
_MAX_DEPTH = 200


class _Document:
    """What the parser has seen so far."""

    def __init__(self, parser: Any) -> None:
        self.parser = parser
        self.clock = TimeBase()
        self.sheet = Sheet()
        self.cues: list[Cue] = []
        self.faults: list[CaptionFault] = []
        self.rooted = False
        self.programme_s: float | None = None
        self._namespace = ""
        # Names of the open elements, with None for what is no content of this vocabulary.
        self._open: list[str | None] = []
        self._timed: list[Timed] = []
        self._region: str | None = None
        self._programme: list[str] | None = None
        self._leaves: list[Leaf] = []
        self._text_lost = self._text_hidden = False
        self._preserve = [False]
        self._astray = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Takes the start of an element."""
        if len(self._open) >= _MAX_DEPTH:
            raise CaptionsError(f"captions nested deeper than {_MAX_DEPTH} elements")
        space, _, tag = name.rpartition(" ")
        plain = _local(attributes)
        if not self.rooted:
            self._namespace = space
            self.rooted = tag == "tt"
            self.clock = time_base(plain)
        self._preserve.append(
            plain["space"] == "preserve" if "space" in plain else self._preserve[-1]
        )
        if tag == "documentStartOfProgramme":
            self._programme = []
        # What another vocabulary adds, and metadata, are not shown.
        ours = space == self._namespace and tag != "metadata"
        if not ours or (self._open and self._open[-1] is None):
            self._open.append(None)
            return
        self._open.append(tag)
        if tag == "style":
            self._style(plain)
        elif tag == "region":
            self.sheet.add_region(plain)
            self._region = plain.get("id")
        elif tag == "set":
            self._animate(plain, attributes)
        elif tag in _TIMED:
            self._start_timed(tag, plain, attributes)

    def _style(self, plain: dict[str, str]) -> None:
        if "region" in self._open[:-1] and self._region is not None:
            # A style inside a region belongs to it.
            known = self.sheet.regions.get(self._region, {})
            self.sheet.regions[self._region] = {**self.sheet.resolve(plain), **known}
        else:
            self.sheet.add_style(plain)

    def _animate(self, plain: dict[str, str], attributes: dict[str, str]) -> None:
        """Takes a `set`: what is hidden at first need not be hidden for good."""
        style = style_of(plain)
        if self._timed and not style.keys().isdisjoint(HIDING):
            self._timed[-1].animate(self._times(attributes), is_hidden(style))
        elif not self._timed and self._region is not None:
            region = self.sheet.regions.get(self._region, {})
            self.sheet.regions[self._region] = {k: v for k, v in region.items() if k not in style}

    def _start_timed(self, tag: str, plain: dict[str, str], attributes: dict[str, str]) -> None:
        times = self._times(attributes)
        parent = self._timed[-1] if self._timed else None
        style = self.sheet.resolve(plain)
        if parent is not None and "ruby" not in style:
            style = {"ruby": parent.style.get("ruby", ""), **style}
        one = Timed(tag, times, parent, self.parser.CurrentLineNumber, style)
        one.region = attributes.get("region", parent.region if parent is not None else "")
        one.hides = is_hidden(style)
        one.is_image = tag == "image" or "backgroundImage" in plain
        self._timed.append(one)
        if tag == "p":
            self._leaves = []
            self._text_lost = self._text_hidden = False
        elif tag == "br" and parent is not None:
            self._leaves.append(Leaf("\n", parent.begin_s, math.inf, parent.region))

    def _times(self, attributes: dict[str, str]) -> Times:
        faults = len(self.faults)
        begin_s, end_s, long_s = (self._time(attributes, name) for name in _TIMING)
        in_sequence = attributes.get("timeContainer") == "seq"
        return Times(begin_s, end_s, long_s, in_sequence, broken=len(self.faults) > faults)

    def _time(self, attributes: dict[str, str], name: str) -> float | None:
        if name not in attributes:
            return None
        time_s = self.clock.seconds(attributes[name])
        if time_s is None:
            self.faults.append(CaptionFault(self.parser.CurrentLineNumber, BAD_TIME))
        return time_s

    def data(self, text: str) -> None:
        """Takes text."""
        if self._programme is not None:
            self._programme.append(text)
        if not self._open or self._open[-1] not in ("p", "span") or not self._timed:
            return
        at = self._timed[-1]
        span = at.visible()
        if is_annotation(at.style) or span is None or at.broken:
            self._text_hidden = self._text_hidden or bool(text.strip())
            return
        if not self._preserve[-1]:
            text = text.replace("\n", " ").replace("\t", " ")
        if text.strip() and not at.take_text():
            self._text_lost = True
            return
        self._leaves.append(Leaf(text, *span, at.region))

    def end(self, name: str) -> None:
        """Takes the end of an element."""
        self._preserve.pop()
        if name.endswith("documentStartOfProgramme") and self._programme is not None:
            self.programme_s = self.clock.seconds("".join(self._programme))
            self._programme = None
        tag = self._open.pop()
        if tag == "region":
            self._region = None
        if tag not in _TIMED or not self._timed:
            return
        one = self._timed.pop()
        one.close()
        hidden = (
            one.broken or one.visible() is None or is_hidden(self.sheet.regions.get(one.region, {}))
        )
        if one.is_image and not hidden:
            place = self.sheet.place(one.region, one.style)
            self.cues.append(Cue(one.begin_s, one.end_s, (), one.line, place=place, image=True))
        elif tag == "p" and not hidden:
            self._end_paragraph(one)
        if len(self.cues) > MAX_CUES:
            raise CaptionsError(f"more than {MAX_CUES} cues")

    def _end_paragraph(self, one: Timed) -> None:
        if self._text_lost:
            self.faults.append(CaptionFault(one.line, NEVER_SHOWN))
        words = [leaf for leaf in self._leaves if leaf.text.strip()]
        if words:
            if self.sheet.regions and any(not leaf.region for leaf in words) and not self._astray:
                # Said once; the text is evaluated as players show it that know no regions.
                self._astray = True
                self.faults.append(CaptionFault(one.line, NO_REGION))
            self._add(paragraph_cues(one, self._leaves, self.sheet))
        elif not self._text_lost and not self._text_hidden:
            self._add(empty_cue(one, self.sheet))

    def _add(self, cues: Sequence[Cue]) -> None:
        for cue in cues:
            both = joined(self.cues[-1], cue) if self.cues else None
            if both is None:
                self.cues.append(cue)
            else:
                self.cues[-1] = both


def _local(attributes: dict[str, str]) -> dict[str, str]:
    return {key.rpartition(" ")[2]: value for key, value in attributes.items()}


def read_ttml(text: str, faults: Sequence[CaptionFault] = ()) -> Captions:
    """Returns the cues of a TTML document, up to where its XML breaks.

    Args:
        text: The whole document.
        faults: What was wrong with its bytes.

    Raises:
        CaptionsError: It declares entities, nests without end, or has more cues than any
            programme can have.
    """
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    document = _Document(parser)
    parser.buffer_text = True
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.data
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        document.faults.append(CaptionFault(error.lineno, BAD_XML))
    if not document.rooted:
        document.cues.clear()
        document.faults.append(CaptionFault(1, BAD_XML))
    cues = document.cues
    if document.programme_s:
        if any(cue.start_s >= document.programme_s for cue in cues):
            cues = [moved(cue, -document.programme_s) for cue in cues]
        elif cues and document.clock.smpte:
            document.faults.append(CaptionFault(1, LATE_PROGRAMME))
    found = sorted([*faults, *document.faults], key=lambda fault: fault.source_line)
    timecoded = document.clock.smpte and not document.programme_s
    return Captions("ttml", tuple(cues), tuple(found[:MAX_FAULTS]), timecoded=timecoded)


def _refuse(*_: Any) -> None:
    # Captions need none, and a few lines of them can expand to gigabytes.
    raise CaptionsError("captions that declare XML entities are not read")
