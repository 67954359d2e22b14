from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from defectscope.errors import ArtifactError, MediaNotFoundError, OverloadedError
from defectscope.findings import Finding, Report
from defectscope.serving.assets import open_asset, uploaded
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report
from defectscope.serving.handover import FOLDER_VARIABLE
from defectscope.serving.settings import ServingSettings
from defectscope.serving.smoke import BareContext

REPORT = Report(
    asset={"uri": "upload", "duration_s": 1.0},
    findings=(Finding("freeze", "freeze", 0.0, 1.0, 0.9, "major"),) * 2,
    verdicts={"freeze": {"verdict": "fail", "peak_score": {}}},
    curves={},
    detectors={},
    timing={"wall_s": 0.5, "realtime_factor": 2.0},
)


class FakeAsset:
    """An open asset that is only its bytes."""

    def __init__(self, media: bytes | None) -> None:
        self.media = media

    def close(self) -> None:
        """Closes nothing."""


class FakeHandler(DetectorHandler):
    """Answers with a fixed report, or with what the upload asks for."""

    serves = ("freeze",)
    eager = False

    def preprocess(self, request: AnalysisRequest) -> FakeAsset:
        if request.media is None:
            return open_asset(request, self.settings, self.serves)
        return FakeAsset(request.media)

    def inference(self, asset: FakeAsset) -> Report:
        failures: dict[Any, Exception] = {
            b"bug": ZeroDivisionError("/secret/path"),
            b"memory": MemoryError(),
            b"artifact": ArtifactError("/secret/path: hash abc"),
            b"missing": MediaNotFoundError("upload: no such object"),
        }
        if asset.media in failures:
            raise failures[asset.media]
        return REPORT

    def postprocess(self, report: Report, request: AnalysisRequest) -> dict[str, Any]:
        return encode_report(report, request.id)


class Batch:
    """TorchServe's context for several items."""

    model_name = "fake"

    def __init__(self, headers: list[dict[str, Any]]) -> None:
        self.headers = headers
        self.statuses: dict[int, int] = {}
        self.types: dict[int, str] = {}

    def get_request_id(self, idx: int = 0) -> str:
        return f"r-{idx}"

    def get_all_request_header(self, idx: int) -> dict[str, Any]:
        return self.headers[idx]

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        assert phrase
        self.statuses[idx] = code

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.types[idx] = value


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch, tmp_path) -> FakeHandler:
    monkeypatch.setenv("DEFECTSCOPE_METRICS", str(tmp_path / "metrics"))
    made = FakeHandler()
    made.initialize(BareContext("fake", {}))
    return made


def metrics(tmp_path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "metrics").read_text().splitlines()]


@pytest.mark.logs_errors
def test_a_bad_item_never_fails_its_neighbours(handler):
    video = {"CONTENT-TYPE": "video/mp4", "body": {"content-type": "x"}}
    context = Batch([video, video, {"Content-Type": "application/json"}, {}, video])
    bodies = [bytearray(b"fine"), bytearray(b"bug"), b"{", b"x", b"fine"]
    answers = [json.loads(a) for a in handler.handle([{"body": b} for b in bodies], context)]
    assert context.statuses == {0: 200, 1: 500, 2: 400, 3: 415, 4: 200}
    assert set(context.types.values()) == {"application/json"}
    assert "findings" in answers[0]
    assert answers[0] == answers[4]
    assert [a["error"]["request_id"] for a in answers[1:4]] == ["r-1", "r-2", "r-3"]


@pytest.mark.logs_errors
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"bug", 500, "internal_error"),
        (b"artifact", 500, "bad_artifact"),
        (b"memory", 503, "overloaded"),
        (b"missing", 404, "media_not_found"),
    ],
)
def test_every_exception_has_an_answer_that_leaks_nothing(handler, caplog, body, status, code):
    response = handler.respond(body, {"content-type": "video/mp4"}, "r-1")
    error = json.loads(response.body)["error"]
    assert (response.status, error["code"]) == (status, code)
    assert "secret" not in response.body
    # Whoever runs the endpoint finds the reason under the same identifier.
    assert ("r-1" in caplog.text) == (status == 500)


