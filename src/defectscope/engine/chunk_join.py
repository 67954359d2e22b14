"""Joins intervals that waited for an analysis which looks less often than they came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from defectscope.engine.contracts import Chunk, VideoChunk
from defectscope.media.frames import Samples


def joined_chunk(chunks: Sequence[Chunk]) -> Chunk:
    """Returns consecutive intervals of one stream as one.

    Args:
        chunks: At least one, in order, with the same features.
    """
    if len(chunks) == 1:
        return chunks[0]
    videos = [chunk.video for chunk in chunks if chunk.video is not None]
    captions = [chunk.captions for chunk in chunks if chunk.captions is not None]
    return Chunk(
        video=_joined_video(videos),
        audio=joined_runs(run for chunk in chunks for run in chunk.audio),
        cues=tuple(cue for chunk in chunks for cue in chunk.cues),
        caption_bytes=tuple(data for chunk in chunks for data in chunk.caption_bytes),
        captions=captions[0] if captions else None,
        events=tuple(event for chunk in chunks for event in chunk.events),
    )


def joined_runs(runs: Iterable[Samples]) -> tuple[Samples, ...]:
    """Makes one run of those that follow each other: packets are short, and every push costs."""
    out: list[list[Samples]] = []
    end = -1
    for run in runs:
        if not out or run.start != end:
            out.append([])
        out[-1].append(run)
        end = run.start + len(run.data)
    return tuple(
        group[0]
        if len(group) == 1
        else Samples(group[0].start, np.concatenate([run.data for run in group]))
        for group in out
    )


def _joined_video(videos: Sequence[VideoChunk]) -> VideoChunk | None:
    if len(videos) < 2:
        return videos[0] if videos else None
    return VideoChunk(
        pts=np.concatenate([v.pts for v in videos]),
        duration=np.concatenate([v.duration for v in videos]),
        corrupt=np.concatenate([v.corrupt for v in videos]),
        interlaced=np.concatenate([v.interlaced for v in videos]),
        features={
            name: np.concatenate([v.features[name] for v in videos]) for name in videos[0].features
        },
        rgb_frames=tuple(frame for v in videos for frame in v.rgb_frames),
        key=np.concatenate([v.key for v in videos]),
    )
