"""The queue before the decoder is bounded, and says what it could not hold."""

from __future__ import annotations

import time

from defectscope.monitor.inlet import Inlet


def test_what_overflows_is_counted_and_the_rest_is_read_in_order() -> None:
    inlet = Inlet(max_bytes=10, idle_s=0.05)
    assert inlet.put(b"12345", 1.0)
    assert inlet.put(b"67890", 2.0)
    assert not inlet.put(b"abc", 3.0)
    assert inlet.overrun_bytes == 3
    assert inlet.waiting_bytes == 10
    assert inlet.read(7) == b"1234567"
    assert inlet.read_until_s == 2.0
    assert inlet.put(b"def", 4.0)
    assert inlet.read(100) == b"890def"
    assert inlet.waiting_bytes == 0


def test_without_data_it_has_ended_and_begins_anew() -> None:
    inlet = Inlet(idle_s=0.05)
    inlet.put(b"a", 1.0)
    assert inlet.read(9) == b"a"
    assert not inlet.has_ended
    began_s = time.monotonic()
    assert inlet.read(9) == b""
    assert time.monotonic() - began_s < 5.0
    assert inlet.has_ended
    inlet.put(b"b", 7.0)
    assert inlet.read(9) == b"b"
    assert (inlet.begun_s, inlet.has_ended) == (7.0, False)


def test_a_cut_ends_what_is_read_where_it_stands() -> None:
    inlet = Inlet(idle_s=0.05)
    inlet.put(b"before", 1.0)
    inlet.cut()
    inlet.put(b"after", 2.0)
    assert inlet.read(100) == b"before"
    assert inlet.read(100) == b""
    assert inlet.read(100) == b"after"
