from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defectscope.errors import (
    DefectscopeError,
    MalformedRequestError,
    MediaTooLargeError,
    UnsupportedContentTypeError,
)
from defectscope.serving.codec import (
    encode_error,
    media_type,
    parse_json,
    read_line,
    read_request,
    split_lines,
    to_text,
)
from defectscope.serving.settings import ServingSettings

SETTINGS = ServingSettings(max_body_bytes=1000, max_records=3)


def read(body: bytes, kind: str, options: str | None = None):
    return read_request(body, kind, options, SETTINGS)


def failure_of(line: bytes) -> DefectscopeError | None:
    """Lets every other kind of exception through."""
    try:
        read_line(line)
    except DefectscopeError as error:
        return error
    return None


@pytest.mark.parametrize(
    "kind",
    [
        "video/mp4",
        "audio/wav",
        "application/octet-stream",
        "binary/octet-stream",
        "Video/MP4; codecs=avc1",
    ],
)
def test_media_bodies_are_taken_as_they_are(kind):
    request = read(b"\x00\x01", kind)
    assert request.media == b"\x00\x01"
    assert request.uri is None
    assert request.detectors is None


def test_options_beside_an_upload_are_a_record_without_uri():
    request = read(b"x", "video/mp4", '{"detectors": ["freeze"], "start_s": 1, "id": "a"}')
    assert (request.detectors, request.start_s, request.id) == (("freeze",), 1.0, "a")
    with pytest.raises(MalformedRequestError, match="unknown field 'uri'"):
        read(b"x", "video/mp4", '{"uri": "s3://bucket/key"}')
    with pytest.raises(MalformedRequestError, match="must be a JSON object"):
        read(b"x", "video/mp4", "[]")


def test_a_json_record_fills_every_field():
    record = {
        "uri": "s3://bucket/key",
        "start_s": 0,
        "end_s": 2.5,
        "captions_uri": "s3://bucket/key.vtt",
        "detectors": ["freeze", "freeze", "loudness"],
        "parameters": {"freeze": {"min_duration_s": 1}},
        "audio_layout": "5.1=1-6,stereo=7,8",
        "program": 2,
        "id": 7,
        "measurements": True,
    }
    request = read(json.dumps(record).encode(), "application/json; charset=utf-8")
    assert request.detectors == ("freeze", "loudness")
    assert request.parameters == {"freeze": {"min_duration_s": 1}}
    assert (request.start_s, request.end_s, request.id) == (0.0, 2.5, "7")
    assert (request.audio_layout, request.program) == ("5.1=1-6,stereo=7,8", 2)
    assert request.measurements is True
    assert request.media is None


