from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from defectscope.monitor import sender as sender_module
from defectscope.monitor.sender import Fault, Sender, Stream
from defectscope.monitor.stream_clock import CLOCK_HZ, packets_of, pcr_rows, pcr_ticks
from defectscope.monitor.transport import TransportAnalyzer

SECONDS = 9.6


def broken(data: bytes, faults: Sequence[Fault], seconds: float) -> tuple[Sender, list[bytes]]:
    stream = Stream(data, SECONDS)
    sender = Sender(stream, ("127.0.0.1", 9), faults, seed=1)
    sent: list[bytes] = []
    for due_s, datagram, rows in stream.datagrams():
        if due_s >= seconds:
            break
        sent.append(sender._broken(due_s, datagram, rows))
    sender._socket.close()
    return sender, sent


def clocks_s(datagrams: Sequence[bytes]) -> np.ndarray:
    rows = packets_of(b"".join(datagrams))
    return pcr_ticks(rows, pcr_rows(rows)) / CLOCK_HZ


def test_steps_of_the_clock_add_up_and_stay(streams: Callable[..., bytes]) -> None:
    data = streams(SECONDS)
    faults = [Fault("clock_step", 2.0, 1e9, 3.0), Fault("clock_step", 4.0, 1e9, -0.5)]
    _, plain = broken(data, [], 6.0)
    _, stepped = broken(data, faults, 6.0)
    before, after = clocks_s(plain), clocks_s(stepped)
    passed = before - before[0]
    assert np.allclose((after - before)[passed < 1.9], 0.0)
    assert np.allclose((after - before)[(passed > 2.1) & (passed < 3.9)], 3.0)
    assert np.allclose((after - before)[passed > 4.1], 2.5)
    # Nothing but the stamps has changed: without them both would be the same packets.
    assert [len(d) for d in plain] == [len(d) for d in stepped]


def test_a_loss_is_told_with_the_instant_of_its_first_datagram(
    streams: Callable[..., bytes],
) -> None:
    data = streams(SECONDS)
    loss = Fault("loss", 1.0, 5.0, 0.05)
    sender, sent = broken(data, [loss], 8.0)
    lost = [number for number, datagram in enumerate(sent) if not datagram]
    assert lost
    assert sender.lost[loss] == len(lost)
    due = [due_s for (due_s, *_), _ in zip(Stream(data, SECONDS).datagrams(), sent, strict=False)]
    assert sender.first_lost_s[loss] == due[lost[0]]
    assert 1.0 <= sender.first_lost_s[loss] < 6.0


def test_loops_follow_one_another_without_a_gap(streams: Callable[..., bytes]) -> None:
    data = streams(SECONDS)
    sent: list[bytes] = []
    for due_s, datagram, packets in Stream(data, SECONDS).datagrams():
        if due_s >= 2.5 * SECONDS:
            break
        assert len(datagram) == len(packets) * 188
        sent.append(datagram)
    analyzer = TransportAnalyzer()
    analyzer.push(b"".join(sent), 0.0)
    analyzer.flush(1.0)
    assert analyzer.counts.missing == 0
    assert analyzer.counts.errors["1.4"] == 0
    assert np.all(np.diff(clocks_s(sent)) > 0)


def test_what_is_due_goes_on_time_in_a_few_calls(
    streams: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[float, int]] = []

    def noted(_socket: object, datagrams: Sequence[bytes], _destination: object) -> None:
        if datagrams:
            calls.append((time.monotonic(), len(datagrams)))

    monkeypatch.setattr(sender_module, "send_all", noted)
    stream = Stream(streams(SECONDS), SECONDS)
    sender = Sender(stream, ("127.0.0.1", 9))
    sender.start()
    time.sleep(1.5)
    sender.close()
    due = [due_s for (due_s, *_), _ in zip(stream.datagrams(), range(sender.sent), strict=False)]
    # None goes before it is due, and a second of them is no more than 50 calls.
    assert sender.began_s is not None
    assert calls[-1][0] - sender.began_s >= due[-1]
    assert due[-1] + sender.held_up_s > 0.5
    assert len(calls) <= 1.5 / 0.02 + 1
