"""EIA-608 (line 21) data as cues; FFmpeg's decoder reads it.

PyAV gives that decoder no clock, so pairs of bytes are handed over as a Scenarist file whose time
codes merely count them; the times of the cues then name pairs, and pairs have times.

Source: ANSI/CTA-608-E, sections 7.3 (channels), 7.7 (control codes) and 9 (extended data).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import av
import av.error

from defectscope.media.captions.markup import plain
from defectscope.media.cues import Cue

# An hour of dense captions has 30,000 pairs; more than this is no television.
_MAX_PAIRS = 3_000_000
# A decoder clears captions for which nothing more arrives. Source: CTA-608-E, annex C.9.
_HOLD_S = 16.0
_SECOND_CHANNEL = 0x08
# Resume caption loading, roll-up with two to four rows, resume direct captioning.
_CAPTION_MODES = frozenset({0x20, 0x25, 0x26, 0x27, 0x29})
_TEXT_MODES = frozenset({0x2A, 0x2B})


@dataclass(frozen=True, slots=True)
class Pair:
    """Two bytes of one field.

    Attributes:
        at_s: When its frame is presented.
        first: First byte, parity bit included.
        second: Second byte.
        line: Line number in a side-car file, 0 elsewhere.
    """

    at_s: float
    first: int
    second: int
    line: int = 0


def line21_cues(pairs: Sequence[Pair]) -> dict[int, list[Cue]]:
    """Returns the cues of one field by channel, 1 and 2.

    Args:
        pairs: In order of time.
    """
    return {
        channel: cues
        for channel, own in channels(pairs).items()
        if (cues := list(_decoded(own[:_MAX_PAIRS])))
    }


def channels(pairs: Sequence[Pair]) -> dict[int, list[Pair]]:
    """Returns the pairs of captions by channel, each as if it were the first.

    Extended data services and text mode are left out; filling is too.
    """
    out: dict[int, list[Pair]] = {1: [], 2: []}
    text_mode = {1: False, 2: False}
    channel, extended = 1, False
    for pair in pairs:
        first, second = pair.first & 0x7F, pair.second & 0x7F
        if first == 0 and second == 0:
            continue
        if 0 < first < 0x10:
            extended = True
            continue
        if 0x10 <= first < 0x20:
            extended = False
            channel = 2 if first & _SECOND_CHANNEL else 1
            first &= ~_SECOND_CHANNEL
            # Field 2 has its own code for what field 1 says with 0x14.
            first = 0x14 if first == 0x15 and 0x20 <= second < 0x30 else first
            if first == 0x14 and second in _TEXT_MODES | _CAPTION_MODES:
                text_mode[channel] = second in _TEXT_MODES
            pair = replace(pair, first=_with_parity(first))
        if not extended and not text_mode[channel]:
            out[channel].append(pair)
    return out


def _with_parity(code: int) -> int:
    return code if code.bit_count() % 2 else code | 0x80


def _decoded(pairs: Sequence[Pair]) -> Iterator[Cue]:
    """Yields what a decoder shows, without the rows that only moved up."""
    before: Cue | None = None
    for start, end, lines in _events(pairs):
        if not any(lines) or not 0 <= start < len(pairs):
            continue
        start_s = pairs[start].at_s
        # The last caption of all is never followed by a change.
        end_s = pairs[end].at_s if end < len(pairs) else start_s + _HOLD_S
        cue = Cue(start_s, end_s, lines, pairs[start].line or None)
        fresh = cue if before is None or before.end_s < start_s else _fresh(before, cue)
        before = cue
        yield fresh


def _fresh(before: Cue, cue: Cue) -> Cue:
    """Returns a cue without the rows that stood there already, as roll-up captions have them."""
    for kept in range(min(len(before.lines), len(cue.lines) - 1), 0, -1):
        if before.lines[-kept:] == cue.lines[:kept]:
            return replace(cue, lines=cue.lines[kept:])
    return cue


def _events(pairs: Sequence[Pair]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yields what is on screen and from which pair to which, by FFmpeg's decoder."""
    if not pairs:
        return
    rows = ["Scenarist_SCC V1.0\n"]
    rows += [
        f"{k // 3600:02d}:{k // 60 % 60:02d}:{k % 60:02d}:00\t{p.first:02x}{p.second:02x}\n"
        for k, p in enumerate(pairs)
    ]
    written = io.BytesIO("\n".join(rows).encode("ascii"))
    opened: Any = av.open(written, mode="r", format="scc")
    with contextlib.suppress(av.error.FFmpegError), opened as container:
        stream = container.streams[0]
        for packet in container.demux(stream):
            with contextlib.suppress(av.error.FFmpegError):
                shown = stream.codec_context.decode2(packet)
                if shown is None or shown.pts is None:
                    continue
                start = round(shown.pts / 1_000_000)
                end = start + round(shown.end_display_time / 1000)
                last = packet.pts is None
                text = b"".join(rect.dialogue for rect in shown).decode("utf-8", "replace")
                lines = tuple(plain(line) for line in text.splitlines())
                yield start, len(pairs) if last else end, tuple(x for x in lines if x)
