"""Opening media: how much is read before decoding begins, and files that several readers share."""

from __future__ import annotations

import io

import pytest

from defectscope.media.cursor import Cursor
from defectscope.media.source import head_of


class Counted(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_readers_of_one_file_do_not_move_each_other():
    shared = io.BytesIO(bytes(range(200)))
    one, other = Cursor(shared), Cursor(shared)
    assert one.read(3) == b"\x00\x01\x02"
    other.seek(100)
    assert other.read(2) == bytes((100, 101))
    assert one.read(2) == b"\x03\x04"
    shared.seek(0)
    assert other.read(1) == bytes((102,))
    assert one.seek(-1, io.SEEK_END) == 199
    assert one.read() == bytes((199,))
    with pytest.raises(ValueError, match="negative"):
        other.seek(-1)
    one.close()
    assert not shared.closed


def transport_stream(programmes: int, mapped: int) -> bytes:
    """Begins a transport stream that lists programmes, of which some have a map."""
    entries = b"".join(
        (n + 1).to_bytes(2, "big") + (0xE000 | 0x100 + n).to_bytes(2, "big")
        for n in range(programmes)
    )
    table = bytes((0, 0xB0, 9 + len(entries), 0, 1, 0xC1, 0, 0)) + entries + bytes(4)
    packets = [bytes((0x47, 0x40, 0x00, 0x10, 0)) + table]
    for n in range(mapped):
        streams = bytes((0x1B, 0xE2, n, 0xF0, 0))
        table = bytes((2, 0xB0, 13 + len(streams), 0, n + 1, 0xC1, 0, 0, 0xE2, n, 0xF0, 0))
        packets.append(bytes((0x47, 0x41, n, 0x10, 0)) + table + streams + bytes(4))
    return b"".join(packet.ljust(188, b"\xff") for packet in packets)


NULL_PACKET = b"\x47\x1f\xff\x10".ljust(188, b"\xff")


@pytest.mark.parametrize(
    ("media", "least", "most"),
    [
        (bytes(10_000_000), 0, 200_000),
        (b"\x00\x00\x00\x18ftypisom" + bytes(10_000_000), 0, 200_000),
        (transport_stream(2, 2) + NULL_PACKET * 50_000, 0, 200_000),
        # One programme's map has not come yet.
        (transport_stream(2, 1) + NULL_PACKET * 50_000, 4 * 1024 * 1024, 8_000_000),
        # A cover of 1 MB lies before the first frame of the MP3.
        (b"ID3\x04\x00\x00\x00\x40\x00\x00" + bytes(10_000_000), 1_100_000, 8_000_000),
    ],
    ids=["anything", "mp4", "programmes known", "a map is missing", "a tag with a cover"],
)
def test_as_much_of_the_beginning_is_read_as_says_what_is_in_it(media, least, most):
    file = Counted(media)
    head = head_of(file)
    assert media.startswith(head)
    assert len(head) >= least
    assert file.count <= most
