"""Text of cues without mark-up: WebVTT, SubRip and Advanced SubStation."""

from __future__ import annotations

import html
import re

# Tags that players of SubRip know; anything else between angle brackets is text.
_SUBRIP_TAG = re.compile(r"</?(?:b|i|u|s|c|v|em|strong|font|span|ruby|rt)\b[^<>\n]{0,200}>", re.I)
_OVERRIDE = re.compile(r"\{\\[^{}\n]{0,200}\}")
_ANCHOR = re.compile(r"\{\\an?(\d{1,2})\}")
# In WebVTT every `<` opens a tag, which may reach over lines and need not be closed.
_WEBVTT_TAG = re.compile(r"<([^>]*)(?:>|\Z)")


def plain(line: str) -> str:
    """Returns a line of SubRip or Advanced SubStation without mark-up."""
    if "<" in line:
        line = _SUBRIP_TAG.sub("", line)
    if "{" in line:
        line = _OVERRIDE.sub("", line)
    return (html.unescape(line) if "&" in line else line).strip()


def anchor(text: str) -> str:
    r"""Returns where SubRip's `{\an8}` puts a cue, empty where it says nothing."""
    found = _ANCHOR.search(text) if "{\\a" in text else None
    return "" if found is None else f"an{found[1]}"


def webvtt_lines(text: str) -> tuple[str, ...]:
    """Returns the lines of a cue's payload without tags and without ruby annotations.

    Source: WebVTT, W3C, section 6.4 (cue text parsing).
    """
    if "<" in text:
        out: list[str] = []
        at, annotated = 0, 0
        for tag in _WEBVTT_TAG.finditer(text):
            if not annotated:
                out.append(text[at : tag.start()])
            at = tag.end()
            name = re.split(r"[\s.]", tag[1], maxsplit=1)[0]
            if name == "rt":
                annotated += 1
            elif name in ("/rt", "/ruby"):
                annotated = 0
        if not annotated:
            out.append(text[at:])
        text = "".join(out)
    if "&" in text:
        text = html.unescape(text)
    return tuple(line.strip() for line in text.split("\n")) if text else ()
