from __future__ import annotations

import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defectscope.errors import UnreadableMediaError
from defectscope.media.ranged import BLOCK_BYTES, RangedFile

DATA = np.random.default_rng(5).integers(0, 256, 40 * BLOCK_BYTES + 777, np.uint8).tobytes()


def open_data(data: bytes = DATA, **options) -> RangedFile:
    return RangedFile(lambda first, last: data[first:last], len(data), name="x.mp4", **options)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(-10, len(DATA) + 100),
            st.sampled_from([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]),
            st.integers(-1, 4 * BLOCK_BYTES),
        ),
        max_size=12,
    )
)
def test_it_reads_like_any_file(steps):
    ranged, plain = open_data(cache_bytes=1), io.BytesIO(DATA)
    for offset, whence, size in steps:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: plain.tell(), os.SEEK_END: len(DATA)}[whence]
        if origin + offset >= 0:
            assert ranged.seek(offset, whence) == plain.seek(origin + offset)
        assert ranged.read(size) == plain.read(size)
        assert ranged.tell() == plain.tell()


def test_a_long_run_takes_few_requests_and_reads_little_past_its_end():
    data = bytes(200 * 1024 * 1024)
    file = open_data(data)
    file.seek(50 * 1024 * 1024)
    wanted = 60 * 1024 * 1024
    for _ in range(wanted // 32768):
        file.read(32768)
    assert file.requests < 50
    assert file.bytes_fetched <= 1.25 * wanted + BLOCK_BYTES


def test_two_interleaved_runs_both_grow():
    data = bytes(64 * 1024 * 1024)
    file = open_data(data)
    half = len(data) // 2
    for step in range(0, 16 * 1024 * 1024, 65536):
        for start in (0, half):
            file.seek(start + step)
            file.read(65536)
    assert file.requests < 60


def test_the_cache_is_bounded():
    data = bytes(100 * 1024 * 1024)
    file = open_data(data, cache_bytes=8 * 1024 * 1024)
    while file.read(1 << 20):
        pass
    assert sum(map(len, file._blocks.values())) <= 8 * 1024 * 1024


def test_what_was_read_before_is_not_fetched_again():
    file = open_data()
    file.read(1000)
    fetched = file.bytes_fetched
    file.seek(10)
    assert file.read(100) == DATA[10:110]
    assert file.bytes_fetched == fetched


def test_a_failed_fetch_is_remembered():
    def fetch(first: int, last: int) -> bytes:
        raise UnreadableMediaError("gone")

    file = RangedFile(fetch, 10, name="x")
    with pytest.raises(UnreadableMediaError):
        file.read(1)
    assert isinstance(file.failure, UnreadableMediaError)


def test_it_is_a_binary_file():
    with open_data() as file:
        assert file.readable()
        assert file.seekable()
        assert not file.writable()
        buffer = bytearray(5)
        assert file.readinto(buffer) == 5
        assert bytes(buffer) == DATA[:5]
        with pytest.raises(ValueError, match="negative"):
            file.seek(-1)
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
