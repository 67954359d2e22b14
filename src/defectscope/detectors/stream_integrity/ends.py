"""When tracks end: as the container states it, and as it was found."""

from __future__ import annotations

from dataclasses import replace

from defectscope.measurements import Table
from defectscope.media.stream import StreamInfo
from defectscope.temporal.tables import column, times_s


def with_ends(stream: StreamInfo, ends: Table) -> StreamInfo:
    """Returns lengths as they were found, where the file states none: estimates can err."""
    if stream.declares_length:
        return stream
    reached = dict(zip(column(ends, "track").tolist(), times_s(ends).tolist(), strict=True))
    main = stream.sounds[0].tracks[0] if stream.sounds else -1
    sound_s = reached.get(main)
    return replace(
        stream,
        video_duration_s=reached.get(-1 if stream.video_track is None else stream.video_track),
        audio_duration_s=None if sound_s is None else sound_s - stream.audio_start_s,
    )


def declared_ends(stream: StreamInfo) -> dict[int, float]:
    """Returns when each track ends as the container states it, seconds from t = 0."""
    starts = {track: s.start_s for s in stream.sounds for track in s.tracks}
    return {
        track.index: track.declared_s + starts.get(track.index, 0.0)
        for track in stream.tracks
        if track.declared_s is not None and not track.reason
    }
