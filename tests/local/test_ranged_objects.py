"""Ranges of objects in the local S3: right to the byte, and read without the rest."""

from __future__ import annotations

import threading
import time
from io import BytesIO

import numpy as np
import pytest
from botocore.exceptions import ClientError

from defectscope.local.ranged_objects import Window

SIZE = 3_000_001
DATA = np.random.default_rng(8).integers(0, 256, SIZE, np.uint8).tobytes()


@pytest.fixture(scope="module")
def s3(local):
    client = local.client("s3")
    client.create_bucket(Bucket="films")
    client.put_object(Bucket="films", Key="a", Body=DATA)
    client.put_object(Bucket="films", Key="small", Body=b"0123456789")
    yield client
    client.close()


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000000-1999999", 1_000_000, 2_000_000),
        ("bytes=2999999-", 2_999_999, SIZE),
        ("bytes=2999999-9999999", 2_999_999, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
    ],
)
def test_ranges_are_right_to_the_byte(s3, asked, first, last):
    answer = s3.get_object(Bucket="films", Key="a", Range=asked)
    assert answer["ContentRange"] == f"bytes {first}-{last - 1}/{SIZE}"
    assert answer["ContentLength"] == last - first
    assert answer["Body"].read() == DATA[first:last]


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=x-y", "bytes=5-2"])
def test_what_is_no_single_range_gives_all_of_it(s3, asked):
    assert s3.get_object(Bucket="films", Key="a", Range=asked)["Body"].read() == DATA


def test_a_range_behind_the_end_is_refused(s3):
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="films", Key="a", Range=f"bytes={SIZE}-")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


def test_small_objects_and_whole_ones_come_as_ever(s3):
    assert s3.get_object(Bucket="films", Key="small", Range="bytes=2-4")["Body"].read() == b"234"
    assert s3.get_object(Bucket="films", Key="a")["Body"].read() == DATA
    assert s3.head_object(Bucket="films", Key="a", Range="bytes=0-9")["ContentLength"] == 10


def test_ranges_side_by_side_do_not_mix(s3):
    wrong: list[int] = []

    def read(number: int) -> None:
        for turn in range(20):
            first = (number * 37 + turn * 101) * 997 % (SIZE - 5000)
            span = f"bytes={first}-{first + 4999}"
            body = s3.get_object(Bucket="films", Key="a", Range=span)["Body"].read()
            if body != DATA[first : first + 5000]:
                wrong.append(first)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.slow
def test_a_range_of_a_large_object_costs_no_more_than_of_a_small_one(s3):
    """A hundred and fifty megabytes, of which moto alone would read all, twice, for each range."""
    s3.put_object(Bucket="films", Key="large", Body=bytes(150_000_000))

    def fastest(key: str) -> float:
        took: list[float] = []
        for _ in range(15):
            began = time.perf_counter()
            s3.get_object(Bucket="films", Key=key, Range="bytes=0-9")["Body"].read()
            took.append(time.perf_counter() - began)
        return min(took)

    # Reading 150 MB and copying them takes some 60 ms on a quiet machine, a small call some 5.
    assert fastest("large") < 4 * fastest("small")


def test_a_window_reads_what_it_is_asked_for():
    window = Window(BytesIO(b"0123456789"), 10, threading.Lock())
    assert len(window) == 10
    assert (window[3:5], window[8:99], window[:0], window[9:3]) == (b"34", b"89", b"", b"")
