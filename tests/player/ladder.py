"""A film as a ladder of two renditions: the same segments as HLS and as DASH."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np

RUNGS = ((640, 360, "900k"), (320, 180, "200k"))
SEGMENT_S = 1


def write(folder: Path, frames: list[clips.Planes]) -> None:
    """Writes `stream.mpd`, `master.m3u8` and their segments of one second."""
    folder.mkdir(parents=True)
    options = {
        "seg_duration": str(SEGMENT_S),
        "hls_playlist": "1",
        "use_template": "1",
        "use_timeline": "0",
        "adaptation_sets": "id=0,streams=v",
        "init_seg_name": "init-$RepresentationID$.mp4",
        "media_seg_name": "part-$RepresentationID$-$Number%03d$.m4s",
    }
    with av.open(str(folder / "stream.mpd"), "w", format="dash", options=options) as container:
        rungs = []
        for width, height, rate in RUNGS:
            stream = container.add_stream("libx264", rate=clips.FPS)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {
                "preset": "veryfast",
                "b": rate,
                "bf": "0",
                "g": str(clips.FPS * SEGMENT_S),
                "keyint_min": str(clips.FPS * SEGMENT_S),
                "sc_threshold": "0",
            }
            rungs.append(stream)
        for index, planes in enumerate(frames):
            height, width = planes[0].shape
            packed = np.concatenate([plane.reshape(-1) for plane in planes])
            whole = av.VideoFrame.from_ndarray(
                packed.reshape(height * 3 // 2, width), format="yuv420p"
            )
            for stream in rungs:
                frame = whole.reformat(stream.width, stream.height)
                frame.pts, frame.time_base = index, Fraction(1, clips.FPS)
                container.mux(stream.encode(frame))
        for stream in rungs:
            container.mux(stream.encode(None))
