"""Decoding times for packets whose container stores none, as Matroska does for the first ones."""

from __future__ import annotations

from typing import Any


class DecodingTimes:
    """Fills in what is missing in one stream; packets come out in order, at most a few late."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._last: int | None = None

    def push(self, packet: Any) -> list[Any]:
        """Takes the next packet and gives those whose decoding time is known now."""
        step = max(1, packet.duration or 1)
        if packet.dts is None:
            if self._last is None:
                self._waiting.append(packet)
                return []
            packet.dts = self._last + step
        self._last = packet.dts
        # Those before the first known time were due one frame apart.
        for back, earlier in enumerate(reversed(self._waiting), 1):
            earlier.dts = packet.dts - back * step
        ready, self._waiting = [*self._waiting, packet], []
        return ready

    def flush(self) -> list[Any]:
        """Returns the packets left of a stream without decoding times, to decode as presented."""
        for packet in self._waiting:
            packet.dts = packet.pts
        ready, self._waiting = [p for p in self._waiting if p.dts is not None], []
        return ready
