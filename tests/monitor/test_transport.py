from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from defectscope.monitor.alarms import AlarmBook, Change, Patience
from defectscope.monitor.datagrams import Datagrams
from defectscope.monitor.sender import PACKETS_PER_DATAGRAM, Stream
from defectscope.monitor.stream_clock import (
    CLOCK_HZ,
    PACKET_BYTES,
    WRAP_TICKS,
    packets_of,
    pcr_rows,
    pcr_ticks,
)
from defectscope.monitor.transport import TransportAnalyzer
from defectscope.monitor.transport_watch import TransportWatch

Streams = Callable[..., bytes]
SECONDS = 9.6


def datagrams(data: bytes, until_s: float, start_ticks: int = 0) -> Iterator[tuple[float, bytes]]:
    for due_s, datagram, _ in Stream(data, SECONDS, start_ticks).datagrams():
        if due_s > until_s:
            return
        yield due_s, datagram


def at_constant_rate(data: bytes) -> bytes:
    """Fills a stream up with padding, so that as many packets come in every tick of its clock."""
    rows = packets_of(data)
    clocks = pcr_rows(rows)
    ticks = pcr_ticks(rows, clocks)
    most = max(np.diff(clocks) / np.diff(ticks))
    null = bytes([0x47, 0x1F, 0xFF, 0x10]) + b"\xff" * 184
    out: list[bytes] = [rows[: clocks[0]].tobytes()]
    debt = 0.0
    ends = [*clocks[1:], len(rows) + clocks[0]]
    for first, last, passed in zip(
        clocks, ends, np.diff([*ticks, ticks[0] + SECONDS * CLOCK_HZ]), strict=True
    ):
        debt += most * passed - (last - first)
        room, packets = int(debt), rows[first:last]
        debt -= room
        # Spread among the packets, as a multiplexer does.
        for number, packet in enumerate(packets):
            out.append(packet.tobytes())
            share = (number + 1) * room // len(packets) - number * room // len(packets)
            out.append(null * share)
    return b"".join(out)


@pytest.fixture(scope="module")
def data(streams: Streams) -> bytes:
    return streams(SECONDS, black=(4.0, 6.0))


@pytest.fixture(scope="module")
def dense(streams: Streams) -> bytes:
    return streams(SECONDS, crf=3.0)


def test_a_loop_without_end_has_no_fault(data: bytes) -> None:
    analyzer = TransportAnalyzer()
    # The clock wraps on the way, and the loop begins again three times.
    for at_s, datagram in datagrams(data, 35.0, WRAP_TICKS - 20 * 90_000):
        analyzer.push(datagram, at_s)
    analyzer.flush(35.0)
    assert analyzer.counts.packets > 3000
    assert analyzer.counts.missing == 0
    assert not analyzer.steps
    assert {m: n for m, n in analyzer.counts.errors.items() if m != "2.3a" and n} == {}
    assert [t.medium for t in analyzer.tables.entries()] == ["video", "audio"]
    assert analyzer.tables.changes == 0


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
def test_lost_datagrams_are_counted(data: bytes, share: float) -> None:
    analyzer, rng = TransportAnalyzer(), random.Random(3)
    lost = 0
    for at_s, datagram in datagrams(data, 500.0):
        if at_s > 1.0 and rng.random() < share:
            lost += len(datagram) // PACKET_BYTES
            continue
        analyzer.push(datagram, at_s)
    analyzer.flush(500.0)
    assert lost > PACKETS_PER_DATAGRAM
    assert analyzer.counts.missing == pytest.approx(lost, rel=0.05)
    assert analyzer.counts.errors["1.4"] > 0


@pytest.mark.parametrize("length", [1, 3, 8, 15])
@pytest.mark.parametrize("padded", [False, True])
def test_bursts_that_wrap_the_counters_are_counted(dense: bytes, length: int, padded: bool) -> None:
    facts = Datagrams(packets=PACKETS_PER_DATAGRAM)
    analyzer, rng = TransportAnalyzer(facts), random.Random(length)
    lost, held = 0, 0
    stream = at_constant_rate(dense) if padded else dense
    next_s = 3.0
    for at_s, datagram in datagrams(stream, 60.0):
        if next_s <= at_s < 57.0:
            held, next_s = length, next_s + 2.0 + rng.random()
        if held:
            held -= 1
            lost += len(datagram) // PACKET_BYTES
            continue
        analyzer.push(datagram, at_s)
    analyzer.flush(60.0)
    assert lost > 15 * length * PACKETS_PER_DATAGRAM
    assert analyzer.counts.missing == pytest.approx(lost, rel=0.02)
    assert analyzer.counts.errors["1.4"] > 0


