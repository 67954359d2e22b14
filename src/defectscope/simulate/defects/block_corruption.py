"""Block corruption: drawn on frames, or made by breaking a coded stream and decoding it."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.concealment import CONCEALMENTS, Concealment, YuvFrame, decode_as_shown
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.limits import Limits
from defectscope.media.opening import open_media
from defectscope.media.pixels import convert
from defectscope.media.pixels import planes_of as views_of
from defectscope.media.stream import StreamInfo
from defectscope.media.writer import Writer
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import ContainerSimulator, Plan, Simulator, Truth, VideoSimulator
from defectscope.simulate.effects import bitstream_damage
from defectscope.simulate.effects.bitstream_damage import DAMAGES, Damage, Harm
from defectscope.simulate.effects.damage_mask import (
    DAMAGED,
    EARLIEST_FRAMES,
    LATEST_FRAMES,
    Reduced,
    label,
    reduced,
)
from defectscope.simulate.effects.drawn_blocks import LOOKS, Look, Patch, draw_patches, paint
from defectscope.simulate.effects.frames import Extent, planes_of, time_of, with_planes, within
from defectscope.simulate.parameters import jitter, ladder

# A frame counts as damaged from this share of its area on: four macroblocks of 1080p.
_LEAST_AREA = 1 / 2000
# Without being asked for another, one of the first two is drawn.
_STREAM_CODECS = (
    "libx264", "mpeg2video", "libx265", "libvpx-vp9", "libsvtav1", "libvpx", "mpeg4", "mpeg1video",
    "mjpeg",
)  # fmt: skip


@parameters
class DrawnParams:
    """How blocks are drawn."""

    look: Annotated[
        str,
        choice(
            LOOKS,
            "`displaced` contents from elsewhere or earlier, `repeated` along the row, or"
            " `uniform` colour.",
        ),
    ] = "displaced"
    area: Annotated[
        float, number(0, 1, "Share of the frame that is covered, 0 to 1.", above=True)
    ] = 0.1
    block_px: Annotated[
        int, number(4, 512, "Side of a block in luma pixels, even.", "px", multiple_of=2)
    ] = 16
    hold_frames: Annotated[
        int, number(1, 1000, "Frames for which the blocks stay where they are.", "frames")
    ] = 4


class BlockCorruption(VideoSimulator[DrawnParams]):
    """Draws displaced, repeated or uniform blocks on every frame of the span."""

    name: ClassVar[str] = "block_corruption"
    defects: ClassVar[tuple[str, ...]] = ("block_corruption",)
    summary: ClassVar[str] = "displaced, repeated or uniform blocks drawn on the frames"
    params: ClassVar[type[Any]] = DrawnParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> DrawnParams:
        """Draws parameters; from 0.4 % to 40 % of the frame."""
        area = jitter(rng, ladder(severity, (0.004, 0.02, 0.07, 0.18, 0.4)))
        height = stream.video.height if stream.video is not None else 720
        # Macroblocks of the source raster, or what scaling made of them.
        block = max(8, round(16 * height / float(rng.choice([720, 720, 540, 360])) / 2) * 2)
        look = LOOKS[int(rng.integers(len(LOOKS)))]
        return DrawnParams(look, min(1.0, area), block, int(rng.integers(1, 12)))

    def apply(
        self, frames: Iterable[Frame], plan: Plan[DrawnParams], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Returns the frames, those inside the span with blocks drawn on them."""
        params, video = plan.params, plan.video
        extent = Extent()
        patches: list[Patch] = []
        before: list[NDArray[Any]] | None = None
        index = 0
        for frame in frames:
            if not within(plan.span, time_of(frame, video)):
                yield frame
                if index == 0:
                    before = planes_of(frame)
                continue
            planes = planes_of(frame)
            if index % params.hold_frames == 0:
                size = planes[0].shape
                patches = draw_patches(
                    plan.rng(index), (size[0], size[1]), params.block_px, params.area,
                    cast("Look", params.look), frame.bit_depth,
                )  # fmt: skip
            painted = paint(planes, before or planes, patches, params.block_px)
            index += 1
            extent.add(frame, video)
            yield with_planes(frame, painted)
        truth.extend(extent.truths(plan, "block_corruption"))


