"""Short runs of frames as I420 arrays: read, scaled, and passed through other codecs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Run:
    """Consecutive frames.

    Attributes:
        frames: (height * 3 / 2, width) uint8 I420 each; sides are multiples of 4.
        rate: Frames per second.
    """

    frames: tuple[Pixels, ...]
    rate: Fraction

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.frames[0].shape[1]

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.frames[0].shape[0] * 2 // 3

    def with_frames(self, frames: Sequence[Pixels]) -> Run:
        """Returns the same run with other frames."""
        return replace(self, frames=tuple(frames))

    def each(self, change: Any) -> Run:
        """Returns the run with `change` applied to the luma of every frame."""
        out: list[Pixels] = []
        for frame in self.frames:
            fresh = frame.copy()
            luma = change(fresh[: self.height].astype(np.float32))
            fresh[: self.height] = np.clip(np.rint(luma), 0, 255)
            out.append(fresh)
        return self.with_frames(out)

    def each_plane(self, change: Any) -> Run:
        """Returns the run with `change(plane, scale)` applied to Y (scale 1), U and V (1/2)."""
        out: list[Pixels] = []
        for frame in self.frames:
            parts = [
                np.clip(np.rint(change(p.astype(np.float32), s)), 0, 255).astype(np.uint8)
                for p, s in zip(planes(frame), (1.0, 0.5, 0.5), strict=True)
            ]
            out.append(joined(*parts))
        return self.with_frames(out)


def planes(frame: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Returns Y, U and V of an I420 frame."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    chroma = frame[height:].reshape(2, height // 2, width // 2)
    return frame[:height], chroma[0], chroma[1]


def joined(y: Pixels, u: Pixels, v: Pixels) -> Pixels:
    """Returns the I420 frame of three planes."""
    return np.concatenate([y, u.reshape(-1, y.shape[1]), v.reshape(-1, y.shape[1])])


def read(path: Path, height: int | None, length_s: float, skip_share: float = 0.3) -> Run:
    """Reads up to `length_s` seconds from the middle of a recording, scaled down to a height.

    Args:
        path: The recording.
        height: Lines wanted; None, or more than there are, keeps the recording's own.
        length_s: Seconds at most; one frame at least.
        skip_share: Which share of the recording is passed over, at most ten seconds of it, to the
            key frame before.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        rate = Fraction(stream.average_rate or 25)
        most = max(1, round(length_s * rate))
        length = float(stream.duration * stream.time_base) if stream.duration else 5.0
        skip_s = max(0.0, min(length * skip_share, 10.0, length - length_s - 0.2))
        if skip_s > 0 and stream.time_base:
            container.seek(int(skip_s / stream.time_base) + (stream.start_time or 0), stream=stream)
        out: list[Pixels] = []
        for frame in container.decode(stream):
            lines = min(height or frame.height, frame.height) // 4 * 4
            wide = round(frame.width * lines / frame.height / 4) * 4
            small = frame.reformat(wide, lines, "yuv420p", interpolation="BICUBIC")
            out.append(packed(small.to_ndarray()))
            if len(out) >= most:
                break
    return Run(tuple(out), rate)


def packed(array: Pixels) -> Pixels:
    """Returns an I420 array that owns its memory."""
    return np.ascontiguousarray(array)


def scaled(run: Run, width: int, height: int, interpolation: int) -> Run:
    """Returns the run at another size, sides multiples of 4."""
    out = [
        joined(
            *(
                cv2.resize(p, (width // s, height // s), interpolation=interpolation)
                for p, s in zip(planes(f), (1, 2, 2), strict=True)
            )
        )
        for f in run.frames
    ]
    return run.with_frames(out)


def encode(
    run: Run, target: Path | io.BytesIO, codec: str, options: Mapping[str, str], **more: Any
) -> None:
    """Writes a run with a codec.

    Args:
        run: The frames.
        target: Where to.
        codec: Name of the encoder.
        options: Its private options.
        more: `container` format, `pix_fmt`, `bit_rate`, `gop`, `qmin`, `qmax`.
    """
    form = more.get("container")
    with av.open(target if isinstance(target, io.BytesIO) else str(target), "w", form) as out:
        stream: Any = out.add_stream(codec, rate=run.rate, options=dict(options))
        stream.width, stream.height = run.width, run.height
        stream.pix_fmt = more.get("pix_fmt", "yuv420p")
        context = stream.codec_context
        if "bit_rate" in more:
            stream.bit_rate = more["bit_rate"]
        if "gop" in more:
            context.gop_size = more["gop"]
        if "qmin" in more:
            context.qmin = context.qmax = more["qmin"]
        if "qmax" in more:
            context.qmax = more["qmax"]
        for number, array in enumerate(run.frames):
            frame = av.VideoFrame.from_ndarray(array, "yuv420p")
            if stream.pix_fmt != "yuv420p":
                frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number, 1 / run.rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def through(run: Run, codec: str, options: Mapping[str, str], **more: Any) -> Run:
    """Returns what is left of a run after a codec."""
    buffer = io.BytesIO()
    # Some coders know few rates.
    encode(
        replace(run, rate=Fraction(25)),
        buffer,
        codec,
        options,
        container=more.pop("container", "matroska"),
        **more,
    )
    buffer.seek(0)
    with av.open(buffer) as container:
        out = [packed(f.to_ndarray(format="yuv420p")) for f in container.decode(video=0)]
    return run.with_frames(out[: len(run.frames)])


def filtered(run: Run, *steps: tuple[str, str]) -> Run:
    """Returns a run after ffmpeg's filters, each a name and its arguments."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=run.width, height=run.height, format="yuv420p", time_base=1 / run.rate
    )
    last: Any = source
    for name, arguments in steps:
        node = graph.add(name, arguments)
        last.link_to(node)
        last = node
    last.link_to(graph.add("buffersink"))
    graph.configure()
    out: list[Pixels] = []

    def drain() -> None:
        while True:
            try:
                out.append(packed(graph.pull().to_ndarray(format="yuv420p")))
            except (BlockingIOError, EOFError):
                return

    for number, array in enumerate(run.frames):
        frame = av.VideoFrame.from_ndarray(array, "yuv420p")
        frame.pts, frame.time_base = number, 1 / run.rate
        graph.push(frame)
        drain()
    graph.push(None)
    drain()
    return run.with_frames(out)