def test_lines_are_answered_in_order_and_each_by_itself(handler):
    lines = [
        b'{"uri": "file:///etc/passwd", "id": "a"}',
        b"not json",
        b'{"id": "c", "uri": 5}',
        b'{"uri": "s3://bucket/key", "detectors": ["nonsense"]}',
    ]
    response = handler.respond(b"\n".join(lines), {"content-type": "application/jsonlines"}, "r")
    answers = [json.loads(line) for line in response.body.split("\n")]
    assert response.status == 200
    assert response.content_type == "application/jsonlines"
    assert [a["error"]["code"] for a in answers] == [
        "media_refused",
        "malformed_request",
        "malformed_request",
        "unknown_detector",
    ]
    assert [a.get("id") for a in answers] == ["a", None, "c", None]


def test_an_empty_body_of_lines_is_refused_as_a_whole(handler):
    response = handler.respond(b"\n", {"content-type": "application/jsonlines"}, "r")
    assert (response.status, response.content_type) == (400, "application/json")


def test_the_callers_id_comes_back(handler):
    headers = {
        "content-type": "video/mp4",
        "x-amzn-sagemaker-custom-attributes": '{"id": "mine"}',
    }
    assert json.loads(handler.respond(b"fine", headers, "r").body)["id"] == "mine"


def test_unknown_detectors_are_refused_before_anything_is_fetched(handler):
    for record in (
        {"uri": "s3://b-b/k", "detectors": ["loudness"]},
        {"uri": "s3://b-b/k", "parameters": {"loudness": {}}},
        {"merge": [{"detectors": {"loudness": {}}}]},
    ):
        response = handler.respond(
            json.dumps(record).encode(), {"content-type": "application/json"}, "r"
        )
        assert json.loads(response.body)["error"]["code"] == "unknown_detector"


def test_metrics_count_findings_by_defect_and_errors_by_code(handler, tmp_path):
    handler.respond(b"fine", {"content-type": "video/mp4"}, "r-1")
    handler.respond(b"x", {"content-type": "text/plain"}, "r-2")
    asset, findings, errors = metrics(tmp_path)
    assert asset["Assets"] == 1
    assert asset["ProgrammeSeconds"] == 1.0
    assert asset["RealTimeFactor"] > 0
    assert 10e6 < asset["ResidentMemory"] < 100e9
    assert (findings["Defect"], findings["Findings"]) == ("freeze", 2)
    assert (errors["Code"], errors["Errors"]) == ("unsupported_content_type", 1)


def test_metrics_have_the_embedded_metric_format(handler, tmp_path):
    handler.respond(b"fine", {"content-type": "video/mp4"}, "r-1")
    for record in metrics(tmp_path):
        (directive,) = record["_aws"]["CloudWatchMetrics"]
        assert isinstance(record["_aws"]["Timestamp"], int)
        assert directive["Namespace"] == "defectscope"
        # Every dimension is text at the root, every metric a number at the root.
        for dimension in directive["Dimensions"][0]:
            assert isinstance(record[dimension], str)
        for metric in directive["Metrics"]:
            assert isinstance(record[metric["Name"]], int | float)


def test_metrics_go_to_the_log_by_default(monkeypatch, capsys):
    monkeypatch.delenv("DEFECTSCOPE_METRICS", raising=False)
    made = FakeHandler()
    made.initialize(BareContext("fake", {}))
    made.respond(b"fine", {"content-type": "video/mp4"}, "r-1")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith('{"_aws"') for line in lines)


