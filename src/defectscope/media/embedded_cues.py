"""Caption tracks inside the media: which of its streams they are, and their packets as cues."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av.error
from av.stream import Disposition

from defectscope.media.captions.caption_bytes import CaptionBytes, captions_in
from defectscope.media.captions.markup import plain
from defectscope.media.cues import Cue

# Captions that are images: they have times, but no text that could be held against a rule.
_IMAGES = frozenset({"dvdsub", "dvbsub", "pgssub", "xsub"})
# Pairs of line 21 as a track of their own.
_LINE21 = frozenset({"cc_dec", "eia_608"})
# Where an image has no end of its own, the next event of its track ends it. Source: DVB's page
# time-outs and Blu-ray's epochs are shorter.
_MAX_IMAGE_S = 60.0


def cue_streams(container: Any) -> list[Any]:
    """Returns the caption tracks that a decoder is installed for."""
    return [s for s in container.streams if s.type == "subtitle" and s.codec_context is not None]


def embedded_cues(
    packet: Any, origin_s: Fraction, start: Fraction, end: Fraction | None
) -> Iterator[Cue | CaptionBytes]:
    """Yields the cue of a packet, where it begins inside [start, end).

    FFmpeg's decoders turn every format into that of Advanced SubStation, whose mark-up (and the
    format's own, which `mov_text` passes through) is no text to read. An image is on screen until
    its track's next event, which may be one without an image.
    """
    if packet.pts is None or not packet.size:
        return
    begin = packet.pts * packet.time_base - origin_s
    stream = packet.stream
    kind = stream.codec_context.name
    track = stream.index + 1
    images = _decoded(packet) if kind in _IMAGES else None
    if begin < start or (end is not None and begin >= end):
        return
    if kind in _LINE21:
        if data := captions_in(bytes(packet)):
            yield CaptionBytes(float(begin), data, track)
        return
    last = begin + (packet.duration or 0) * packet.time_base
    forced = bool(stream.disposition & Disposition.forced)
    if kind in _IMAGES:
        if images is not None:
            yield _image(images, float(begin), float(last), track, forced)
        return
    lines: list[str] = []
    with contextlib.suppress(av.error.FFmpegError, ValueError):
        for subtitle in packet.decode():
            text = getattr(subtitle, "dialogue", b"") or getattr(subtitle, "text", b"")
            lines += [plain(line) for line in text.decode("utf-8", "replace").splitlines()]
    if any(lines):
        yield Cue(float(begin), float(last), tuple(lines), track=track, forced=forced)


def _decoded(packet: Any) -> Any:
    """Returns the images of a packet, None where it holds none yet; decoders of them have state."""
    with contextlib.suppress(av.error.FFmpegError, ValueError):
        return packet.stream.codec_context.decode2(packet)
    return None


def _image(images: Any, start_s: float, last_s: float, track: int, forced: bool) -> Cue:
    if not len(images):
        return Cue(start_s, start_s, (), track=track, clears=True)
    length_s = images.end_display_time / 1000
    end_s = last_s if last_s > start_s else start_s + min(length_s or _MAX_IMAGE_S, _MAX_IMAGE_S)
    return Cue(start_s, end_s, (), image=True, track=track, forced=forced, until_next=True)
