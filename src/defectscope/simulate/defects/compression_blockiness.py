"""Compression blockiness: a real encode at far too few bits, with its deblocking filter off."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Annotated

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.frames import Frame, Plane
from defectscope.media.roundtrip import Roundtrip
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Plan, Simulator, Truth, VideoSimulator
from defectscope.simulate.effects.frames import (
    Arrays,
    Extent,
    time_of,
    to_codes,
    to_native,
    with_planes,
    within,
)
from defectscope.simulate.effects.resample import resize
from defectscope.simulate.parameters import ladder

_CODECS = {"mpeg2video": 31, "mpeg4": 31, "libx264": 51}


@parameters
class Params:
    """How the frame is compressed."""

    codec: Annotated[
        str, choice(_CODECS, "`mpeg2video`, `mpeg4` or `libx264` (without deblocking).")
    ] = "mpeg2video"
    quantizer: Annotated[int, number(1, 51, "Fixed quantiser, 1 to 31, for libx264 1 to 51.")] = 20
    gop_frames: Annotated[
        int,
        number(
            1,
            250,
            "Distance of key frames; motion in between carries block edges away from the grid.",
            "frames",
        ),
    ] = 6
    scale: Annotated[
        float,
        number(
            0.25,
            1,
            "Size at which it is compressed before it is scaled back up: the block grid "
            "grows by 1/scale.",
        ),
    ] = 1.0
    offset_x_px: Annotated[
        int, number(0, 15, "Columns by which the block grid is shifted.", "px")
    ] = 0
    offset_y_px: Annotated[int, number(0, 15, "Rows by which the block grid is shifted.", "px")] = 0

    def __post_init__(self) -> None:
        if self.quantizer > _CODECS[self.codec]:
            raise ValueError(f"quantizer is 1 to {_CODECS[self.codec]} for {self.codec}")


class CompressionBlockiness(VideoSimulator[Params]):
    """Compresses the frames of the span and decodes them again."""

    name = "compression_blockiness"
    defects = ("compression_blockiness",)
    summary = "visible blocks from compression at too few bits"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws codec, quantiser by severity, and where the grid lies."""
        codec = ("mpeg2video", "mpeg4", "libx264")[int(rng.choice(3, p=(0.4, 0.35, 0.25)))]
        if codec == "libx264":
            steps = (34.0, 38.0, 42.0, 46.0, 50.0)
        else:
            steps = (7.0, 11.0, 17.0, 24.0, 31.0)
        moved = float(rng.uniform()) < 0.3
        scaled = float(rng.uniform()) < 0.3
        return Params(
            codec=codec,
            quantizer=round(ladder(severity, steps)),
            gop_frames=round(ladder(severity, (12.0, 9.0, 5.0, 2.0, 1.0))),
            scale=float(rng.choice((0.5, 2 / 3, 0.75))) if scaled else 1.0,
            offset_x_px=int(rng.integers(16)) if moved else 0,
            offset_y_px=int(rng.integers(16)) if moved else 0,
        )

    def apply(
        self, frames: Iterable[Frame], plan: Plan[Params], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Returns the frames, those of the span compressed."""
        video = plan.video
        if video.chroma_width == 0 or video.chroma_height != (video.height + 1) // 2:
            raise InvalidParameterError("compression is simulated on 4:2:0 frames only")
        extent = Extent()
        codec: _Scaled | None = None
        for frame in frames:
            if within(plan.span, time_of(frame, video)):
                codec = codec or _Scaled(plan)
                extent.add(frame, video)
                yield from codec.push(frame)
                continue
            if codec is not None:
                yield from codec.flush()
                codec = None
            yield frame
        if codec is not None:
            yield from codec.flush()
        truth.extend(extent.truths(plan, self.name))


class _Scaled:
    """A round trip at another size and grid position."""

    def __init__(self, plan: Plan[Params]) -> None:
        params, video = plan.params, plan.video
        self._params = params
        # The frame is grown at the top and the left, so that the grid lies elsewhere in it.
        width = video.width + params.offset_x_px
        height = video.height + params.offset_y_px
        # Whole macroblocks keep the grid regular up to the edges.
        self._width = -(-round(width * params.scale) // 16) * 16
        self._height = -(-round(height * params.scale) // 16) * 16
        options: dict[str, str] = {}
        if params.codec == "libx264":
            options = {"x264-params": "no-deblock=1:aq-mode=0"}
        self._codec = Roundtrip(
            self._width,
            self._height,
            video.frame_rate,
            codec=params.codec,
            quantizer=params.quantizer,
            gop_frames=params.gop_frames,
            options=options,
        )
        self._waiting: deque[Frame] = deque()

    def push(self, frame: Frame) -> list[Frame]:
        self._waiting.append(frame)
        planes: list[Plane] = []
        for index, plane in enumerate(frame.planes):
            codes = to_codes(plane.pixels, frame.bit_depth)
            grown = np.pad(codes, [(before, 0) for before in self._offset(index)], mode="edge")
            small = resize(grown, *self._scaled(grown.shape))
            height, width = self._size(index)
            tail = ((0, height - small.shape[0]), (0, width - small.shape[1]))
            planes.append(Plane(to_native(np.pad(small, tail, mode="edge"), 8), width, height))
        made = Frame(frame.pts, frame.duration, tuple(planes), 8)
        return [self._restore(each) for each in self._codec.push(made)]

    def flush(self) -> list[Frame]:
        return [self._restore(each) for each in self._codec.flush()]

    def _size(self, index: int) -> tuple[int, int]:
        part = 1 if index == 0 else 2
        return self._height // part, self._width // part

    def _offset(self, index: int) -> tuple[int, int]:
        part = 1 if index == 0 else 2
        return self._params.offset_y_px // part, self._params.offset_x_px // part

    def _scaled(self, shape: tuple[int, ...]) -> tuple[int, int]:
        height, width = (max(1, round(n * self._params.scale)) for n in shape)
        return height, width

    def _restore(self, coded: Frame) -> Frame:
        original = self._waiting.popleft()
        out: Arrays = []
        for index, plane in enumerate(original.planes):
            rows, columns = self._offset(index)
            grown = (plane.height + rows, plane.width + columns)
            height, width = self._scaled(grown)
            codes = coded.planes[index].pixels[:height, :width].astype(np.float32)
            full = resize(codes, *grown)[rows:, columns:]
            out.append(to_native(full, original.bit_depth))
        return with_planes(original, out)


SIMULATORS: tuple[Simulator[Params], ...] = (CompressionBlockiness(),)