def test_null_is_the_same_as_leaving_a_field_out():
    request = read(b'{"uri": "s3://b/k", "end_s": null, "detectors": null}', "application/json")
    assert request.end_s is None
    assert request.detectors is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "malformed JSON"),
        (b"", "malformed JSON"),
        (b"\xff\xfe", "malformed JSON"),
        (b"[" * 100_000, "limit|malformed JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "needs either uri or merge"),
        (b'{"uri": "s3://a/b", "merge": [{}]}', "needs either uri or merge"),
        (b'{"uri": ""}', "uri must be text"),
        (b'{"uri": 1}', "uri must be text"),
        (b'{"uri": "s3://a/b", "start_s": "1"}', "start_s must be a number"),
        (b'{"uri": "s3://a/b", "start_s": true}', "start_s must be a number"),
        (b'{"uri": "s3://a/b", "start_s": -1}', "at least 0"),
        (b'{"uri": "s3://a/b", "start_s": NaN}', "malformed JSON"),
        (b'{"uri": "s3://a/b", "start_s": 1e999}', "finite"),
        (b'{"uri": "s3://a/b", "start_s": 1' + b"0" * 400 + b"}", "finite"),
        (b'{"uri": "s3://a/b", "start_s": 5, "end_s": 5}', "end_s must lie after"),
        (b'{"uri": "s3://a/b", "detectors": "freeze"}', "list of names"),
        (b'{"uri": "s3://a/b", "detectors": []}', "list of names"),
        (b'{"uri": "s3://a/b", "parameters": {"freeze": 1}}', "object of objects"),
        (b'{"uri": "s3://a/b", "measurements": 1}', "true or false"),
        (b'{"uri": "s3://a/b", "audio_layout": 5}', "audio_layout must be text"),
        (b'{"uri": "s3://a/b", "program": 0}', "whole number from 1 to 65535"),
        (b'{"uri": "s3://a/b", "program": 1.0}', "whole number from 1 to 65535"),
        (b'{"uri": "s3://a/b", "program": true}', "whole number from 1 to 65535"),
        (b'{"uri": "s3://a/b", "program": 65536}', "whole number from 1 to 65535"),
        (b'{"uri": "s3://a/b", "surprise": 1}', "unknown field 'surprise'"),
        (b'{"merge": []}', "list of reports"),
        (b'{"merge": [1]}', "list of reports"),
        (b'{"merge": [{}], "detectors": ["freeze"]}', "merge goes with"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(body, message):
    with pytest.raises((MalformedRequestError, MediaTooLargeError), match=message):
        read(body, "application/json")


@pytest.mark.parametrize("kind", [None, "", "text/plain", "multipart/form-data; boundary=x"])
def test_other_content_types_are_refused_with_415(kind):
    with pytest.raises(UnsupportedContentTypeError) as caught:
        read(b"x", kind)
    assert caught.value.http_status == 415


def test_bodies_have_a_limit():
    with pytest.raises(MediaTooLargeError) as caught:
        read(bytes(1001), "video/mp4")
    assert (caught.value.code, caught.value.http_status) == ("body_too_large", 413)
    assert read(bytes(1000), "video/mp4").media == bytes(1000)
    with pytest.raises(MediaTooLargeError):
        split_lines(bytes(1001), SETTINGS)


def test_an_empty_upload_is_malformed():
    with pytest.raises(MalformedRequestError, match="empty"):
        read(b"", "video/mp4")


def test_lines_are_split_and_counted():
    assert split_lines(b'{"a":1}\r\n\n{"b":2}', SETTINGS) == [b'{"a":1}\r', b'{"b":2}']
    with pytest.raises(MalformedRequestError, match="no record"):
        split_lines(b"\n \n", SETTINGS)
    with pytest.raises(MalformedRequestError, match="4 records, the limit is 3"):
        split_lines(b"1\n2\n3\n4", SETTINGS)


def test_a_body_that_the_server_has_decoded_already_is_understood():
    assert read_request({"uri": "s3://b/k"}, "application/json", None, SETTINGS).uri == "s3://b/k"
    assert read_request('{"uri": "s3://b/k"}', "application/json", None, SETTINGS).uri


@given(st.binary(max_size=200))
def test_no_line_ever_raises_anything_but_our_own_error(line):
    failure = failure_of(line)
    if failure is not None:
        assert failure.http_status == 400
        assert "\n" not in encode_error(failure, "r", None)["error"]["message"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    ),
    st.sampled_from(
        ["uri", "start_s", "detectors", "parameters", "id", "merge", "captions_uri", "program"]
    ),
)
def test_no_value_of_any_field_raises_anything_but_our_own_error(value, field):
    failure = failure_of(json.dumps({"uri": "s3://b/k", field: value}).encode())
    assert failure is None or failure.http_status == 400


def test_errors_carry_the_request_and_the_record():
    error = MalformedRequestError("two\nlines")
    assert encode_error(error, "r-1", "a") == {
        "id": "a",
        "error": {"code": "malformed_request", "message": "two lines", "request_id": "r-1"},
    }


def test_parse_json_takes_a_byte_order_mark():
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_media_type_drops_parameters():
    assert media_type(" Audio/WAV ; rate=8000") == "audio/wav"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["plain", "curve", "beside null", "within"])
def test_a_number_that_is_not_finite_is_never_written(value: float, where: str) -> None:
    answers = {
        "plain": {"a": value},
        "curve": {"a": [0.5, value, 0.25]},
        "beside null": {"profile": None, "a": [None, value], "text": "null"},
        "within": {"a": {"b": [{"c": (value,)}]}, "profile": None},
    }
    with pytest.raises(ValueError, match="JSON"):
        to_text(answers[where])


@pytest.mark.parametrize(
    "answer",
    [
        {"a": [0.1, 1e-05, 1e22, -0.0, 3], "b": None, "c": {"d": [None, {"e": "null"}]}},
        {"id": "ü\u2028\u0085\n", "x": [0.5, None], "y": (1, 2), "z": {1: True}},
        {"error": {"code": "x", "message": "null and void", "request_id": None}},
        # JSON can name half a surrogate pair, and a message repeats what a caller sent.
        {"id": "\ud800", "error": {"message": "no detector \udfff"}},
        {},
    ],
)
def test_an_answer_is_one_line_of_ascii_that_reads_as_what_it_was(answer: dict[str, Any]) -> None:
    text = to_text(answer)
    assert json.loads(text) == json.loads(json.dumps(answer))
    assert text.isascii()
    assert len(text.splitlines()) == 1
