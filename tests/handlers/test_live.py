"""One real TorchServe with all detectors: README lines, hostile input, a worker that dies."""

from __future__ import annotations

import http.client
import http.server
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import numpy as np
import pytest
import yaml
from answers import LEFT_OUT, unlike
from moto.server import ThreadedMotoServer

from defectscope.analysis import analyze
from defectscope.container.torchserve import TorchServe
from defectscope.deploy.archives import build_archives
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import write_clip
from defectscope.report.schema import validate
from defectscope.serving.sample import sample_avi

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("live-serving"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    p.parent for p in (ROOT / "handlers").glob("*/handler.py") if p.parent.name != "spatial_audio"
)
MAX_BODY_BYTES = 25_000_000
SPINE = ["audio_dropout", "black_frames", "freeze"]
OPTIONS = "X-Amzn-SageMaker-Custom-Attributes"


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str | None
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


class Live:
    """A running server and the S3 that it reads."""

    def __init__(self, server: TorchServe, s3: Any, metrics: Path) -> None:
        self.server = server
        self.s3 = s3
        self.metrics = metrics

    def post(
        self, body: bytes, content_type: str | None, timeout_s: float = 120.0, **headers: str
    ) -> Answer:
        connection = self.server.connect(timeout_s)
        if content_type is not None:
            headers["Content-Type"] = content_type
        try:
            connection.request("POST", "/invocations", body=body, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("Content-Type"), answer.read())
        finally:
            connection.close()

    def record(self, **fields: Any) -> Answer:
        return self.post(json.dumps(fields).encode(), "application/json")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    (archive,) = build_archives(folder, ["all_detectors"])
    # One line for every range read would bury what a failing test has to say.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    _, port = moto.get_host_and_port()
    credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    environment = {
        **credentials,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DEFECTSCOPE_ALLOWED_BUCKETS": "films",
        "DEFECTSCOPE_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "DEFECTSCOPE_METRICS": str(folder / "metrics.jsonl"),
    }
    s3 = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    s3.create_bucket(Bucket="films")
    s3.create_bucket(Bucket="private")
    s3.put_object(Bucket="films", Key="sample.avi", Body=sample_avi())
    s3.put_object(Bucket="private", Key="sample.avi", Body=sample_avi())
    try:
        with TorchServe(
            folder / archive.mar,
            environment=environment,
            port=free_port(),
            log_path=folder / "torchserve.log",
        ) as server:
            server.wait_ready(240)
            # One has loaded alone; the other comes when it is asked for.
            assert len(server.workers()) == 1
            server.scale()
            server.wait_ready(240, workers=2)
            yield Live(server, s3, folder / "metrics.jsonl")
    finally:
        s3.close()
        moto.stop()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text("utf-8"))


def block(folder: Path, name: str) -> str:
    text = (folder / "README.md").read_text("utf-8")
    (found,) = re.findall(rf"```{name}\n(.*?)```", text, re.DOTALL)
    return found


def shell(line: str, live: Live, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-euc", line],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "ENDPOINT": live.server.inference_address},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_the_curl_line_of_a_readme_gives_the_answer_that_it_shows(
    live: Any, folder: Any, tmp_path: Any
):
    (tmp_path / "sample.avi").write_bytes(sample_avi())
    answer = json.loads(shell(block(folder, "sh"), live, tmp_path))
    validate(answer)
    shown = json.loads(block(folder, "json response"))
    assert unlike(shown, {key: answer[key] for key in answer.keys() - LEFT_OUT}) == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_readme_line_with_several_records_answers_each(live: Any, tmp_path: Any):
    output = shell(block(ROOT / "handlers" / "all_detectors", "sh lines"), live, tmp_path)
    answers = [json.loads(line) for line in output.splitlines()]
    assert [a["id"] for a in answers] == ["a", "b"]
    assert all("error" in a for a in answers)


def test_an_object_gives_the_report_of_the_same_process(live: Any):
    answer = live.record(uri="s3://films/sample.avi", detectors=SPINE, id="x")
    report = answer.json
    assert report.pop("id") == "x"
    validate(report)
    here = json.loads(analyze(sample_avi(), detectors=SPINE).to_json())
    for part in ("findings", "verdicts", "curves", "detectors"):
        assert report[part] == here[part]


def test_segments_measured_by_the_endpoint_merge_there(live: Any):
    parts = [
        live.record(uri="s3://films/sample.avi", detectors=SPINE, measurements=True, **span).json
        for span in ({"end_s": 2.2}, {"start_s": 2.2})
    ]
    merged = live.record(merge=parts)
    assert merged.status == 200
    whole = live.record(uri="s3://films/sample.avi", detectors=SPINE).json
    assert merged.json["findings"] == whole["findings"]


