"""Decoding on several threads gives what one thread gives, of whole streams and of damaged ones."""

from __future__ import annotations

import gc
import random
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from defectscope.media import Limits, open_media
from defectscope.media.decoding import VideoDecoder
from defectscope.media.frames import DecodeEvent, Frame

FRAMES = 96


def write_damaged(path: Path, codec: str, options: dict[str, str], damage: str) -> None:
    """Writes moving texture, each ninth packet of which is flipped in places or left out."""
    draw = random.Random(5)
    noise = np.random.default_rng(3).integers(0, 255, (400, 700), np.uint8)
    noise = np.sort(noise.reshape(100, 4, 175, 4), axis=3).reshape(400, 700)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.gop_size = 24
        stream.codec_context.thread_count = 1
        packets: list[Any] = []
        for number in range(FRAMES):
            planes = np.full((270, 320), 128, np.uint8)
            planes[:180] = noise[number : number + 180, 2 * number : 2 * number + 320]
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for number, packet in enumerate(packets, 1):
            if number <= 10 or number % 9 or damage == "none":
                out.mux(packet)
                continue
            if damage == "dropped":
                continue
            data = bytearray(bytes(packet))
            for _ in range(6):
                if len(data) > 60:
                    data[draw.randrange(40, len(data))] ^= 1 << draw.randrange(8)
            flipped = av.Packet(bytes(data))
            flipped.pts, flipped.dts, flipped.duration = packet.pts, packet.dts, packet.duration
            flipped.time_base, flipped.stream = packet.time_base, stream
            flipped.is_keyframe = packet.is_keyframe
            out.mux(flipped)


def seen(path: Path, threads: int, *span: float | None) -> tuple[list[Any], list[Any]]:
    frames: list[Any] = []
    events: list[Any] = []
    with open_media(path, limits=Limits(decode_threads=threads)) as reader:
        for item in reader.read(*span):
            if isinstance(item, Frame):
                digest = hash(item.planes[0].pixels.tobytes())
                frames.append((item.pts, item.corrupt, item.key, digest))
            elif isinstance(item, DecodeEvent):
                events.append((item.kind, round(item.time_s, 4)))
    return frames, events


@pytest.mark.parametrize("damage", ["none", "flipped", "dropped"])
@pytest.mark.parametrize(
    ("codec", "suffix", "options"),
    [
        ("libx264", "mp4", {"crf": "24", "preset": "veryfast", "bf": "3"}),
        ("libx264", "ts", {"crf": "24", "x264-params": "slices=4:bframes=2"}),
        ("mpeg2video", "ts", {"b": "2M", "bf": "2"}),
        ("libvpx-vp9", "webm", {"b": "1M", "deadline": "realtime", "cpu-used": "8"}),
        ("mpeg4", "avi", {"b": "1M"}),
    ],
)
def test_any_number_of_threads_gives_the_same(
    tmp_path: Path, codec: str, suffix: str, options: dict[str, str], damage: str
) -> None:
    path = tmp_path / f"clip.{suffix}"
    write_damaged(path, codec, options, damage)
    alone = seen(path, 1)
    assert len(alone[0]) > (FRAMES // 4 if damage != "none" else FRAMES - 1)
    assert bool(alone[1]) >= (damage == "flipped" and codec != "libvpx-vp9")
    for threads in (2, 4):
        assert seen(path, threads) == alone


def test_segments_of_a_damaged_stream_are_the_same_on_any_number_of_threads(
    tmp_path: Path,
) -> None:
    path = tmp_path / "clip.mp4"
    write_damaged(path, "libx264", {"crf": "24", "preset": "veryfast"}, "flipped")
    for span in ((1.0, 2.0), (2.04, None)):
        assert seen(path, 3, *span) == seen(path, 1, *span)


def test_the_decoder_has_the_threads_that_were_asked_for(impaired_clip: Path) -> None:
    with open_media(impaired_clip, limits=Limits(decode_threads=2)) as reader:
        assert sum(isinstance(item, Frame) for item in reader.read(0.0, 1.0)) == 25
        context = reader._streams[0].codec_context  # the decoder that was used
        assert context.is_open
        assert (context.thread_count, context.thread_type) == (2, av.codec.context.ThreadType.AUTO)


def test_threads_take_over_again_after_damage(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_damaged(path, "libx264", {"crf": "24", "preset": "veryfast", "bf": "0"}, "none")
    containers: list[Any] = []

    def fresh() -> Any:
        containers.append(av.open(str(path)))
        return containers[-1].streams.video[0].codec_context

    with av.open(str(path)) as source:
        packets = list(source.demux(video=0))
        # One packet is damaged in the second of the four groups of pictures.
        at = next(i for i, p in enumerate(packets) if p.is_keyframe and p.pts) + 5
        whole = packets[at]
        data = bytes(whole)
        packets[at] = av.Packet(data[: len(data) // 3] + bytes(len(data) - len(data) // 3))
        packets[at].pts, packets[at].dts = whole.pts, whole.dts
        packets[at].time_base, packets[at].stream = whole.time_base, whole.stream
        decoder = VideoDecoder(3, fresh)
        frames = [f for p in packets for f in decoder.decode(p)]
    assert [frame.pts for frame in frames] == sorted(p.pts for p in packets if p.size)
    threads = [c.streams.video[0].codec_context.thread_count for c in containers]
    assert threads == [3, 1, 3]
    for container in containers:
        container.close()


def frames_alive() -> int:
    # Not isinstance: some objects of other libraries warn when asked for their class.
    return sum(type(found) is av.VideoFrame for found in gc.get_objects())


def test_frames_are_freed_without_the_garbage_collector(impaired_clip: Path) -> None:
    gc.collect()
    # Other tests of this process may still hold some.
    before = frames_alive()
    gc.disable()
    try:
        with open_media(impaired_clip) as reader:
            count = sum(isinstance(item, Frame) for item in reader.read(0.0, 4.0, audio=False))
            waiting = frames_alive() - before
    finally:
        gc.enable()
    assert count == 100
    assert waiting < 10
