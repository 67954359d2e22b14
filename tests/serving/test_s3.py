from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from defectscope.errors import MediaError, MediaNotFoundError, MediaRefusedError
from defectscope.media.s3 import open_object

DATA = np.random.default_rng(6).integers(0, 256, 3_000_000, np.uint8).tobytes()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="films")
        client.put_object(Bucket="films", Key="a/b.mp4", Body=DATA)
        yield client


def test_an_object_reads_like_a_file(s3):
    with open_object("s3://films/a/b.mp4", client=s3) as file:
        assert (file.size, file.name) == (len(DATA), "a/b.mp4")
        file.seek(1_234_567)
        assert file.read(1000) == DATA[1_234_567 : 1_234_567 + 1000]
        file.seek(-10, 2)
        assert file.read() == DATA[-10:]
        assert file.bytes_fetched < 600_000


def test_an_empty_object_is_an_empty_file(s3):
    s3.put_object(Bucket="films", Key="empty", Body=b"")
    assert open_object("s3://films/empty", client=s3).read() == b""


@pytest.mark.parametrize("uri", ["s3://films/nothing", "s3://no-such-bucket/a"])
def test_a_missing_object_is_not_found(s3, uri):
    with pytest.raises(MediaNotFoundError) as caught:
        open_object(uri, client=s3)
    assert caught.value.http_status == 404


@pytest.mark.parametrize("uri", ["films/a", "s3://films", "s3://films/", "s3:///a", "https://a/b"])
def test_what_names_no_object_is_refused(s3, uri):
    with pytest.raises(MediaRefusedError):
        open_object(uri, client=s3)


def test_an_object_that_changes_meanwhile_is_an_error_and_no_mixture(s3):
    file = open_object("s3://films/a/b.mp4", client=s3)
    file.read(10)
    s3.put_object(Bucket="films", Key="a/b.mp4", Body=DATA[::-1])
    file.seek(2_000_000)
    with pytest.raises(MediaError, match="changed while it was read"):
        file.read(10)
    assert file.failure is not None


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("403", 403, (404, "media_not_found")),
        ("SlowDown", 503, (503, "media_unavailable")),
        ("InternalError", 500, (503, "media_unavailable")),
    ],
)
def test_what_s3_refuses_is_told_apart_from_what_it_fails_at(code, status, expected):
    client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with Stubber(client) as stub:
        stub.add_client_error("head_object", code, http_status_code=status)
        with pytest.raises(MediaError) as caught:
            open_object("s3://films/a", client=client)
    assert (caught.value.http_status, caught.value.code) == expected


def test_ranges_carry_the_etag():
    client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with Stubber(client) as stub:
        stub.add_response("head_object", {"ContentLength": 100, "ETag": '"abc"'})
        stub.add_client_error(
            "get_object",
            "412",
            http_status_code=412,
            expected_params={
                "Bucket": "films",
                "Key": "a",
                "Range": "bytes=0-99",
                "IfMatch": '"abc"',
            },
        )
        file = open_object("s3://films/a", client=client)
        with pytest.raises(MediaError, match="changed"):
            file.read(1)