@parameters
class StreamParams:
    """How a coded stream is broken and captured."""

    damage: Annotated[str, choice(DAMAGES, "`byte_noise`, `slice_loss` or `packet_loss`.")] = (
        "packet_loss"
    )
    codec: Annotated[str, choice(_STREAM_CODECS, "Encoder of the stream that is broken.")] = (
        "libx264"
    )
    rate: Annotated[
        float, number(0, 1, "Share of the bytes, slices or packets hit, 0 to 1.", above=True)
    ] = 0.05
    burst_packets: Annotated[
        float, number(1, 1000, "Mean run of packets lost together.", "packets")
    ] = 2.0
    concealment: Annotated[
        str, choice(CONCEALMENTS, "Setting of the decoder: `motion`, `inter` or `none`.")
    ] = "motion"
    crf: Annotated[
        float,
        number(0, 51, "Quality at which the stream is coded before it is broken (x264 and x265)."),
    ] = 23.0
    gop_frames: Annotated[
        int,
        number(1, 250, "Distance between its random access points; damage ends at one.", "frames"),
    ] = 25
    slices: Annotated[int, number(1, 64, "Slices a frame (x264).")] = 4
    capture_crf: Annotated[
        float, number(0, 51, "Quality of the H.264 recording of what the decoder shows.")
    ] = 18.0


class BrokenStream(ContainerSimulator[StreamParams]):
    """Codes the frame, breaks the stream, and records what a decoder makes of it.

    Truth is measured: it spans the frames that visibly differ from the intact stream's.
    """

    name: ClassVar[str] = "block_corruption_stream"
    defects: ClassVar[tuple[str, ...]] = ("block_corruption",)
    summary: ClassVar[str] = (
        "a broken stream of H.264, HEVC, AV1, VP9 or another codec, as it is decoded"
    )
    params: ClassVar[type[Any]] = StreamParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> StreamParams:
        """Draws a way of breaking, at a rate that fits the severity."""
        damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
        steps = {
            "byte_noise": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
            "slice_loss": (0.05, 0.12, 0.25, 0.5, 0.9),
            "packet_loss": (0.01, 0.02, 0.05, 0.12, 0.3),
        }[damage]
        settings = CONCEALMENTS
        return StreamParams(
            damage=damage,
            codec=_STREAM_CODECS[int(rng.integers(2))],
            rate=jitter(rng, ladder(severity, steps)),
            burst_packets=float(rng.uniform(1, 6)),
            concealment=settings[int(rng.integers(len(settings)))],
            crf=float(rng.uniform(18, 28)),
            gop_frames=int(rng.integers(12, 40)),
            slices=int(rng.choice([1, 2, 4, 8])),
            capture_crf=float(rng.uniform(15, 26)),
        )

    def apply(
        self, source: Path, destination: Path, plan: Plan[StreamParams], truth: list[Truth]
    ) -> None:
        """Writes the recording, with the sound copied along."""
        params, video = plan.params, plan.video
        if video.width % 2 or video.height % 2:
            raise InvalidParameterError("a stream to be broken needs even sides")
        with tempfile.TemporaryDirectory(prefix="defectscope-broken-") as folder:
            intact, damaged = Path(folder) / "intact.ts", Path(folder) / "damaged.ts"
            times = _encode(source, intact, plan)
            first_s = next(decode_as_shown(intact))[0]
            span = Interval(first_s + plan.span.start_s, first_s + plan.span.end_s)
            harm = Harm(cast("Damage", params.damage), params.rate, params.burst_packets)
            muxer = bitstream_damage.container_of(params.codec)
            bitstream_damage.break_stream(
                intact, damaged, span, harm, plan.rng(1), container_format=muxer
            )
            hit = self._record(intact, damaged, source, destination, plan, times)
        ticks = [pts * video.time_base for pts in times] + [
            times[-1] * video.time_base + 1 / video.frame_rate
        ]
        if any(hit):
            first, last = hit.index(True), len(hit) - 1 - hit[::-1].index(True)
            truth.append(
                plan.truth("block_corruption", float(ticks[first]), float(ticks[last + 1]))
            )

    def _record(
        self,
        intact: Path,
        damaged: Path,
        source: Path,
        destination: Path,
        plan: Plan[StreamParams],
        times: list[int],
    ) -> list[bool]:
        """Records what is shown; tells which frames are damaged."""
        params, video = plan.params, plan.video
        encoding = VideoEncoding.like(
            video, pixel_format="yuv420p", crf=params.capture_crf, gop_frames=None
        )
        shown = decode_as_shown(damaged, cast("Concealment", params.concealment))
        upcoming = next(shown, None)
        held: YuvFrame | None = None
        hit: list[bool] = []
        # A frame is labelled once those after it are known as well.
        known: deque[Reduced] = deque(maxlen=EARLIEST_FRAMES + LATEST_FRAMES + 1)
        waiting: deque[YuvFrame] = deque()

        def labelled(ahead: int) -> None:
            mask = label(waiting.popleft(), list(known), len(known) - 1 - ahead)
            hit.append(float((mask == DAMAGED).mean()) >= _LEAST_AREA)

        with Writer(destination, video=encoding) as writer:
            if plan.stream.audio is not None:
                writer.copy_from(source, "audio")
            for pts, (time_s, clean) in zip(times, decode_as_shown(intact), strict=False):
                known.append(reduced(clean))
                # Whatever came out up to now; a frame that never came leaves the last one.
                while upcoming is not None and upcoming[0] <= time_s + 1e-4:
                    held = upcoming[1]
                    upcoming = next(shown, None)
                frame = held if held is not None else clean
                waiting.append(frame)
                if len(waiting) > LATEST_FRAMES:
                    labelled(LATEST_FRAMES)
                writer.write_frame(_frame(pts, frame))
        while waiting:
            labelled(len(waiting) - 1)
        return hit


