"""What datagrams tell beside their payload: how many packets one carries, and which did not come.

A datagram is lost as a whole, so that its size is the unit of loss. RTP numbers its datagrams.
"""

from __future__ import annotations

from dataclasses import dataclass

# Source: RFC 3550, sections 5.1 and A.1 (how far numbers may jump within one sequence).
_RTP_HEADER_BYTES = 12
_MOST_DROPPED, _MOST_MISORDERED = 3000, 100
_NUMBERS = 1 << 16
_PACKET_BYTES = 188


@dataclass(slots=True)
class Datagrams:
    """Facts of one source's datagrams.

    Attributes:
        packets: Transport packets in a full datagram; 0 where there are no datagrams, or where
            they do not hold whole packets.
        missing: Datagrams that RTP's sequence numbers miss; None where nothing numbers them.
    """

    packets: int = 0
    missing: int | None = None

    def came(self, payload: bytes) -> None:
        """Notes one datagram's payload."""
        whole, rest = divmod(len(payload), _PACKET_BYTES)
        if not rest and whole > self.packets:
            self.packets = whole


class RtpPayload:
    """Takes RTP datagrams apart and follows their numbers.

    Args:
        facts: Where missing datagrams are counted.
    """

    def __init__(self, facts: Datagrams) -> None:
        self._facts = facts
        self._next: int | None = None
        facts.missing = 0

    def __call__(self, datagram: bytes) -> bytes:
        """Returns the transport packets of a datagram, none where it is not RTP."""
        if len(datagram) <= _RTP_HEADER_BYTES or datagram[0] >> 6 != 2:
            return b""
        at = _RTP_HEADER_BYTES + 4 * (datagram[0] & 0x0F)
        if datagram[0] & 0x10 and len(datagram) >= at + 4:
            at += 4 + 4 * int.from_bytes(datagram[at + 2 : at + 4], "big")
        end = len(datagram) - (datagram[-1] if datagram[0] & 0x20 else 0)
        self._follow(int.from_bytes(datagram[2:4], "big"))
        return datagram[at:end]

    def _follow(self, number: int) -> None:
        ahead = 0 if self._next is None else (number - self._next) % _NUMBERS
        assert self._facts.missing is not None
        if ahead >= _NUMBERS - _MOST_MISORDERED:
            # It came late, and had been taken for missing.
            self._facts.missing = max(0, self._facts.missing - 1)
            return
        if ahead < _MOST_DROPPED:
            self._facts.missing += ahead
        self._next = (number + 1) % _NUMBERS
