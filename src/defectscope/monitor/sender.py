"""Sends a transport stream over UDP at its own pace, for ever, and breaks it on purpose.

A loop goes on where the one before it ended: time stamps and continuity counters are told anew, so
that a receiver sees one stream without end.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.monitor.stream_clock import (
    CLOCK_HZ,
    PACKET_BYTES,
    Stamp,
    has_payload,
    packets_of,
    pcr_rows,
    pcr_ticks,
    pids_of,
    shift,
    stamps_of,
)

PACKETS_PER_DATAGRAM = 7
# A sender that was held up catches up by no more than this at once, seconds.
_MAX_LATE_S = 0.5

Kind = Literal["loss", "outage", "clock_step", "track_gone"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to the stream on its way.

    Attributes:
        kind: `loss` of single datagrams, `outage` of all of them, `clock_step` of all time
            stamps, `track_gone` for one packet identifier.
        at_s: When it begins, seconds since the first datagram.
        duration_s: How long it lasts; a clock step stays.
        amount: Share of datagrams lost, or seconds of a step, or the packet identifier.
    """

    kind: Kind
    at_s: float
    duration_s: float
    amount: float = 0.0

    def is_on(self, at_s: float) -> bool:
        """Whether it holds at an instant."""
        return self.at_s <= at_s < self.at_s + self.duration_s


class Stream:
    """A transport stream that never ends: datagrams and when each is due.

    Args:
        data: One loop. Its length must be whole frames and whole runs of sound, or every
            loop has a seam.
        loop_s: Length of the loop, seconds.
        start_ticks: What is added to all time stamps.
    """

    def __init__(self, data: bytes, loop_s: float, start_ticks: int = 0) -> None:
        self._rows = packets_of(data)
        self._loop_s, self._start_ticks = loop_s, start_ticks
        self._pids = pids_of(self._rows)
        self._counts = Counter(self._pids[has_payload(self._rows)].tolist())
        self._stamps: dict[int, list[Stamp]] = {}
        for stamp in stamps_of(self._rows):
            self._stamps.setdefault(stamp.row, []).append(stamp)
        clocks = pcr_rows(self._rows)
        if len(clocks) < 2:
            raise InvalidParameterError("the stream has no clock (PCR) to be sent by")
        ticks = pcr_ticks(self._rows, clocks)
        self._due_s = np.interp(np.arange(len(self._rows)), clocks, (ticks - ticks[0]) / CLOCK_HZ)

    def datagrams(self) -> Iterator[tuple[float, bytes, frozenset[int]]]:
        """Yields when each datagram is due, seconds from the first, and its packets' numbers."""
        loop = 0
        while True:
            for first in range(0, len(self._rows), PACKETS_PER_DATAGRAM):
                last = min(first + PACKETS_PER_DATAGRAM, len(self._rows))
                due_s = loop * self._loop_s + float(self._due_s[first])
                yield due_s, self._datagram(first, last, loop), frozenset(range(first, last))
            loop += 1

    def pid_of(self, row: int) -> int:
        """Returns the packet identifier of a packet of the loop."""
        return int(self._pids[row])

    def stepped(self, datagram: bytes, rows: frozenset[int], ticks: int) -> bytes:
        """Returns a whole datagram with all its time stamps moved by ticks of 90 kHz."""
        out, first = bytearray(datagram), min(rows)
        for row in rows:
            for stamp in self._stamps.get(row, ()):
                _shift_at(out, row - first, stamp, ticks)
        return bytes(out)

    def _datagram(self, first: int, last: int, loop: int) -> bytes:
        out = bytearray(self._rows[first:last].tobytes())
        ticks = self._start_ticks + round(loop * self._loop_s * CLOCK_HZ)
        for row in range(first, last):
            at = (row - first) * PACKET_BYTES
            moved = loop * self._counts[int(self._pids[row])]
            out[at + 3] = out[at + 3] & 0xF0 | (out[at + 3] + moved) & 0x0F
            for stamp in self._stamps.get(row, ()):
                _shift_at(out, row - first, stamp, ticks)
        return bytes(out)


