"""A recording as it is delivered: scaled to 480 lines, encoded at a usual rate, its sound as it is.

Recordings of fewer than 360 lines keep their size: enlarged so far, every frame would be soft.
Frames keep their time stamps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

HEIGHT_PX = 480
LEAST_HEIGHT_PX = 360
# Of 480 lines at 16:9; other sizes get the same number of bits a sample.
BIT_RATE = 1_500_000
_SAMPLES = 854 * 480
_TAG = ".480"


def delivered(source: Path, folder: Path) -> Path | None:
    """Encodes a recording, unless that was done before; None where it has no picture."""
    target = folder / f"{source.name}{_TAG}.mkv"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{target.name}"
    with av.open(str(source)) as read:
        if not read.streams.video:
            return None
        video = read.streams.video[0]
        with av.open(str(part), "w", "matroska") as out:
            coded: Any = out.add_stream(
                "libx264", rate=video.average_rate, options={"preset": "veryfast"}
            )
            context = video.codec_context
            high = HEIGHT_PX if context.height >= LEAST_HEIGHT_PX else context.height // 2 * 2
            wide = round(context.width * high / context.height / 2) * 2
            coded.width, coded.height, coded.pix_fmt = wide, high, "yuv420p"
            coded.bit_rate = round(BIT_RATE * wide * high / _SAMPLES)
            coded.time_base = coded.codec_context.time_base = video.time_base
            ratio = context.sample_aspect_ratio
            if ratio:
                coded.codec_context.sample_aspect_ratio = ratio
            copied = {s.index: out.add_stream_from_template(s) for s in read.streams.audio[:1]}
            for packet in read.demux([video, *read.streams.audio[:1]]):
                if packet.stream.type == "video":
                    for frame in packet.decode():
                        frame = frame.reformat(wide, high, "yuv420p", interpolation="BICUBIC")
                        frame.pict_type = av.video.frame.PictureType.NONE
                        out.mux(coded.encode(frame))
                elif packet.dts is not None:
                    packet.stream = copied[packet.stream.index]
                    out.mux(packet)
            out.mux(coded.encode(None))
    part.rename(target)
    return target
