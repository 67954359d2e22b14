"""Caption tracks inside the media: which of its streams is one, and its packets as cues."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av.error

from defectscope.media.cues import Cue
from defectscope.media.sidecar_text import plain

# Captions that are pictures: they have times, but no text that could be held against a rule.
_PICTURES = {"dvdsub", "dvbsub", "pgssub", "xsub"}


def cue_stream(container: Any) -> Any:
    """Gives the first caption track that is text, else the first of any kind, else None."""
    tracks = [s for s in container.streams if s.type == "subtitle"]
    return next((s for s in tracks if _is_text(s)), tracks[0] if tracks else None)


def _is_text(stream: Any) -> bool:
    context = stream.codec_context
    return context is not None and context.name not in _PICTURES


def embedded_cues(
    packet: Any, origin_s: Fraction, start: Fraction, end: Fraction | None
) -> Iterator[Cue]:
    """Gives the cue of a packet, where it begins inside [start, end).

    FFmpeg's decoders turn every format into that of Advanced SubStation, whose mark-up (and the
    format's own, which `mov_text` passes through) is no text to read.
    """
    if packet.pts is None or not packet.size:
        return
    begin = packet.pts * packet.time_base - origin_s
    if begin < start or (end is not None and begin >= end):
        return
    lines: list[str] = []
    with contextlib.suppress(av.error.FFmpegError, ValueError):
        for subtitle in packet.decode():
            text = getattr(subtitle, "dialogue", b"") or getattr(subtitle, "text", b"")
            lines += [plain(line) for line in text.decode("utf-8", "replace").splitlines()]
    last = begin + (packet.duration or 0) * packet.time_base
    if any(lines):
        yield Cue(float(begin), float(last), tuple(lines))
