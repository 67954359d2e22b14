"""Receives a transport stream over UDP in a thread of its own.

The thread does nothing that can take long, so that the kernel's buffer never fills: what is lost
before it was lost by the network. It sleeps while datagrams gather there: to be woken for each of
hundreds a second would cost more than all else that is done with them, and hold up the decoder.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from defectscope.errors import InvalidParameterError, MediaUnavailableError
from defectscope.monitor.datagrams import Datagrams, RtpPayload
from defectscope.monitor.segments import join_received, received

# What the kernel is asked to hold while this thread waits for its turn.
_BUFFER_BYTES = 4_000_000
_MAX_DATAGRAM_BYTES = 65_536
# Datagrams are handed on together: fewer wake-ups, and no delay that anybody sees.
_BATCH_S = 0.03
_BATCH_BYTES = 65_536
# How often a thread that nothing comes to looks whether it shall end, milliseconds.
_IDLE_MS = 100

Sink = Callable[[bytes, float], None]


@dataclass(frozen=True, slots=True)
class Address:
    """Where datagrams are received.

    Attributes:
        host: Own address, or a multicast group.
        port: Port; 0 takes a free one.
        interface: Own address on which a multicast group is joined; empty for any.
    """

    host: str
    port: int
    interface: str = ""

    @property
    def is_multicast(self) -> bool:
        """Whether it is a group that has to be joined."""
        try:
            return ipaddress.ip_address(self.host).is_multicast
        except ValueError:
            return False


def bound(address: Address) -> socket.socket:
    """Returns a socket that receives what is sent to an address.

    Raises:
        InvalidParameterError: It is no address of IPv4.
        MediaUnavailableError: It is taken, or not of this machine.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        if address.is_multicast:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address.host, address.port))
            group = socket.inet_aton(address.host)
            own = socket.inet_aton(address.interface or "0.0.0.0")
            made.setsockopt(
                socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", group, own)
            )
        else:
            made.bind((address.host, address.port))
    except (OSError, OverflowError) as error:
        made.close()
        place = f"{address.host}:{address.port}"
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, socket.gaierror | OverflowError):
            raise InvalidParameterError(f"{place} is no address ({reason})") from None
        raise MediaUnavailableError(f"{place}: {reason.lower()}") from None
    made.setblocking(False)
    join_received(made)
    return made


class UdpReceiver:
    """Hands on what datagrams carry.

    Attributes:
        datagrams: How many have come.
        facts: What they tell beside their payload.
    """

    def __init__(self, address: Address, sink: Sink, *, rtp: bool = False) -> None:
        """Takes a port.

        Args:
            address: What is received.
            sink: Takes payload and when it came.
            rtp: Datagrams have RTP's header.

        Raises:
            InvalidParameterError: It is no address of IPv4.
            MediaUnavailableError: It is taken, or not of this machine.
        """
        self.datagrams = 0
        self.facts = Datagrams()
        payload = RtpPayload(self.facts) if rtp else None
        self._sink, self._payload = sink, payload
        self._socket = bound(address)
        self._buffer = memoryview(bytearray(_MAX_DATAGRAM_BYTES))
        self._stopped = threading.Event()
        name = f"udp-{self.port}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def port(self) -> int:
        """The port that it receives on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begins to receive."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread and frees the port."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _work(self) -> None:
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        while not self._stopped.is_set():
            if ready.poll(_IDLE_MS):
                time.sleep(_BATCH_S)
                self._take_all()

    def _take_all(self) -> None:
        """Hands on everything that has come."""
        waiting: list[bytes] = []
        size, more = 0, True
        while more and not self._stopped.is_set():
            try:
                length, each = received(self._socket, self._buffer)
            except OSError:
                # Nothing is left, or an error of an earlier datagram that nobody waits for.
                more = False
            else:
                for first in range(0, length, max(1, each)):
                    last = min(first + each, length)
                    payload = self._payload_of(bytes(self._buffer[first:last]))
                    waiting.append(payload)
                    size += len(payload)
            if waiting and (not more or size >= _BATCH_BYTES):
                self._sink(b"".join(waiting), time.monotonic())
                waiting.clear()
                size = 0

    def _payload_of(self, datagram: bytes) -> bytes:
        self.datagrams += 1
        payload = datagram if self._payload is None else self._payload(datagram)
        self.facts.came(payload)
        return payload
