"""Copies the packets of a track from one container into another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av.container import InputContainer

from defectscope.media.decoding_times import DecodingTimes

# FFmpeg's number of full range (AVCOL_RANGE_JPEG) and limited range (AVCOL_RANGE_MPEG).
_RANGE = {True: 2, False: 1}


class PacketCopy:
    """A stream that goes along as it is."""

    def __init__(self, container: InputContainer, source: Any, target: Any, shift_s: float) -> None:
        self.container = container
        self._target = target
        exact_s = Fraction(shift_s).limit_denominator(1_000_000)
        self._shift_ticks = round(exact_s / source.time_base)
        self._packets = container.demux(source)
        self._times = DecodingTimes()
        self._ready: deque[Any] = deque()
        self._next = self._take()

    def until(self, limit_s: Fraction | None) -> Iterator[Any]:
        """Returns the packets up to an instant; None is the end."""
        while self._next is not None:
            packet = self._next
            if limit_s is not None and packet.dts * packet.time_base > limit_s:
                return
            packet.stream = self._target
            yield packet
            self._next = self._take()

    def _take(self) -> Any:
        """The next packet, shifted; None at the end."""
        while not self._ready:
            packet = next(self._packets, None)
            if packet is None:
                self._ready.extend(self._times.flush())
                break
            if packet.size > 0:
                self._ready.extend(self._times.push(packet))
        if not self._ready:
            return None
        packet = self._ready.popleft()
        packet.dts += self._shift_ticks
        if packet.pts is not None:
            packet.pts += self._shift_ticks
        return packet
