"""Block corruption painted by the learned generator: an option beside the hand-written ways.

It stands outside the registry, since it needs PyTorch and the file of a painter:
`defectscope-train paint` and `paint_file` make it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Plan, Truth, VideoSimulator
from defectscope.simulate.effects.bitstream_damage import DAMAGES
from defectscope.simulate.effects.drawn_blocks import Patch, draw_patches
from defectscope.simulate.effects.frames import Extent, planes_of, time_of, with_planes, within
from defectscope.simulate.parameters import jitter, ladder
from defectscope.simulate.run import impair_file, job, stream_of, write_truth

if TYPE_CHECKING:
    from defectscope.simulate.effects.painter import Painter

_BLOCK_PX = 16


@parameters
class PaintedParams:
    """What is painted."""

    kind: Annotated[str, choice(DAMAGES, "What happened to the stream that is imitated.")] = (
        "packet_loss"
    )
    area: Annotated[
        float, number(0, 1, "Share of the frame that is covered, 0 to 1.", above=True)
    ] = 0.1
    strength: Annotated[
        float,
        number(0, 128, "Mean difference of luma within the blocks, in 8-bit codes.", "code"),
    ] = 24.0
    hold_frames: Annotated[
        int, number(1, 1000, "Frames for which blocks stay where they are.", "frames")
    ] = 6


class PaintedBlocks(VideoSimulator[PaintedParams]):
    """Paints blocks of each frame of the span with a painter.

    Args:
        painter: See `effects.painter.load_painter`.
    """

    name: ClassVar[str] = "block_corruption_painted"
    defects: ClassVar[tuple[str, ...]] = ("block_corruption",)
    summary: ClassVar[str] = "blocks painted by a learned generator, as decoders leave them"
    params: ClassVar[type[Any]] = PaintedParams

    def __init__(self, painter: Painter) -> None:
        self._painter = painter

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> PaintedParams:
        """Draws parameters; from 0.4 % to 40 % of the frame, from 10 codes to 45."""
        area = jitter(rng, ladder(severity, (0.004, 0.02, 0.07, 0.18, 0.4)))
        strength = jitter(rng, ladder(severity, (10.0, 16.0, 24.0, 33.0, 45.0)))
        kind = DAMAGES[int(rng.integers(len(DAMAGES)))]
        return PaintedParams(kind, min(1.0, area), strength, int(rng.integers(1, 12)))

    def apply(
        self, frames: Iterable[Frame], plan: Plan[PaintedParams], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Returns the frames, those inside the span with blocks painted on them.

        Raises:
            InvalidParameterError: The frames are not 8-bit 4:2:0.
        """
        params, video = plan.params, plan.video
        extent = Extent()
        patches: list[Patch] = []
        index = 0
        before: deque[list[NDArray[Any]]] = deque(maxlen=1)
        for frame in frames:
            planes = planes_of(frame)
            if within(plan.span, time_of(frame, video)):
                _check(planes, frame.bit_depth)
                held = index // params.hold_frames
                if index % params.hold_frames == 0:
                    size = planes[0].shape
                    patches = draw_patches(
                        plan.rng(held), (size[0], size[1]), _BLOCK_PX, params.area, "displaced"
                    )
                previous = before[0] if before else planes
                # The same noise as long as blocks stay: damage does not boil.
                seed = int(plan.rng(held, 1).integers(2**31))
                painted = self._painted(planes, previous, patches, params, seed)
                index += 1
                if any((a != b).any() for a, b in zip(painted, planes, strict=True)):
                    extent.add(frame, video)
                frame = with_planes(frame, painted)
            before.append(planes)
            yield frame
        truth.extend(extent.truths(plan, "block_corruption"))

    def _painted(
        self,
        planes: list[NDArray[Any]],
        previous: list[NDArray[Any]],
        patches: list[Patch],
        params: PaintedParams,
        seed: int,
    ) -> list[NDArray[Any]]:
        from defectscope.simulate.effects.painter import paint_planes

        mask = np.zeros(planes[0].shape, np.float32)
        for p in patches:
            mask[p.row_px : p.row_px + p.height_px, p.column_px : p.column_px + p.width_px] = 1
        return paint_planes(
            self._painter, planes, previous, mask, params.kind, params.strength, seed
        )


def paint_file(
    painter: Path,
    source: Path,
    destination: Path,
    *,
    seed: int = 0,
    start_s: float | None = None,
    duration_s: float | None = None,
    severity: float = 3.0,
    overrides: dict[str, Any] | None = None,
) -> list[Truth]:
    """Paints block corruption into a copy of a file and writes the truth beside it.

    Args:
        painter: What `defectscope-train painter` wrote.
        source: A video.
        destination: Where to write.
        seed: Seeds drawing and painting.
        start_s: Where it starts; None centres it.
        duration_s: How long it lasts; None is a third of the file, at most 4 s.
        severity: 1 to 5.
        overrides: Parameters of `PaintedParams` to set by name.

    Raises:
        ArtifactError: The painter cannot be read.
        InvalidParameterError: A parameter, or the place, makes no sense; or the video is not
            8-bit 4:2:0.
        MediaError: The source cannot be read.
    """
    from defectscope.simulate.effects.painter import load_painter

    planned = job(
        PaintedBlocks(load_painter(painter)),
        stream_of(source),
        seed=seed,
        start_s=start_s,
        duration_s=duration_s,
        severity=severity,
        overrides=overrides,
    )
    truth = impair_file(source, destination, [planned])
    write_truth(destination, truth)
    return truth


def _check(planes: list[NDArray[Any]], bit_depth: int) -> None:
    height, width = planes[0].shape
    half = (height // 2, width // 2)
    if bit_depth != 8 or len(planes) != 3 or height % 2 or width % 2 or planes[1].shape != half:
        raise InvalidParameterError("the painter takes 8-bit 4:2:0 video with even sides")
