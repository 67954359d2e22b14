from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from defectscope.monitor.pacing import Pacer
from defectscope.monitor.stream_clock import CLOCK_HZ, packets_of, pcr_rows, pcr_ticks
from defectscope.monitor.transport import TransportAnalyzer

Streams = Callable[..., bytes]
SECONDS = 9.6


class Arrivals:
    def __init__(self) -> None:
        self.parts: list[tuple[float, bytes]] = []

    def __call__(self, data: bytes) -> None:
        self.parts.append((time.monotonic(), data))

    def data(self) -> bytes:
        return b"".join(part for _, part in self.parts)


def reached_s(data: bytes) -> float:
    """How far a stream's clock has come."""
    if not data:
        return 0.0
    rows = packets_of(data)
    ticks = pcr_ticks(rows, pcr_rows(rows))
    return float(ticks[-1] - ticks[0]) / CLOCK_HZ if len(ticks) else 0.0


def until(holds: Callable[[], bool]) -> None:
    """Waits for something, as long as a busy machine takes."""
    deadline_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_burst_is_handed_on_at_the_pace_of_its_clock(streams: Streams) -> None:
    data, came = streams(SECONDS), Arrivals()
    pacer = Pacer(came, "a")
    pacer.start()
    began_s = time.monotonic()
    # Packets are cut anywhere.
    for first in range(0, len(data), 10_001):
        pacer.push(data[first : first + 10_001])
    until(lambda: reached_s(came.data()) > 0.8)
    pacer.close()
    passed_s = time.monotonic() - began_s
    given = came.data()
    assert given == data[: len(given)]
    # It is never ahead but for what is caught up on; a busy machine may be behind.
    assert reached_s(given) <= 1.01 * passed_s + 0.4
    assert pacer.waiting_bytes > 0
    ends = np.cumsum([len(part) for _, part in came.parts])
    for (at_s, _), end in zip(came.parts, ends.tolist(), strict=True):
        assert reached_s(data[:end]) <= 1.01 * (at_s - began_s) + 0.4


def test_after_a_wait_for_the_source_nothing_comes_in_a_burst(streams: Streams) -> None:
    data, came = streams(SECONDS), Arrivals()
    half = len(data) // 188 // 12 * 188
    pacer = Pacer(came, "a")
    pacer.start()
    pacer.push(data[:half])
    until(lambda: len(came.data()) == half)
    time.sleep(0.5)
    again_s = time.monotonic()
    pacer.push(data[half:])
    time.sleep(0.5)
    pacer.close()
    later = b"".join(part for at_s, part in came.parts if at_s >= again_s)
    assert reached_s(later) <= 1.01 * (time.monotonic() - again_s) + 0.4


def test_what_has_no_packets_and_what_jumps_is_not_held(streams: Streams) -> None:
    data, came = streams(SECONDS), Arrivals()
    pacer = Pacer(came, "a")
    pacer.start()
    pacer.push(b"no packets" * 100)
    pacer.push(b"")
    part = len(data) // 188 // 40 * 188
    # The clock jumps ahead by seconds, and back.
    pacer.push(data[:part] + data[-part:] + data[:part])
    until(lambda: len(came.data()) >= 1000 + 3 * part)
    pacer.close()
    assert came.data() == b"no packets" * 100 + data[:part] + data[-part:] + data[:part]
    assert (b"",) in [parts[1:] for parts in came.parts]


def test_a_source_that_is_far_ahead_waits(streams: Streams) -> None:
    data = streams(SECONDS)
    pacer = Pacer(lambda _data: None, "a", max_bytes=20_000)
    pacer.start()
    pacer.push(data[:300_000])
    source = threading.Thread(target=pacer.push, args=(data[300_000:],))
    source.start()
    source.join(0.3)
    assert source.is_alive()
    pacer.close()
    source.join(60.0)
    assert not source.is_alive()


@pytest.mark.parametrize("told", [True, False])
def test_a_new_connection_is_no_loss_where_it_is_told(streams: Streams, told: bool) -> None:
    data = streams(SECONDS)
    # Counters do not begin where those before them end.
    first, second = data[: 188 * 1001], data[: 188 * 2000]
    analyzer = TransportAnalyzer()
    analyzer.push(first, 1.0)
    if told:
        analyzer.push(b"", 1.1)
    analyzer.push(second, 1.2)
    analyzer.flush(1.4)
    assert (analyzer.counts.missing == 0) is told
    assert analyzer.counts.packets == 3001 - np.count_nonzero(
        packets_of(first + second)[:, 1:3].view(">u2").ravel() & 0x1FFF == 0x1FFF
    )
