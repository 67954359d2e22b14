from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defectscope.errors import MediaRefusedError
from defectscope.serving.policy import HttpsAddress, S3Address, allowed_address
from defectscope.serving.settings import ServingSettings

OPEN = ServingSettings()
CLOSED = ServingSettings(
    allowed_buckets=("films", "shared/incoming/"), allowed_hosts=("cdn.example.com",)
)


def test_any_bucket_is_read_without_an_allow_list():
    address = allowed_address("s3://some-bucket/a folder/film?v=1#x.mp4", OPEN)
    assert address == S3Address("some-bucket", "a folder/film?v=1#x.mp4")
    assert address.uri == "s3://some-bucket/a folder/film?v=1#x.mp4"


def test_an_allow_list_holds_buckets_and_prefixes():
    assert allowed_address("s3://films/a.mp4", CLOSED).uri == "s3://films/a.mp4"
    assert allowed_address("s3://shared/incoming/a.mp4", CLOSED)
    for refused in ("s3://films2/a.mp4", "s3://shared/other/a.mp4", "s3://shared/incoming"):
        with pytest.raises(MediaRefusedError, match="allow-list"):
            allowed_address(refused, CLOSED)


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "../film.mp4",
        "http://example.com/a.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "ftp://example.com/a",
        "concat:a|b",
        "data:video/mp4;base64,AAAA",
        "S3://films/a.mp4",
        "s3:/films/a.mp4",
        "s3://",
        "s3://films",
        "s3://films/",
        "s3:///a.mp4",
        "s3://films//etc/passwd",
        "s3://films/../other/a.mp4",
        "s3://films/a/../../other",
        "s3://films/a/./b",
        "s3://films/a\\..\\b",
        "s3://user@films/a",
        "s3://films:443/a",
        "s3://FILMS/a",
        "s3://fi..lms/a",
        "s3://127.0.0.1/a",
        "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/x/a",
        "s3://films/a\nb",
        "s3://films/a\x00b",
        "s3://films/\ud800",
        "s3://films/" + "a" * 1025,
        "s3://films/" + "a" * 5000,
        "https://example.com/a.mp4",
        "https://cdn.example.com.evil.org/a.mp4",
        "https://cdn.example.com@evil.org/a.mp4",
        "https://user:secret@cdn.example.com/a.mp4",
        "https://cdn.example.com:8443/a.mp4",
        "https://cdn.example.com\\@evil.org/a.mp4",
        "https://[::1]/a.mp4",
        "https://[broken/a.mp4",
        "https://cdn.example.com:port/a",
        "https://cdn.example.com/a b",
        "https://cdn.example.com/ä",
    ],
)
def test_everything_else_is_refused(uri: str) -> None:
    with pytest.raises(MediaRefusedError) as caught:
        allowed_address(uri, CLOSED)
    assert caught.value.http_status == 400
    # A refusal repeats nothing of the address: it may hold a secret.
    assert "secret" not in caught.value.message


def test_https_is_closed_unless_a_host_is_listed():
    with pytest.raises(MediaRefusedError, match="allow-list"):
        allowed_address("https://cdn.example.com/a.mp4", OPEN)
    address = allowed_address("https://CDN.example.com:443/a/b.mp4?sig=x#t", CLOSED)
    assert address == HttpsAddress("cdn.example.com", "/a/b.mp4?sig=x")
    assert address.uri == "https://cdn.example.com/a/b.mp4"
    assert allowed_address("https://cdn.example.com", CLOSED).uri == "https://cdn.example.com/"


@given(st.text(max_size=80))
def test_no_text_leads_to_anything_but_an_address_or_a_refusal(text: str) -> None:
    for uri in (text, f"s3://{text}", f"https://{text}", f"s3://films/{text}"):
        try:
            address = allowed_address(uri, CLOSED)
        except MediaRefusedError:
            continue
        if isinstance(address, S3Address):
            assert address.bucket in ("films", "shared")
            assert ".." not in address.key.split("/")
        else:
            assert address.host == "cdn.example.com"