def test_records_are_answered_in_order_each_by_itself(live: Any):
    lines = [
        {"uri": "s3://films/sample.avi", "detectors": ["freeze"], "id": "good"},
        {"uri": "s3://films/missing.avi", "id": "missing"},
        {"uri": "s3://private/sample.avi", "id": "private"},
        {"uri": "s3://films/sample.avi", "detectors": ["freeze"], "id": "good again"},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    answer = live.post(body, "application/jsonlines")
    assert (answer.status, answer.content_type) == (200, "application/jsonlines")
    answers = [json.loads(line) for line in answer.body.splitlines()]
    assert [a["id"] for a in answers] == [line["id"] for line in lines]
    assert [a.get("error", {}).get("code") for a in answers] == [
        None,
        "media_not_found",
        "media_refused",
        None,
    ]


class Canary(http.server.BaseHTTPRequestHandler):
    """Notes whoever comes."""

    visits: list[str] = []  # noqa: RUF012 - cleared by its fixture

    def do_GET(self) -> None:
        self.visits.append(self.path)
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def canary() -> Iterator[int]:
    Canary.visits.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{url}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<BaseURL>{url}</BaseURL></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("way", ["upload", "object"])
def test_a_playlist_leads_nowhere(live: Any, canary: Any, kind: Any, scheme: Any, way: Any):
    url = f"http://127.0.0.1:{canary}/x.ts" if scheme == "http" else "file:///etc/passwd"
    body = PLAYLISTS[kind].format(url=url).encode()
    if way == "upload":
        answer = live.post(body, "video/mp4")
    else:
        live.s3.put_object(Bucket="films", Key="list.m3u8", Body=body)
        answer = live.record(uri="s3://films/list.m3u8")
    assert (answer.status, answer.code) == (422, "unreadable_media")
    assert b"root:" not in answer.body
    assert Canary.visits == []


def clip(width: int, height: int, folder: Path, frames: int = 3) -> bytes:
    def clip_frames() -> Iterator[Frame]:
        for pts in range(frames):
            luma = np.full((height, width), 60 + 40 * (pts % 2), np.uint8)
            chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
            sides = (chroma.shape[1], chroma.shape[0])
            planes = (Plane(luma, width, height), Plane(chroma, *sides), Plane(chroma, *sides))
            yield Frame(pts, 1, planes, 8)

    path = folder / "clip.mkv"
    encoding = VideoEncoding(width, height, Fraction(25), codec="ffv1", crf=None)
    write_clip(path, frames=clip_frames(), video=encoding)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "video/mp4", 400, "malformed_request"),
        (b"This is a text file.\n" * 50, "video/mp4", 422, "unreadable_media"),
        (sample_avi()[:300], "video/mp4", 422, "unreadable_media"),
        (b"RIFF$\0\0\0WAVEfmt ", "audio/wav", 422, "unreadable_media"),
        (b"hello", "text/plain", 415, "unsupported_content_type"),
        (b"hello", None, 415, "unsupported_content_type"),
        (b'{"uri": ', "application/json", 400, "malformed_request"),
        (b"[" * 50_000, "application/json", 400, "malformed_request"),
        (b'{"uri": "s3://films/nope"}', "application/json", 404, "media_not_found"),
        (b'{"uri": "s3://films/../private/x"}', "application/json", 400, "media_refused"),
        (b'{"uri": "s3://private/sample.avi"}', "application/json", 400, "media_refused"),
        (b'{"uri": "http://169.254.169.254/x"}', "application/json", 400, "media_refused"),
        (b'{"uri": "https://127.0.0.1/x"}', "application/json", 400, "media_refused"),
        (b'{"uri": "file:///etc/passwd"}', "application/json", 400, "media_refused"),
        (b'{"uri": "s3://films/sample.avi", "detectors": ["x"]}', "application/json", 400,
         "unknown_detector"),
        (b'{"uri": "s3://films/sample.avi", "parameters": {"freeze": {"x": 1}}}',
         "application/json", 400, "invalid_parameter"),
        (b'{"merge": [{}]}', "application/json", 400, "malformed_request"),
    ],
    ids=lambda value: value[:24].decode("ascii", "replace") if isinstance(value, bytes) else None,
)  # fmt: skip
def test_bad_requests_get_one_line_and_the_documented_status(
    live: Any, document: Any, body: Any, kind: Any, status: Any, code: Any
):
    answer = live.post(body, kind)
    assert (answer.status, answer.code) == (status, code)
    assert answer.content_type == "application/json"
    schema = {"$ref": "#/components/schemas/Error", "components": document["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    assert not [error.json_path for error in validator.iter_errors(answer.json)]
    # The document does say something: an answer without its error is none.
    assert [error.validator for error in validator.iter_errors({})] == ["required"]
    message = answer.json["error"]["message"]
    assert "Traceback" not in message
    assert len(message) < 600
    for secret in ("/tmp", "site-packages", "testing"):
        assert secret not in message


def test_a_body_of_100_mb_is_refused_with_a_reason(live: Any):
    answer = live.post(bytes(100_000_000), "video/mp4")
    assert (answer.status, answer.code) == (413, "body_too_large")


def test_a_frame_of_one_pixel_is_analyzed_and_a_huge_one_refused_or_analyzed(
    live: Any, tmp_path: Any
):
    headers = {OPTIONS: json.dumps({"detectors": ["black_frames", "freeze"]})}
    small = live.post(clip(1, 1, tmp_path), "video/x-matroska", **headers)
    assert small.status == 200
    assert set(small.json["verdicts"]) == {"black_frames", "freeze"}
    # 32 Mpx is the limit itself.
    large = live.post(clip(8000, 4000, tmp_path, 2), "video/x-matroska", **headers)
    assert large.status == 200
    over = live.post(clip(8016, 4000, tmp_path, 1), "video/x-matroska", **headers)
    assert over.status == 413


def test_sound_alone_makes_a_frame_detector_not_applicable(live: Any):
    silence = (
        b"RIFF" + (36 + 96_000).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    )
    silence += b"\1\0\1\0\x80\xbb\0\0\0\x77\1\0\2\0\x10\0data" + (96_000).to_bytes(4, "little")
    answer = live.post(
        silence + bytes(96_000), "audio/wav", **{OPTIONS: '{"detectors": ["freeze"]}'}
    )
    assert answer.status == 200
    assert answer.json["verdicts"]["freeze"]["verdict"] == "not_applicable"


def test_the_answers_are_those_of_the_openapi_document(live: Any, document: Any):
    answer = live.record(uri="s3://films/sample.avi", detectors=SPINE, measurements=True, id=5)
    schema = {"$ref": "#/components/schemas/Report", "components": document["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    assert answer.status == 200
    assert not [error.json_path for error in validator.iter_errors(answer.json)]
    # The document does say something: an answer without its verdicts is none.
    without = {key: value for key, value in answer.json.items() if key != "verdicts"}
    assert [error.validator for error in validator.iter_errors(without)] == ["required"]


def test_a_half_open_connection_holds_nobody_up(live: Any):
    connection = live.server.connect(30)
    connection.putrequest("POST", "/invocations")
    connection.putheader("Content-Type", "video/mp4")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    connection.send(b"never more than this")
    try:
        assert live.record(uri="s3://films/sample.avi", detectors=["freeze"]).status == 200
    finally:
        connection.close()


def busy_worker(live: Live, patience_s: float = 20.0) -> int:
    """The worker that burns processor time now."""

    def ticks(pid: int) -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    pids = [worker["pid"] for worker in live.server.workers()]
    before = {pid: ticks(pid) for pid in pids}
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        time.sleep(0.1)
        used = {pid: ticks(pid) - before[pid] for pid in pids}
        if max(used.values()) >= 30:
            return max(used, key=lambda pid: used[pid])
    raise AssertionError("no worker is busy")


def test_a_worker_killed_in_mid_request_takes_nobody_else_along(live: Any):
    short = {"uri": "s3://films/sample.avi", "detectors": ["freeze"]}
    endless = b"\n".join([json.dumps({**short, "detectors": SPINE}).encode()] * 400)
    with ThreadPoolExecutor(8) as pool:
        doomed = pool.submit(live.post, endless, "application/jsonlines")
        victim = busy_worker(live)
        others = [pool.submit(live.record, **short) for _ in range(6)]
        os.kill(victim, signal.SIGKILL)
        later = [pool.submit(live.record, **short) for _ in range(4)]
        assert [future.result().status for future in others + later] == [200] * 10
        # TorchServe's own answer; a handler can say nothing any more.
        assert doomed.result().status in (500, 507)
        assert b"Worker died" in doomed.result().body
    # The worker comes back.
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        workers = live.server.workers()
        if victim not in {w["pid"] for w in workers} and all(
            w["status"] == "READY" for w in workers
        ):
            break
        time.sleep(0.2)
    else:
        raise AssertionError("the worker did not come back")
    assert [live.record(**short).status for _ in range(4)] == [200] * 4


def test_metrics_of_both_workers_are_whole_lines(live: Any):
    live.record(uri="s3://films/sample.avi", detectors=["freeze"])
    records = [json.loads(line) for line in live.metrics.read_text().splitlines()]
    assert any(r.get("Defect") == "freeze" and r["Findings"] == 1 for r in records)
    assert all(r["Model"] == "all_detectors" for r in records)


def test_connections_that_break_leave_the_server_answering(live: Any):
    connection: http.client.HTTPConnection = live.server.connect(10)
    connection.request("POST", "/invocations", body=sample_avi(), headers={})
    connection.close()
    assert live.record(uri="s3://films/sample.avi", detectors=["freeze"]).status == 200