class Sender:
    """Sends a stream to one address in a thread of its own, `speed` times as fast as it plays.

    Attributes:
        sent: Datagrams that were sent.
        held_up_s: How much later than its pace it is: the machine was busy.
        lost: Datagrams that were held back by `loss`, by fault.
        lost_packets: Transport packets in them.
        offered: Datagrams that `loss` might have held back, by fault.
        lost_between: The first and the last that it held back, counted among those offered.
        first_lost_s: When the first of them was due, seconds since the first datagram.
        began_s: When the first was sent, on the clock of `time.monotonic`; None before.
        began_wall_s: The same in seconds since 1970.
    """

    def __init__(
        self,
        stream: Stream,
        destination: tuple[str, int],
        faults: Sequence[Fault] = (),
        seed: int = 0,
        speed: float = 1.0,
    ) -> None:
        self.sent = 0
        self.held_up_s = 0.0
        self.lost: Counter[Fault] = Counter()
        self.lost_packets: Counter[Fault] = Counter()
        self.offered: Counter[Fault] = Counter()
        self.lost_between: dict[Fault, tuple[int, int]] = {}
        self.first_lost_s: dict[Fault, float] = {}
        self.began_s: float | None = None
        self.began_wall_s: float | None = None
        self._stream, self._destination = stream, destination
        self._faults = tuple(faults)
        self._random, self._speed = random.Random(seed), speed
        self._stopped = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
        name = f"send-{destination[1]}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _work(self) -> None:
        begun_s = self.began_s = time.monotonic()
        self.began_wall_s = time.time()
        for due_s, datagram, rows in self._stream.datagrams():
            wait_s = begun_s + due_s / self._speed - time.monotonic()
            if wait_s > 0.001 and self._stopped.wait(wait_s):
                return
            if wait_s < -_MAX_LATE_S:
                begun_s -= wait_s
                self.held_up_s -= wait_s
            if self._stopped.is_set():
                return
            broken = self._broken(due_s, datagram, rows)
            if broken:
                self._socket.sendto(broken, self._destination)
                self.sent += 1

    def _broken(self, due_s: float, datagram: bytes, rows: frozenset[int]) -> bytes:
        """Returns what is left of a datagram after the faults that are on."""
        steps = [f for f in self._faults if f.kind == "clock_step" and due_s >= f.at_s]
        if steps:
            ticks = sum(round(fault.amount * CLOCK_HZ) for fault in steps)
            datagram = self._stream.stepped(datagram, rows, ticks)
        out = bytearray(datagram)
        for fault in self._faults:
            if fault.kind == "clock_step" or not fault.is_on(due_s):
                continue
            if fault.kind == "outage":
                return b""
            if fault.kind == "loss":
                self.offered[fault] += 1
                if self._random.random() < fault.amount:
                    self.lost[fault] += 1
                    self.lost_packets[fault] += len(datagram) // PACKET_BYTES
                    number = self.offered[fault]
                    self.lost_between[fault] = self.lost_between.get(fault, (number,))[0], number
                    self.first_lost_s.setdefault(fault, due_s)
                    return b""
            elif fault.kind == "track_gone":
                kept = [r for r in sorted(rows) if self._stream.pid_of(r) != int(fault.amount)]
                first = min(rows)
                out = bytearray().join(
                    out[(r - first) * PACKET_BYTES : (r - first + 1) * PACKET_BYTES] for r in kept
                )
        return bytes(out)


def _shift_at(datagram: bytearray, place: int, stamp: Stamp, ticks: int) -> None:
    """Moves one time stamp of the packet at a place of a datagram."""
    at = place * PACKET_BYTES
    field = datagram[at : at + PACKET_BYTES]
    shift(field, stamp.at, is_pcr=stamp.is_pcr, ticks=ticks)
    datagram[at : at + PACKET_BYTES] = field