def _encode(source: Path, target: Path, plan: Plan[StreamParams]) -> list[int]:
    """Codes the stream that is to be broken; returns the time stamps of its frames."""
    params, video = plan.params, plan.video
    muxer = bitstream_damage.container_of(params.codec)
    counted = params.codec not in ("libx264", "libx265")
    encoding = VideoEncoding(
        video.width, video.height, video.frame_rate,
        time_base=video.time_base if not counted else None,
        codec=params.codec,
        crf=None if counted else params.crf,
        # About what broadcast MPEG-2 has: 8 Mbit/s in 1080i25.
        bit_rate=int(0.15 * video.width * video.height * video.frame_rate) if counted else None,
        gop_frames=params.gop_frames,
        options={"slices": str(params.slices)} if params.codec == "libx264" else {},
    )  # fmt: skip
    times: list[int] = []
    with (
        open_media(source, limits=Limits()) as reader,
        Writer(target, video=encoding, container_format=muxer) as writer,
    ):
        for item in reader.read(audio=False):
            if not isinstance(item, Frame):
                continue
            native = convert(item.native, "yuv420p", video.width, video.height)
            pts = len(times) if counted else item.pts
            y, u, v = (plane.pixels for plane in views_of(native, 8))
            writer.write_frame(_frame(pts, (y, u, v)))  # pyright: ignore[reportArgumentType]
            times.append(item.pts)
    if not times:
        raise InvalidParameterError("there is no frame to break")
    return times


def _frame(pts: int, frame: YuvFrame) -> Frame:
    planes = tuple(Plane(np.ascontiguousarray(p), p.shape[1], p.shape[0]) for p in frame)
    return Frame(pts, 0, planes, 8)


SIMULATORS: tuple[Simulator[Any], ...] = (BlockCorruption(), BrokenStream())
