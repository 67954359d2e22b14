from __future__ import annotations

import json
from array import array
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sample_reports import empty_report, full_report, hostile_report

from defectscope.errors import MalformedRequestError
from defectscope.findings import Report
from defectscope.measurements import Measurements, Table
from defectscope.report.schema import load_schema, validate


def as_read(report: Report) -> Any:
    return json.loads(report.to_json())


@cache
def text_of_a_full_report() -> str:
    return full_report().to_json()


def full_body() -> Any:
    """What a full report writes, as read, with the curves of one detector, for a test to break."""
    body = json.loads(text_of_a_full_report())
    body["curves"] = {"freeze": body["curves"]["freeze"]}
    return body


def problems(body: Any) -> list[str]:
    return [e.json_path for e in Draft202012Validator(load_schema()).iter_errors(body)]


def test_the_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(load_schema())


@pytest.mark.parametrize("make", [full_report, empty_report, hostile_report])
def test_what_a_report_writes_is_accepted(make: Any) -> None:
    assert not problems(make().to_dict())
    assert not problems(as_read(make()))
    # The package's own check agrees with the schema's validator.
    validate(as_read(make()))


def test_measurements_and_stream_are_accepted() -> None:
    table = Table((25, 1), {"pts": array("q", [0, 1, 2]), "luma": array("f", [1.0, 2.0, 3.0])})
    body = full_body()
    body["measurements"] = [Measurements("freeze", {"frames": table}).to_dict()]
    body["stream"] = {"anything": [1]}
    assert not problems(body)
    validate(body)
    body["measurements"] = {"freeze": 1}
    assert problems(body)


def set_at(body: Any, path: tuple[str | int, ...], value: Any) -> None:
    for step in path[:-1]:
        body = body[step]
    body[path[-1]] = value


BROKEN: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("schema",), "defectscope/report/2", "schema"),
    (("surprise",), 1, "surprise"),
    (("asset", "duration_s"), -1, "asset.duration_s"),
    (("asset", "video", "frame_rate"), "25", "asset.video.frame_rate"),
    (("asset", "audio", "channels"), ["FL", "FR"], "asset.audio.channels"),
    (("findings", 1, "severity"), "awful", "findings[1].severity"),
    (("findings", 1, "confidence"), 1.2, "findings[1].confidence"),
    (("findings", 1, "evidence"), [], "findings[1].evidence"),
    (("findings", 1, "extra"), 1, "extra"),
    (("findings", 1, "start_timecode"), "0:0:0", "findings[1].start_timecode"),
    (("findings", 1, "start_frame"), 1.5, "findings[1].start_frame"),
    (("findings", 1, "end_s"), 1.0, "findings[1].end_s: the finding ends before"),
    (("findings", 1, "end_frame"), 1, "findings[1].end_frame: the finding ends before"),
    (("findings", 1, "detector"), "unheard", "findings[1].detector: 'unheard' has no verdict"),
    (("findings", 1, "evidence", "level"), float("nan"), "findings[1].evidence.level"),
    (("findings", 1, "evidence", "levels"), [[1.0, float("inf")]], "levels[0][1]"),
    (("verdicts", "freeze", "verdict"), "maybe", "verdicts.freeze.verdict"),
    (("verdicts", "freeze", "peak_score", "freeze"), "1", "verdicts.freeze.peak_score.freeze"),
    (("curves", "freeze", "freeze", "step_s"), 0, "curves.freeze.freeze.step_s"),
    (("curves", "freeze", "freeze", "min"), [0.0], "min and max differ"),
    (("curves", "freeze", "freeze", "max"), [0.0] * 2001, "curves.freeze.freeze.max"),
    (("detectors", "freeze", "version"), 1, "detectors.freeze.version"),
    (("timing", "wall_s"), "soon", "timing.wall_s"),
    (("measurements",), [{"detector": "freeze"}], "measurements[0]"),
]


@pytest.mark.parametrize(("path", "value", "words"), BROKEN, ids=lambda v: str(v)[:40])
def test_a_broken_report_is_refused_with_the_place(
    path: tuple[str | int, ...], value: Any, words: str
) -> None:
    body = full_body()
    set_at(body, path, value)
    with pytest.raises(MalformedRequestError) as caught:
        validate(body)
    assert words in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("key", sorted(load_schema()["required"]))
def test_every_required_part_is_missed(key: str) -> None:
    body = full_body()
    del body[key]
    with pytest.raises(MalformedRequestError, match=key):
        validate(body)


def test_one_end_without_the_other_is_refused() -> None:
    body = full_body()
    del body["findings"][0]["end_timecode"]
    with pytest.raises(MalformedRequestError, match="end_timecode"):
        validate(body)


@pytest.mark.parametrize("junk", [None, [], "x", 3, {}])
def test_junk_is_refused(junk: Any) -> None:
    with pytest.raises(MalformedRequestError):
        validate(junk)