def test_rtp_numbers_count_bursts_of_any_length(data: bytes) -> None:
    facts = Datagrams(packets=PACKETS_PER_DATAGRAM, missing=0)
    analyzer = TransportAnalyzer(facts)
    lost = 0
    for number, (at_s, datagram) in enumerate(datagrams(data, 40.0)):
        if number % 400 > 350:
            lost += PACKETS_PER_DATAGRAM
            assert facts.missing is not None
            facts.missing += 1
            continue
        analyzer.push(datagram, at_s)
    analyzer.flush(40.0)
    assert analyzer.counts.missing == pytest.approx(lost, abs=50 * PACKETS_PER_DATAGRAM)


def test_the_rate_of_a_loss_is_that_from_its_first_to_its_last(dense: bytes) -> None:
    facts = Datagrams(packets=PACKETS_PER_DATAGRAM)
    analyzer, rng = TransportAnalyzer(facts), random.Random(7)
    told: list[Change] = []
    alarms = AlarmBook({"packet_loss": Patience(leave_s=20.0)}, told.append)
    watch = TransportWatch(analyzer, alarms, 1.0, lambda at_s: at_s)
    places: list[int] = []
    for number, (at_s, datagram) in enumerate(datagrams(dense, 60.0)):
        watch.arrived(at_s)
        if 10.0 < at_s < 30.0 and rng.random() < 0.02:
            places.append(number)
            continue
        analyzer.push(datagram, at_s)
        watch.tick(at_s)
    (alarm,) = [c.alarm for c in told if c.state == "cleared"]
    true = len(places) / (places[-1] - places[0] + 1)
    assert alarm.evidence["loss_share"] == pytest.approx(true, rel=0.02)
    assert alarm.evidence["missing_packets"] == len(places) * PACKETS_PER_DATAGRAM


def test_a_packet_sent_twice_is_no_loss(data: bytes) -> None:
    analyzer = TransportAnalyzer(Datagrams(packets=PACKETS_PER_DATAGRAM))
    for at_s, datagram in datagrams(data, 9.0):
        analyzer.push(datagram + datagram[-PACKET_BYTES:], at_s)
    analyzer.flush(9.0)
    assert analyzer.counts.missing == 0 == analyzer.counts.errors["1.4"]


def test_a_clock_that_is_set_anew_is_told_once(data: bytes) -> None:
    analyzer = TransportAnalyzer()
    for at_s, datagram in datagrams(data, 4.0):
        analyzer.push(datagram, at_s)
    for at_s, datagram in datagrams(data, 8.0, start_ticks=-30 * 90_000):
        if at_s > 4.0:
            analyzer.push(datagram, at_s)
    analyzer.flush(8.0)
    assert len(analyzer.steps) == 1
    assert analyzer.steps[0][1] == pytest.approx(-30.0, abs=0.3)


def test_a_track_that_falls_silent_is_missing(data: bytes) -> None:
    analyzer = TransportAnalyzer()
    for at_s, datagram in datagrams(data, 6.0):
        kept = datagram
        if at_s > 3.0:
            packets = [
                datagram[k : k + PACKET_BYTES] for k in range(0, len(datagram), PACKET_BYTES)
            ]
            kept = b"".join(p for p in packets if (p[1] & 0x1F) << 8 | p[2] != 257)
        if kept:
            analyzer.push(kept, at_s)
    analyzer.flush(6.0)
    assert [(t.pid, t.medium) for t in analyzer.missing_tracks()] == [(257, "audio")]
    assert analyzer.counts.missing == 0


def test_damage_is_counted_and_survived(data: bytes) -> None:
    rng = random.Random(11)
    for _ in range(200):
        analyzer = TransportAnalyzer()
        at = rng.randrange(len(data) - 40_000)
        part = bytearray(data[at : at + 40_000])
        for _ in range(rng.randrange(1, 200)):
            part[rng.randrange(len(part))] = rng.randrange(256)
        for place in range(0, len(part), 1316):
            analyzer.push(bytes(part[place : place + 1316]), place / 1e5)
        analyzer.flush(9.0)
        assert analyzer.counts.packets <= 40_000 // PACKET_BYTES


def test_garbage_is_no_stream() -> None:
    analyzer = TransportAnalyzer()
    rng = random.Random(5)
    for number in range(50):
        analyzer.push(rng.randbytes(1316), number / 10)
    assert analyzer.counts.errors["1.1"] > 0
    # What is not understood is not kept.
    assert len(analyzer._rest) < 2 * PACKET_BYTES
