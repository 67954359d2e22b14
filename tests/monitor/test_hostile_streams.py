"""A stream made to hurt costs its own channel and never its neighbour in the same process."""

from __future__ import annotations

import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from defectscope.monitor.channel import Channel
from defectscope.monitor.channel_config import ChannelConfig
from defectscope.monitor.psi import PAT_PID, crc_of
from defectscope.monitor.sender import Sender, Stream
from defectscope.monitor.stream_clock import PACKET_BYTES, packets_of
from defectscope.monitor.transport import TransportAnalyzer

Streams = Callable[..., bytes]
SECONDS = 9.6
RATE = 400


def packet(pid: int, payload: bytes, counter: int, *, starts: bool = False) -> bytes:
    head = bytes([0x47, 0x40 * starts | pid >> 8, pid & 0xFF, 0x10 | counter & 0x0F])
    return head + payload[:184].ljust(184, b"\xff")


def thousand_pids(_data: bytes) -> Iterator[bytes]:
    """Every track identifier there is, none of them in a table."""
    counter = 0
    while True:
        for pid in range(32, 8190):
            yield packet(pid, b"\x00\x00\x01\xe0", counter, starts=True)
        counter += 1


def endless_headers(_data: bytes) -> Iterator[bytes]:
    """Tables that promise 1 kB, begin again and again and never end; and one with 200 tracks."""
    counter = 0
    while True:
        yield packet(PAT_PID, bytes([0, 0x00, 0xB3, 0xFD, 0, 1, 0xC1, 0, 0]), counter, starts=True)
        yield packet(4096, bytes([0, 0x02, 0xB3, 0xFD, 0, 1, 0xC1, 0, 0]), counter, starts=True)
        # A header of a packetized stream that is stuffed to its last byte.
        stuffed = b"\x00\x00\x01\xe0\x00\x00\x80\x80\xff" + b"\xff" * 175
        yield packet(256, stuffed, counter, starts=True)
        counter += 1


def changing_sizes(data: bytes) -> Iterator[bytes]:
    """A real stream with bytes of its pictures turned over, sizes among them."""
    rng, rows = random.Random(5), packets_of(data)
    while True:
        for row in rows:
            made = bytearray(row.tobytes())
            if rng.random() < 0.3:
                for _ in range(20):
                    made[rng.randrange(4, PACKET_BYTES)] = rng.randrange(256)
            yield bytes(made)


def noise(_data: bytes) -> Iterator[bytes]:
    """Nothing but the sync byte is right."""
    rng = random.Random(9)
    while True:
        yield b"\x47" + rng.randbytes(187)


def section(table: int, number: int, version: int, body: bytes) -> bytes:
    """A table whose checksum is right."""
    length = 5 + len(body) + 4
    head = bytes([table]) + (0xB000 | length).to_bytes(2, "big") + number.to_bytes(2, "big")
    made = head + bytes([0xC1 | version << 1 & 0x3E, 0, 0]) + body
    return made + crc_of(made).to_bytes(4, "big")


def changing_tables(_data: bytes) -> Iterator[bytes]:
    """Programmes that move to other tracks all the time, by tables that are in order."""
    turn = 0
    while True:
        maps = [(n, 0x20 + (40 * turn + n) % 8000) for n in range(1, 40)]
        listed = b"".join(n.to_bytes(2, "big") + (0xE000 | p).to_bytes(2, "big") for n, p in maps)
        yield packet(PAT_PID, b"\0" + section(0, 1, turn, listed), turn, starts=True)
        for number, pid in maps:
            tracks = b"".join(
                bytes([0x1B, 0xE0 | k >> 8, k & 0xFF, 0xF0, 0])
                for k in range(turn % 4000 + 100, turn % 4000 + 130)
            )
            body = b"\xe1\x00\xf0\x00" + tracks
            yield packet(pid, b"\0" + section(2, number, turn, body), turn, starts=True)
        turn += 1


KINDS = (changing_tables, thousand_pids, endless_headers, changing_sizes, noise)


@pytest.mark.slow
@pytest.mark.logs_errors
@pytest.mark.parametrize("kind", KINDS)
def test_the_neighbour_goes_on(kind: Any, streams: Streams, events: Any) -> None:
    data = streams(SECONDS, black=(4.0, 6.0))
    good = Channel(ChannelConfig("good", "udp://127.0.0.1:0", ("black_frames",)), events)
    bad = Channel(ChannelConfig("bad", "udp://127.0.0.1:0"), lambda _: None)
    sender = Sender(Stream(data, SECONDS), ("127.0.0.1", good.port))
    ended = threading.Event()

    def attack() -> None:
        packets = kind(data)
        while not ended.is_set():
            bad._received(b"".join(next(packets) for _ in range(RATE // 10)), time.monotonic())
            ended.wait(0.1)

    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    attacker = threading.Thread(target=attack)
    for channel in (good, bad):
        channel.start()
    attacker.start()
    sender.start()
    try:
        assert events.wait_for("black_frames", "cleared", timeout_s=40.0)
        for channel in (good, bad):
            channel.tick(time.monotonic())
        state = good.state()
    finally:
        ended.set()
        attacker.join()
        sender.close()
        for channel in (good, bad):
            channel.close()
    assert state["failures"] == state["reopened"] == 0
    assert state["missing_packets"] == 0
    black = events.of("black_frames", "cleared")[0]["data"]
    assert black["duration_s"] == pytest.approx(2.0, abs=0.05)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert grown_kb < 400_000


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_of_a_hostile_stream_is_bounded(kind: Any, streams: Streams) -> None:
    packets = kind(streams(SECONDS, black=(4.0, 6.0)))
    analyzer = TransportAnalyzer()
    for number in range(30):
        analyzer.push(b"".join(next(packets) for _ in range(200)), number * 0.3)
    analyzer.flush(9.0)
    assert analyzer.counts.packets <= 6_000
    assert len(analyzer._rest) < 2 * PACKET_BYTES
    assert len(analyzer.tables.entries()) <= 64
    assert len(analyzer.tables.pids) <= 64
