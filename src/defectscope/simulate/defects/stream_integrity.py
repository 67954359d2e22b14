"""Damaged files and streams: lost and damaged packets, time stamps that jump, a cut-off end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.packets import PacketRecord, flip_bytes, read_packets, rewrite_packets
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import ContainerSimulator, Plan, Simulator, Truth
from defectscope.simulate.parameters import jitter, ladder

_KINDS = (
    "lost_video",
    "lost_audio",
    "damaged_video",
    "video_gap",
    "audio_gap",
    "av_offset",
    "truncated",
)


@parameters
class Params:
    """What is wrong with the file."""

    kind: Annotated[
        str,
        choice(
            _KINDS,
            "`lost_video` and `lost_audio` (packets of the span are missing), "
            "`damaged_video` (bytes of its packets are wrong), `video_gap` and "
            "`audio_gap` (all time stamps from the span's start on jump ahead), "
            "`av_offset` (the sound starts late), `truncated` (the file ends in "
            "mid-packet at the span's start).",
        ),
    ] = "lost_video"
    share: Annotated[
        float, number(0.02, 1, "Share of the span's packets that are lost or damaged.")
    ] = 0.3
    every_bytes: Annotated[
        float, number(20, 100000, "Mean distance of wrong bytes in a damaged packet.", "bytes")
    ] = 500.0
    jump_ms: Annotated[
        float, number(20, 10000, "Size of a jump, or of the sound's late start.", "ms")
    ] = 500.0


class StreamIntegrity(ContainerSimulator[Params]):
    """Rewrites the file packet by packet, with faults."""

    name = "stream_integrity"
    defects = ("stream_integrity",)
    summary = "lost or damaged packets, jumping time stamps, a cut-off end"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws one of the faults that the media can have, and its size."""
        kinds = [k for k in _KINDS if k != "truncated"]
        if stream.video is None:
            kinds = ["lost_audio", "audio_gap"]
        elif stream.audio is None:
            kinds = ["lost_video", "damaged_video", "video_gap"]
        return Params(
            kind=kinds[int(rng.integers(len(kinds)))],
            share=ladder(severity, (0.05, 0.12, 0.25, 0.5, 1.0)),
            every_bytes=ladder(severity, (4000.0, 2000.0, 800.0, 300.0, 80.0)),
            jump_ms=jitter(rng, ladder(severity, (120.0, 250.0, 500.0, 1200.0, 3000.0))),
        )

    def apply(
        self, source: Path, destination: Path, plan: Plan[Params], truth: list[Truth]
    ) -> None:
        """Writes the damaged file."""
        if plan.params.kind == "truncated":
            truth.extend(_truncate(source, destination, plan))
            return
        work = _Surgery(plan)
        rewrite_packets(source, destination, work.alter)
        truth.extend(work.truths())


class _Surgery:
    """Alters packets and remembers which."""

    def __init__(self, plan: Plan[Params]) -> None:
        self._plan = plan
        self._kind = plan.params.kind
        self._medium = "audio" if "audio" in self._kind or self._kind == "av_offset" else "video"
        # Packets carry the container's clock; plans have t = 0 at the first presented frame.
        self._zero_s = plan.stream.video_start_s
        self._count = 0
        self._hit: list[tuple[float, float]] = []
        self._recovered_s: float | None = None
        self._jumped_s: float | None = None

    def alter(self, record: PacketRecord) -> Iterator[PacketRecord]:
        time_s = record.time_s
        if record.medium != self._medium or time_s is None:
            yield record
            return
        self._count += 1
        at_s = time_s - self._zero_s
        if self._hit and record.key and at_s >= self._hit[-1][1] and self._medium == "video":
            # Frames refer back: the damage ends at the first key frame behind the last hit.
            self._recovered_s = self._recovered_s or at_s
        if self._kind == "av_offset":
            yield self._delayed(record)
        elif self._kind.endswith("_gap"):
            # Once begun the jump holds for every packet, in decoding order: a B frame that comes
            # after its reference, but is shown before it, must not fall back in decoding time.
            if self._jumped_s is None and at_s < self._plan.span.start_s:
                yield record
                return
            self._jumped_s = min(at_s, self._jumped_s if self._jumped_s is not None else at_s)
            yield self._delayed(record)
        elif self._chosen(at_s):
            length_s = float(record.duration * record.time_base) or 0.04
            self._hit.append((at_s, at_s + length_s))
            self._recovered_s = None
            if self._kind == "damaged_video":
                yield replace(record, data=self._damaged(record))
        else:
            yield record

    def _chosen(self, at_s: float) -> bool:
        span = self._plan.span
        if not span.start_s <= at_s < span.end_s:
            return False
        # The first packet of the span is always hit: truth begins where it was asked for.
        return not self._hit or self._plan.rng(4, self._count).random() < self._plan.params.share

    def _damaged(self, record: PacketRecord) -> bytes:
        # The first bytes hold lengths and headers; decoders drop the packet whole without them.
        return flip_bytes(
            record.data,
            self._plan.rng(5, self._count),
            self._plan.params.every_bytes,
            keep_bytes=min(32, len(record.data) // 4),
        )

    def _delayed(self, record: PacketRecord) -> PacketRecord:
        ticks = record.ticks(self._plan.params.jump_ms / 1000)
        return replace(
            record,
            pts=None if record.pts is None else record.pts + ticks,
            dts=None if record.dts is None else record.dts + ticks,
        )

    def truths(self) -> list[Truth]:
        """Where the damage lies: a jump is the time that is missing."""
        plan, jump_s = self._plan, self._plan.params.jump_ms / 1000
        name = "stream_integrity"
        if self._kind == "av_offset":
            return [plan.truth(name, 0.0, jump_s)] if self._count else []
        if self._kind.endswith("_gap"):
            if self._jumped_s is None:
                return []
            start_s = self._jumped_s
            return [plan.truth(name, start_s, start_s + jump_s)]
        if not self._hit:
            return []
        start_s, last_s = min(s for s, _ in self._hit), max(e for _, e in self._hit)
        end_s = last_s
        if self._medium == "video":
            end_s = self._recovered_s or max(last_s, plan.stream.video_duration_s or last_s)
        return [plan.truth(name, start_s, end_s, packets=len(self._hit), last_packet_s=last_s)]


def _truncate(source: Path, destination: Path, plan: Plan[Params]) -> list[Truth]:
    """Keeps the bytes up to the middle of the first packet of the span.

    MP4 files get their index moved to the front, as for streaming: cut off with the index at the
    end they could not be opened at all.
    """
    rewrite_packets(source, destination, lambda record: (record,), options=_faststart(destination))
    kept = _byte_of(destination, plan)
    with destination.open("r+b") as file:
        file.truncate(kept)
    end_s = max(plan.stream.duration_s, plan.span.start_s)
    return [plan.truth("stream_integrity", plan.span.start_s, end_s, kept_bytes=kept)]


def _faststart(path: Path) -> dict[str, str]:
    mp4 = path.suffix.lower() in (".mp4", ".mov", ".m4v", ".m4a")
    return {"movflags": "faststart"} if mp4 else {}


def _byte_of(path: Path, plan: Plan[Params]) -> int:
    medium = "video" if plan.stream.video is not None else "audio"
    for record in read_packets(path):
        time_s = record.time_s
        if record.medium != medium or time_s is None or record.position is None:
            continue
        if time_s - plan.stream.video_start_s >= plan.span.start_s:
            return record.position + len(record.data) // 2
    raise InvalidParameterError("the file has no packet at the span's start to cut it at")


SIMULATORS: tuple[Simulator[Params], ...] = (StreamIntegrity(),)
