"""Datagrams that are sent and received many at a time are the same as one by one."""

from __future__ import annotations

import errno
import socket
import sys
import time
from typing import Any

import pytest

from defectscope.monitor import segments
from defectscope.monitor.receiver import Address, UdpReceiver

SIZES = (1316, 1316, 1316, 1128, 1316, 1316, 188, 188, 7)


def taken(receiving: socket.socket, count: int) -> list[bytes]:
    """Receives datagrams one by one."""
    return [receiving.recv(65_536) for _ in range(count)]


@pytest.fixture
def pair() -> Any:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
    ):
        receiving.bind(("127.0.0.1", 0))
        receiving.settimeout(10.0)
        yield receiving, sending


def test_each_datagram_arrives_by_itself_and_in_order(pair: Any) -> None:
    receiving, sending = pair
    sent = [bytes([number]) * size for number, size in enumerate(SIZES)]
    segments.send_all(sending, sent, receiving.getsockname())
    assert taken(receiving, len(sent)) == sent


def test_where_the_system_cannot_cut_they_go_one_by_one(pair: Any) -> None:
    receiving, sending = pair

    class Unable:
        """A socket of a system that cannot."""

        def sendmsg(self, *_: Any) -> int:
            raise OSError(errno.EINVAL, "no")

        def sendto(self, data: bytes, destination: Any) -> int:
            return sending.sendto(data, destination)

    sent = [bytes([number]) * size for number, size in enumerate(SIZES)]
    unable: Any = Unable()
    segments.send_all(unable, sent, receiving.getsockname())
    assert taken(receiving, len(sent)) == sent


def test_another_failure_is_told(pair: Any) -> None:
    class Broken:
        """A socket without a network."""

        def sendmsg(self, *_: Any) -> int:
            raise OSError(errno.ENETUNREACH, "no way there")

    broken: Any = Broken()
    if sys.platform == "linux":
        with pytest.raises(OSError, match="no way there"):
            segments.send_all(broken, [b"a", b"b"], ("127.0.0.1", 9))


@pytest.mark.parametrize("together", [True, False])
def test_what_comes_joined_is_counted_by_datagram(pair: Any, together: bool) -> None:
    _, sending = pair
    parts: list[bytes] = []
    receiver = UdpReceiver(Address("127.0.0.1", 0), lambda data, _at_s: parts.append(data))
    sent = [bytes([number]) * size for number, size in enumerate(SIZES)]
    destination = ("127.0.0.1", receiver.port)
    if together:
        segments.send_all(sending, sent, destination)
    else:
        for datagram in sent:
            sending.sendto(datagram, destination)
    receiver.start()
    ends_s = time.monotonic() + 20.0
    while sum(map(len, parts)) < sum(SIZES) and time.monotonic() < ends_s:
        time.sleep(0.01)
    receiver.close()
    assert b"".join(parts) == b"".join(sent)
    assert receiver.datagrams == len(SIZES)
    assert receiver.facts.packets == 7


def test_joined_datagrams_of_rtp_keep_their_numbers(pair: Any) -> None:
    _, sending = pair
    parts: list[bytes] = []
    receiver = UdpReceiver(
        Address("127.0.0.1", 0), lambda data, _at_s: parts.append(data), rtp=True
    )
    numbers = [7, 8, 9, 12, 13]
    sent = [
        b"\x80\x21" + number.to_bytes(2, "big") + bytes(8) + bytes([number]) * 188
        for number in numbers
    ]
    segments.send_all(sending, sent, ("127.0.0.1", receiver.port))
    receiver.start()
    ends_s = time.monotonic() + 20.0
    while sum(map(len, parts)) < 188 * len(numbers) and time.monotonic() < ends_s:
        time.sleep(0.01)
    receiver.close()
    assert b"".join(parts) == b"".join(bytes([number]) * 188 for number in numbers)
    assert receiver.facts.missing == 2