def test_a_worker_decides_as_many_assets_at_once_as_it_may(monkeypatch):
    monkeypatch.setenv("DEFECTSCOPE_STREAMS_PER_WORKER", "2")
    monkeypatch.setenv("DEFECTSCOPE_METRICS", "off")
    running, peak, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=10)

    class Slow(FakeHandler):
        def preprocess(self, request: AnalysisRequest) -> FakeAsset:
            return FakeAsset(b"fine")

        def inference(self, asset: FakeAsset) -> Report:
            nonlocal running, peak
            with lock:
                running += 1
                peak = max(peak, running)
            both.wait()
            with lock:
                running -= 1
            return REPORT

    made = Slow()
    made.initialize(BareContext("fake", {}))
    body = b"\n".join([b'{"uri": "s3://b-b/k"}'] * 6)
    response = made.respond(body, {"content-type": "application/jsonlines"}, "r")
    assert response.body.count("findings") == 6
    assert peak == 2


def test_a_worker_that_stays_busy_says_so(monkeypatch):
    monkeypatch.setattr("defectscope.serving.base._PATIENCE_S", 0.01)
    made = FakeHandler()
    made.settings = ServingSettings()
    assert made._streams.acquire()
    response = made.respond(b"fine", {"content-type": "video/mp4"}, "r")
    assert (response.status, json.loads(response.body)["error"]["code"]) == (503, "overloaded")


def test_a_setting_that_makes_no_sense_stops_the_worker(monkeypatch):
    monkeypatch.setenv("DEFECTSCOPE_MAX_PIXELS", "lots")
    with pytest.raises(Exception, match="DEFECTSCOPE_MAX_PIXELS"):
        FakeHandler().initialize(BareContext("fake", {}))


def test_a_trial_is_counted_nowhere(handler, tmp_path):
    trial = {"X-Defectscope-Health": "1", "Content-Type": "video/mp4"}
    batch = Batch([trial, trial])
    handler.handle([{"body": b"x"}, {"body": b"missing"}], batch)
    assert batch.statuses == {0: 200, 1: 404}
    assert not (tmp_path / "metrics").exists()
    handler.handle([{"body": b"x"}], Batch([{"Content-Type": "video/mp4"}]))
    assert metrics(tmp_path)


@pytest.mark.parametrize("place", ["/proc/1/fd/none", "no/such/folder/metrics"])
def test_metrics_that_cannot_be_written_fail_no_request(monkeypatch, capsys, place):
    monkeypatch.setenv("DEFECTSCOPE_METRICS", place)
    made = FakeHandler()
    made.initialize(Batch([]))
    batch = Batch([{"Content-Type": "video/mp4"}])
    made.handle([{"body": b"x"}], batch)
    assert batch.statuses == {0: 200}
    assert "RealTimeFactor" in capsys.readouterr().out


def test_a_body_in_a_file_is_answered_like_one_in_the_request(handler, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    name = "0123456789abcdef" * 2
    (tmp_path / name).write_bytes(b'{"uri": "s3://b/k"}\n{"uri": 5}')
    given = {"X-Defectscope-Body": name, "Content-Type": "application/octet-stream"}
    batch = Batch(
        [
            {**given, "X-Defectscope-Content-Type": "video/mp4"},
            {**given, "X-Defectscope-Content-Type": "application/x-www-form-urlencoded"},
            {**given, "X-Defectscope-Content-Type": "application/jsonlines"},
            {**given, "X-Defectscope-Body": "../" + name},
        ]
    )
    answers = handler.handle([{"body": b"\n"}] * 4, batch)
    assert batch.statuses == {0: 200, 1: 415, 2: 200, 3: 400}
    assert json.loads(answers[1])["error"]["code"] == "unsupported_content_type"
    assert len(answers[2].splitlines()) == 2
    monkeypatch.delenv(FOLDER_VARIABLE)
    handler.handle([{"body": b"\n"}], batch)
    assert batch.statuses[0] == 400


def test_a_body_whose_caller_gave_up_is_no_fault_of_the_worker(handler, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    headers = {"X-Defectscope-Body": "0" * 32, "X-Defectscope-Content-Type": "video/mp4"}
    batch = Batch([headers])
    answer = json.loads(handler.handle([{"body": b"\n"}], batch)[0])
    assert batch.statuses == {0: 503}
    assert answer["error"]["code"] == "overloaded"
    # It may also go between the question whether it is there and the moment it is opened.
    with pytest.raises(OverloadedError, match="had gone"):
        uploaded(tmp_path / "gone")
