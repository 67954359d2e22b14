"""Many datagrams in one call, where the system can: Linux cuts what is sent and joins what came.

Every call gives Python's lock away and waits for it again behind the decoder. With hundreds of
datagrams a second and channel that costs more than what is done with them.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from itertools import groupby

# Source: Linux, include/uapi/linux/udp.h (UDP_SEGMENT, UDP_GRO), since 4.18 and 5.0.
_UDP_SEGMENT, _UDP_GRO = 103, 104
_SIZE = struct.Struct("=H")
_JOINED_SIZE = struct.Struct("=i")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_JOINED_SIZE.size) if sys.platform == "linux" else 0
# Linux cuts no more than 64 at once, and holds them in one datagram of UDP: 40 of 1,316 bytes fit.
MOST_AT_ONCE = 40
_MOST_BYTES = 65_507
# What systems and devices answer that cannot cut.
_UNABLE = frozenset({errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP})


def send_all(
    sending: socket.socket, datagrams: Sequence[bytes], destination: tuple[str, int]
) -> None:
    """Sends datagrams in their order, those of one size that follow one another in one call.

    Args:
        sending: A UDP socket.
        datagrams: None of them empty, `MOST_AT_ONCE` at most.
        destination: Where they go.
    """
    for size, group in groupby(datagrams, len):
        same = list(group)
        if not _sent_together(sending, same, size, destination):
            for datagram in same:
                sending.sendto(datagram, destination)


def _sent_together(
    sending: socket.socket, same: list[bytes], size: int, destination: tuple[str, int]
) -> bool:
    if sys.platform != "linux" or len(same) < 2 or size * len(same) > _MOST_BYTES:
        return False
    cut = [(socket.IPPROTO_UDP, _UDP_SEGMENT, _SIZE.pack(size))]
    try:
        sending.sendmsg([b"".join(same)], cut, 0, destination)
    except OSError as error:
        if error.errno in _UNABLE:
            return False
        raise
    return True


def join_received(receiving: socket.socket) -> None:
    """Asks that datagrams of one size come together; an older system gives one at a time."""
    if sys.platform == "linux":
        try:
            receiving.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        except OSError:
            return


def received(receiving: socket.socket, buffer: memoryview) -> tuple[int, int]:
    """Takes what is next.

    Returns:
        How many bytes came, and the size of each datagram but the last in them.

    Raises:
        OSError: Nothing has come.
    """
    if not _ANCILLARY_BYTES:
        length = receiving.recv_into(buffer)
        return length, length
    length, told, _flags, _source = receiving.recvmsg_into([buffer], _ANCILLARY_BYTES)
    for level, kind, data in told:
        if (level, kind) == (socket.IPPROTO_UDP, _UDP_GRO) and len(data) >= _JOINED_SIZE.size:
            return length, _JOINED_SIZE.unpack_from(data)[0]
    return length, length
