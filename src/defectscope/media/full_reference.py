"""Measures frames against reference frames with FFmpeg's own filters: PSNR, SSIM, XPSNR."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import av
import av.error
from av.filter import Graph

from defectscope.errors import UnreadableMediaError
from defectscope.media.frames import Frame

_TICK = Fraction(1, 25)
# Equal frames have no finite ratio; they count as this.
EQUAL_DB = 100.0


class Crop(NamedTuple):
    """A part of a frame in luma samples: width, height, left, top."""

    width: int
    height: int
    left: int
    top: int

    def even(self) -> Crop:
        """Returns it on the grid of 4:2:0 chroma."""
        return Crop(*(value // 2 * 2 for value in self))


class Measured(NamedTuple):
    """What one frame is like against its reference; luma alone.

    Source: SSIM, Z. Wang et al., 2004; XPSNR, C. Helmrich et al., ICASSP 2020.
    """

    psnr_db: float
    ssim: float
    xpsnr_db: float


class FullReference:
    """Measures pairs of frames in order; the second of a pair is scaled to the first.

    Not thread-safe.

    Attributes:
        shown: With `keep`, the parts of the last pair as they were compared: native 4:2:0 frames of
            one size, reference and measured.
    """

    def __init__(self, reference: Crop, measured: Crop, *, keep: bool = False) -> None:
        """Prepares for pairs of which these parts are compared.

        Args:
            reference: Part of the reference.
            measured: Part of the measured frame that shows the same.
            keep: Whether `shown` is wanted.
        """
        self._keep = keep
        self.shown: tuple[Any, Any] | None = None
        self._crops = (reference.even(), measured.even())
        self._graph: Any = None
        self._sources: list[Any] = []
        self._sinks: list[Any] = []
        self._shape: tuple[Any, ...] = ()
        self._pts = 0

    def measure(self, reference: Frame, measured: Frame) -> Measured:
        """Returns the measures of one pair.

        Raises:
            UnreadableMediaError: FFmpeg cannot compare frames of these formats.
        """
        pair = (reference.native, measured.native)
        shape = tuple((f.width, f.height, f.format.name) for f in pair)
        try:
            if shape != self._shape:
                self._build(pair)
                self._shape = shape
            for source, frame in zip(self._sources, pair, strict=True):
                frame.pts, frame.time_base = self._pts, _TICK
                source.push(frame)
            self._pts += 1
            psnr, ssim, xpsnr = (dict(sink.pull().metadata) for sink in self._sinks[:3])
            if self._keep:
                self.shown = (self._sinks[3].pull(), self._sinks[4].pull())
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableMediaError(f"frames cannot be compared: {error}") from None
        return Measured(
            _decibels(psnr["lavfi.psnr.psnr.y"]),
            float(ssim["lavfi.ssim.Y"]),
            _decibels(xpsnr["lavfi.xpsnr.xpsnr.y"]),
        )

    def _build(self, pair: tuple[Any, Any]) -> None:
        graph = Graph()
        self._sources, self._sinks = [], []
        target = self._crops[0]
        depth = max(component.bits for component in pair[0].format.components)
        pixel_format = "yuv420p" if depth == 8 else "yuv420p10le"
        ends: list[Any] = []
        for frame, crop in zip(pair, self._crops, strict=True):
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format.name, time_base=_TICK
            )
            chain = [
                graph.add("crop", ":".join(str(value) for value in crop)),
                graph.add("scale", f"{target.width}:{target.height}:flags=bicubic"),
                graph.add("format", pixel_format),
                graph.add("setsar", "1"),
                graph.add("split", "4" if self._keep else "3"),
            ]
            source.link_to(chain[0])
            for before, after in pairwise(chain):
                before.link_to(after)
            self._sources.append(source)
            ends.append(chain[-1])
        for k, name in enumerate(("psnr", "ssim", "xpsnr")):
            compared, sink = graph.add(name), graph.add("buffersink")
            # The first input is the measured one, the second its reference.
            ends[1].link_to(compared, k, 0)
            ends[0].link_to(compared, k, 1)
            compared.link_to(sink)
            self._sinks.append(sink)
        for end in ends if self._keep else ():
            sink = graph.add("buffersink")
            end.link_to(sink, 3, 0)
            self._sinks.append(sink)
        graph.configure()
        self._graph, self._pts = graph, 0


def _decibels(text: str) -> float:
    value = float(text)
    return min(value, EQUAL_DB) if math.isfinite(value) else EQUAL_DB
