"""Puts captions on the programme's clock, which only the media itself can tell.

Source: RFC 8216, section 3.5 (X-TIMESTAMP-MAP).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from defectscope.media.cues import Captions, Cue
from defectscope.media.stream import StreamInfo

# Time stamps of the transport stream have 33 bits at 90 kHz.
_WRAP_S = 2**33 / 90_000


def moved(cue: Cue, by_s: float) -> Cue:
    """Returns a cue that appears later by some seconds."""
    return replace(cue, start_s=cue.start_s + by_s, end_s=cue.end_s + by_s)


def on_programme_clock(captions: Captions, stream: StreamInfo) -> Captions:
    """Returns side-car captions with t = 0 at the first presented frame.

    A timestamp map is applied where the container keeps the transport stream's time stamps; time
    codes are taken against the media's own time code where they would otherwise lie outside the
    programme. Cues without an end last as long as the programme.
    """
    by_s = 0.0
    if captions.mpegts_offset_s is not None and _keeps_stamps(stream):
        by_s = (captions.mpegts_offset_s - stream.video_start_s + _WRAP_S / 2) % _WRAP_S
        by_s -= _WRAP_S / 2
    elif captions.timecoded and stream.start_timecode is not None:
        start_s = _timecode_s(stream)
        if not _any_inside(captions.cues, 0.0, stream.duration_s) and _any_inside(
            captions.cues, start_s, start_s + stream.duration_s
        ):
            by_s = -start_s
    last_s = stream.duration_s
    if by_s == 0.0 and not any(math.isinf(cue.end_s) for cue in captions.cues):
        return captions
    cues = (moved(cue, by_s) for cue in captions.cues)
    ended = (
        replace(cue, end_s=max(last_s, cue.start_s)) if math.isinf(cue.end_s) else cue
        for cue in cues
    )
    return replace(captions, cues=tuple(ended), mpegts_offset_s=None, timecoded=False)


def _keeps_stamps(stream: StreamInfo) -> bool:
    """Tells whether the container's clock is that of the transport stream.

    A file whose clock begins at zero was rewritten, and what its stamps were is lost.
    """
    return "mpegts" in stream.container or stream.video_start_s > 0


def _timecode_s(stream: StreamInfo) -> float:
    assert stream.start_timecode is not None
    assert stream.video is not None
    return float(stream.start_timecode.frame / stream.video.frame_rate)


def _any_inside(cues: Sequence[Cue], start_s: float, end_s: float) -> bool:
    return any(cue.start_s < end_s and cue.end_s > start_s for cue in cues)
