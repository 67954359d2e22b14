from __future__ import annotations

import gzip
import io
import json

import pytest

from defectscope.local.transform_records import (
    MEGABYTE,
    BadRecordError,
    DataProcessing,
    Payload,
    payloads,
    unpacked,
)


def cut(content: bytes, *, by_line: bool, multi: bool, limit: int | None = MEGABYTE):
    file = io.BytesIO(content)
    return list(
        payloads(file, len(content), split_by_line=by_line, multi_record=multi, limit=limit)
    )


def test_without_splitting_an_object_is_one_payload_as_it_stands():
    assert [p.body for p in cut(b"a\nb\r\n\n", by_line=False, multi=True)] == [b"a\nb\r\n\n"]


def test_single_records_lose_their_line_ends_and_blank_lines_are_no_records():
    found = cut(b"a\r\n\n  \nb\nlast", by_line=True, multi=False)
    assert [p.body for p in found] == [b"a", b"b", b"last"]


def test_several_records_fill_a_payload_up_to_the_limit():
    lines = [b"x" * 300 for _ in range(10)]
    found = cut(b"\n".join(lines), by_line=True, multi=True, limit=1000)
    assert [len(p.records) for p in found] == [3, 3, 3, 1]
    assert all(len(p.body) <= 1000 for p in found)
    assert [r for p in found for r in p.records] == lines


def test_records_that_fill_the_limit_exactly_fit():
    found = cut(b"ab\ncd", by_line=True, multi=True, limit=5)
    assert [p.body for p in found] == [b"ab\ncd"]


@pytest.mark.parametrize("by_line", [True, False])
def test_what_exceeds_the_limit_is_refused(by_line):
    with pytest.raises(BadRecordError, match="MaxPayloadInMB"):
        cut(b"x" * (MEGABYTE + 1), by_line=by_line, multi=False)
    assert len(cut(b"x" * MEGABYTE, by_line=by_line, multi=False)) == 1


def test_no_limit_takes_any_object():
    assert len(cut(b"x" * (2 * MEGABYTE), by_line=False, multi=False, limit=None)) == 1


def test_an_answer_is_joined_to_its_record():
    processing = DataProcessing({"JoinSource": "Input"})
    payload = Payload([b'{"id": 1}', b"[1, 2]"], b"")
    joined = processing.after(payload, b'{"v": 1}\n{"v": 2}\n', by_line=True)
    assert [json.loads(line) for line in joined] == [
        {"id": 1, "SageMakerOutput": {"v": 1}},
        {"SageMakerInput": [1, 2], "SageMakerOutput": {"v": 2}},
    ]


def test_answers_that_cannot_be_associated_are_an_error():
    processing = DataProcessing({"JoinSource": "Input"})
    with pytest.raises(BadRecordError, match="1 answers to 2 records"):
        processing.after(Payload([b"{}", b"{}"], b""), b"{}", by_line=True)


@pytest.mark.parametrize("record", [b"not json", b"[" * 100_000, b'{"other": 1}'])
def test_records_that_do_not_fit_the_filter_are_an_error(record):
    with pytest.raises(BadRecordError):
        DataProcessing({"InputFilter": "$.id"}).before(Payload([record], record))


def test_without_filters_nothing_is_parsed():
    processing = DataProcessing({"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"})
    assert not processing.active
    payload = Payload([b"\xff"], b"\xff")
    assert processing.before(payload) is payload
    assert processing.after(payload, b"\xfe\n\n", by_line=True) == [b"\xfe\n\n"]


def test_gzipped_objects_are_unpacked_and_others_refused():
    file, size = unpacked(io.BytesIO(gzip.compress(b"content")))
    with file:
        assert (file.read(), size) == (b"content", 7)
    with pytest.raises(BadRecordError):
        unpacked(io.BytesIO(b"plain"))
