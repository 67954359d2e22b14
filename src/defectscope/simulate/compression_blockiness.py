"""Compression blockiness: a real encode at far too few bits, with its deblocking filter off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.frames import Frame, Plane
from defectscope.media.roundtrip import Roundtrip
from defectscope.media.stream import StreamInfo
from defectscope.simulate.contract import Plan, Simulator, Truth, VideoSimulator, ladder
from defectscope.simulate.pictures import (
    Extent,
    planes_of,
    time_of,
    to_codes,
    to_native,
    with_planes,
    within,
)
from defectscope.simulate.resample import resize, shift

_CODECS = {"mpeg2video": 31, "mpeg4": 31, "libx264": 51}


@dataclass(frozen=True, slots=True)
class Params:
    """How the picture is compressed.

    Attributes:
        codec: `mpeg2video`, `mpeg4` or `libx264` (without deblocking).
        quantizer: Fixed quantiser, 1 to 31, for libx264 1 to 51.
        scale: Size at which it is compressed before it is scaled back up, 0.25 to 1: the block
            grid grows by 1/scale.
        offset_x_px: Columns by which the block grid is shifted, 0 to 15.
        offset_y_px: Rows by which the block grid is shifted, 0 to 15.
    """

    codec: str = "mpeg2video"
    quantizer: int = 20
    scale: float = 1.0
    offset_x_px: int = 0
    offset_y_px: int = 0

    def __post_init__(self) -> None:
        if self.codec not in _CODECS:
            raise InvalidParameterError(f"codec is one of {', '.join(_CODECS)}")
        if not 1 <= self.quantizer <= _CODECS[self.codec]:
            raise InvalidParameterError(f"quantizer is 1 to {_CODECS[self.codec]}")
        if not 0.25 <= self.scale <= 1:
            raise InvalidParameterError("scale is 0.25 to 1")
        if not (0 <= self.offset_x_px <= 15 and 0 <= self.offset_y_px <= 15):
            raise InvalidParameterError("offsets are 0 to 15 pixels")


class CompressionBlockiness(VideoSimulator[Params]):
    """Compresses the pictures of the span and decodes them again."""

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
            scale=float(rng.choice((0.5, 2 / 3, 0.75))) if scaled else 1.0,
            offset_x_px=int(rng.integers(16)) if moved else 0,
            offset_y_px=int(rng.integers(16)) if moved else 0,
        )

    def apply(
        self, frames: Iterable[Frame], plan: Plan[Params], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Gives the pictures, those of the span compressed."""
        video = plan.video
        if video.chroma_width == 0 or video.chroma_height != (video.height + 1) // 2:
            raise InvalidParameterError("compression is simulated on 4:2:0 pictures only")
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
        # Whole macroblocks keep the grid regular up to the edges.
        self._width = max(16, round(video.width * params.scale / 16) * 16)
        self._height = max(16, round(video.height * params.scale / 16) * 16)
        if params.scale == 1.0:
            self._width, self._height = -(-video.width // 16) * 16, -(-video.height // 16) * 16
        options: dict[str, str] = {}
        if params.codec == "libx264":
            options = {"x264-params": "no-deblock=1:aq-mode=0"}
        self._codec = Roundtrip(
            self._width,
            self._height,
            video.frame_rate,
            codec=params.codec,
            quantizer=params.quantizer,
            options=options,
        )
        self._waiting: list[Frame] = []

    def push(self, frame: Frame) -> list[Frame]:
        self._waiting.append(frame)
        planes: list[Plane] = []
        for index, plane in enumerate(frame.planes):
            width, height = self._size(index)
            moved = shift(plane.picture, *self._offset(index))
            codes = _fit(to_codes(moved, frame.bit_depth), height, width, self._params.scale)
            planes.append(Plane(to_native(codes, 8), width, height))
        made = Frame(frame.pts, frame.duration, tuple(planes), 8)
        return [self._restore(each) for each in self._codec.push(made)]

    def flush(self) -> list[Frame]:
        return [self._restore(each) for each in self._codec.flush()]

    def _size(self, index: int) -> tuple[int, int]:
        part = 1 if index == 0 else 2
        return self._width // part, self._height // part

    def _offset(self, index: int) -> tuple[int, int]:
        part = 1 if index == 0 else 2
        return self._params.offset_y_px // part, self._params.offset_x_px // part

    def _restore(self, coded: Frame) -> Frame:
        original = self._waiting.pop(0)
        planes = planes_of(original)
        for index, plane in enumerate(planes):
            height, width = plane.shape
            codes = coded.planes[index].picture.astype(np.float32)
            codes = _fit(codes, height, width, self._params.scale)
            rows, columns = self._offset(index)
            planes[index] = shift(to_native(codes, original.bit_depth), -rows, -columns)
        return with_planes(original, planes)


def _fit(codes: NDArray[Any], height: int, width: int, scale: float) -> NDArray[Any]:
    """Scales, or only crops and pads where the picture keeps its size."""
    if scale == 1.0:
        grown = (max(0, height - codes.shape[0]), max(0, width - codes.shape[1]))
        return np.pad(codes, ((0, grown[0]), (0, grown[1])), mode="edge")[:height, :width]
    return resize(codes, height, width)


SIMULATORS: tuple[Simulator[Params], ...] = (CompressionBlockiness(),)
