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
from defectscope.monitor.segments import MOST_AT_ONCE, send_all
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
# Datagrams that are made at once, about a second of 4 Mbit/s.
_MADE_AT_ONCE = 300
# A sender that was held up catches up by no more than this at once, seconds.
_MAX_LATE_S = 0.5
# What is due within so long is sent together, when the last of it is due, seconds: to wake for each
# of hundreds of datagrams a second costs seven times what is done with them.
_TOGETHER_S = 0.02

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
        counts = Counter(self._pids[has_payload(self._rows)].tolist())
        # How far a loop moves the continuity counter of every packet.
        self._moved = np.array([counts[pid] % 16 for pid in self._pids.tolist()], np.uint8)
        self._stamps: dict[int, list[Stamp]] = {}
        for stamp in stamps_of(self._rows):
            self._stamps.setdefault(stamp.row, []).append(stamp)
        clocks = pcr_rows(self._rows)
        if len(clocks) < 2:
            raise InvalidParameterError("the stream has no clock (PCR) to be sent by")
        ticks = pcr_ticks(self._rows, clocks)
        self._due_s = np.interp(np.arange(len(self._rows)), clocks, (ticks - ticks[0]) / CLOCK_HZ)

    def datagrams(self) -> Iterator[tuple[float, bytes, range]]:
        """Yields when each datagram is due, seconds from the first, and its packets' numbers."""
        loop, size = 0, PACKETS_PER_DATAGRAM * PACKET_BYTES
        while True:
            for begin in range(0, len(self._rows), _MADE_AT_ONCE * PACKETS_PER_DATAGRAM):
                end = min(begin + _MADE_AT_ONCE * PACKETS_PER_DATAGRAM, len(self._rows))
                made = self._made(begin, end, loop)
                due_s = (loop * self._loop_s + self._due_s[begin:end:PACKETS_PER_DATAGRAM]).tolist()
                for number, first in enumerate(range(begin, end, PACKETS_PER_DATAGRAM)):
                    packets = range(first, min(first + PACKETS_PER_DATAGRAM, end))
                    yield due_s[number], made[number * size : (number + 1) * size], packets
            loop += 1

    def pid_of(self, row: int) -> int:
        """Returns the packet identifier of a packet of the loop."""
        return int(self._pids[row])

    def stepped(self, datagram: bytes, rows: range, ticks: int) -> bytes:
        """Returns a whole datagram with all its time stamps moved by ticks of 90 kHz."""
        out, first = bytearray(datagram), rows.start
        for row in rows:
            for stamp in self._stamps.get(row, ()):
                _shift_at(out, row - first, stamp, ticks)
        return bytes(out)

    def _made(self, begin: int, end: int, loop: int) -> bytes:
        """Returns packets of the loop with the counters and stamps of one of its turns."""
        rows = self._rows[begin:end].copy()
        counters = rows[:, 3] + (loop % 16) * self._moved[begin:end]
        rows[:, 3] = rows[:, 3] & 0xF0 | counters & 0x0F
        out = bytearray(rows.tobytes())
        ticks = self._start_ticks + round(loop * self._loop_s * CLOCK_HZ)
        for row in range(begin, end):
            for stamp in self._stamps.get(row, ()):
                _shift_at(out, row - begin, stamp, ticks)
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
        together: list[bytes] = []
        for due_s, datagram, rows in self._stream.datagrams():
            wait_s = begun_s + due_s / self._speed - time.monotonic()
            if wait_s > 0 or len(together) == MOST_AT_ONCE:
                send_all(self._socket, together, self._destination)
                self.sent += len(together)
                together.clear()
            if wait_s > 0 and self._stopped.wait(max(wait_s, _TOGETHER_S)):
                return
            if wait_s < -_MAX_LATE_S:
                begun_s -= wait_s
                self.held_up_s -= wait_s
            if self._stopped.is_set():
                return
            broken = self._broken(due_s, datagram, rows)
            if broken:
                together.append(broken)

    def _broken(self, due_s: float, datagram: bytes, rows: range) -> bytes:
        """Returns what is left of a datagram after the faults that are on."""
        steps = [f for f in self._faults if f.kind == "clock_step" and due_s >= f.at_s]
        if steps:
            ticks = sum(round(fault.amount * CLOCK_HZ) for fault in steps)
            datagram = self._stream.stepped(datagram, rows, ticks)
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
                places = [r for r in rows if self._stream.pid_of(r) != int(fault.amount)]
                kept = [(r - rows.start) * PACKET_BYTES for r in places]
                datagram = b"".join(datagram[at : at + PACKET_BYTES] for at in kept)
        return datagram


def _shift_at(datagram: bytearray, place: int, stamp: Stamp, ticks: int) -> None:
    """Moves one time stamp of the packet at a place of a datagram."""
    at = place * PACKET_BYTES
    field = datagram[at : at + PACKET_BYTES]
    shift(field, stamp.at, is_pcr=stamp.is_pcr, ticks=ticks)
    datagram[at : at + PACKET_BYTES] = field
