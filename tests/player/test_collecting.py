"""What players send is checked, bounded, grouped and joined."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from defectscope.errors import MalformedRequestError
from defectscope.findings import Finding, Report
from defectscope.player import MAX_BYTES, Collector, group, join, parse
from defectscope.player.__main__ import main
from defectscope.player.server import serve

SESSION = "0123456789abcdef" * 2


def finding(**changes: Any) -> dict[str, Any]:
    return {
        "detector": "freeze",
        "defect": "freeze",
        "start_s": 2.6,
        "end_s": 4.0,
        "confidence": 0.9,
        "severity": "major",
        "evidence": {"duration_s": 1.4, "frozen_frames": 35},
    } | changes


def payload(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "defectscope/player/1",
        "number": 1,
        "session": SESSION,
        "cmcd": f'sid="{SESSION}",v=2',
        "content": "title-1",
        "app": "4.2.0",
        "device": "tv",
        "bucket": 17,
        "variant": "wasm",
        "version": "7",
        "reason": "bucket",
        "source": "webcodecs",
        "asset": {"duration_s": 60.0, "width": 1920, "height": 1080},
        "frames": {"measured": 100, "skipped": 0, "missed": 1, "dropped": 2},
        "stride": 1,
        "cost": {"main_ms": {"p50": 0.1, "p95": 0.3, "n": 100}},
        "memory_bytes": 5_400_000,
        "events": {"rebuffering": {"count": 1, "total_ms": 800}},
        "findings": [finding()],
    } | changes


def body(**changes: Any) -> bytes:
    return json.dumps(payload(**changes)).encode()


def test_a_payload_becomes_findings_as_in_a_report() -> None:
    batch = parse(body())
    assert batch.refused == ()
    assert batch.findings == (
        Finding(
            "freeze", "freeze", 2.6, 4.0, 0.9, "major", {"duration_s": 1.4, "frozen_frames": 35}
        ),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "other"},
        {"session": "me@example.com"},
        {"session": SESSION.upper()},
        {"content": "https://cdn.example/film.mpd?token=1"},
        {"app": "x" * 81},
        {"variant": "native"},
        {"number": True},
        {"number": float("nan")},
        {"findings": {}},
        {"asset": {"width": "1920"}},
        {"cost": {"main_ms": {f"p{i}": 1 for i in range(9)}}},
        {"events": None},
        {"memory_bytes": 1e12},
    ],
)
def test_a_payload_that_no_player_sends_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequestError):
        parse(body(**changes))


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 60_000, b"{}" + b" " * MAX_BYTES])
def test_what_is_no_payload_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse(data)


@pytest.mark.parametrize(
    "bad",
    [
        finding(detector="loudness", defect="loudness"),
        finding(defect="stutter"),
        finding(end_s=2.6),
        finding(start_s=-1),
        finding(severity="fatal"),
        finding(evidence={"note": "call me on 555"}),
        finding(evidence={"A": 1}),
        finding(evidence={f"k{i}": i for i in range(17)}),
        "freeze",
        None,
    ],
)
def test_a_bad_finding_is_left_out_alone(bad: Any) -> None:
    batch = parse(body(findings=[finding(), bad, finding(start_s=3.0)]))
    assert [f.start_s for f in batch.findings] == [2.6, 3.0]
    assert len(batch.refused) == 1


def test_the_collector_bounds_rates_findings_and_origins() -> None:
    kept: list[str] = []
    now = [0.0]
    collector = Collector(
        kept.append, origins={"https://tv.example"}, most_per_minute=2, most_findings=3,
        clock=lambda: now[0],
    )  # fmt: skip
    assert collector.take(body(), "https://else.example").status == 403
    assert collector.take(body(), None).status == 403
    assert collector.take(b"x" * (MAX_BYTES + 1), "https://tv.example").status == 413
    assert collector.take(b"{}", "https://tv.example").status == 400
    assert collector.take(body(findings=[finding()] * 2), "https://tv.example").status == 204
    outcome = collector.take(body(findings=[finding()] * 2), "https://tv.example")
    assert outcome.status == 202
    assert collector.take(body(), "https://tv.example").status == 429
    now[0] = 61.0
    assert collector.take(body(findings=[]), "https://tv.example").status == 204
    assert [len(json.loads(line)["findings"]) for line in kept] == [2, 1, 0]


def test_groups_count_sessions_once_and_join_what_the_master_has() -> None:
    lines: list[str] = []
    collector = Collector(lines.append)
    for number, session in enumerate("abc"):
        late = finding(start_s=2.6 + number / 10)
        assert collector.take(body(session=session * 32, findings=[late])).status == 204
    black = finding(detector="black_frames", defect="black_frames", start_s=20.0, end_s=21.0)
    collector.take(body(session="a" * 32, number=2, findings=[black], frames={"measured": 300}))
    collector.take(body(session="d" * 32, device="desktop", findings=[]))
    groups = group([*lines, lines[0]])  # the first was delivered twice
    assert [(g.device, len(g.sessions)) for g in groups] == [("desktop", 1), ("tv", 3)]
    assert groups[1].measured_frames == 500
    seen = groups[1].seen()
    assert [(s.detector, s.sessions, round(s.end_s, 3)) for s in seen] == [
        ("freeze", 3, 4.0),
        ("black_frames", 1, 21.0),
    ]
    master = Report(
        asset={"uri": "title-1"},
        findings=(
            Finding("freeze", "freeze", 2.6, 4.0, 0.9, "major", {}),
            Finding("freeze", "freeze", 50.0, 51.0, 0.9, "major", {}),
            Finding("loudness", "loudness", 0.0, 60.0, 0.9, "major", {}),
        ),
        verdicts={}, curves={}, detectors={}, timing={},
    )  # fmt: skip
    marked, alone = join(seen, master)
    assert [(s.detector, s.in_master) for s in marked] == [
        ("freeze", True),
        ("black_frames", False),
    ]
    assert [each["start_s"] for each in alone] == [50.0]


def test_the_server_takes_beacons_and_the_command_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "seen" / "lines.jsonl"
    server = serve(file, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        statuses: list[int] = []
        for data, path in ((body(), "/player"), (b"no", "/player"), (body(), "/other")):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
            connection.request("POST", path, data, {"Content-Type": "text/plain"})
            statuses.append(connection.getresponse().status)
            connection.close()
    finally:
        server.shutdown()
        server.server_close()
    assert statuses == [204, 400, 404]
    assert main(["seen", str(file)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown[0]["content"] == "title-1"
    assert shown[0]["seen_by_viewers"][0]["detector"] == "freeze"


def test_the_lambda_example_stores_what_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto", reason="moto is not installed")
    import importlib.util

    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PLAYER_BUCKET": "seen",
        "PLAYER_ORIGINS": "https://tv.example",
    }.items():
        monkeypatch.setenv(name, value)
    file = Path(__file__).parents[2] / "examples" / "lambda" / "player_collector.py"
    spec = importlib.util.spec_from_file_location("player_collector", file)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with moto.mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="seen")
        headers = {"Origin": "https://tv.example"}
        answers = [
            example.handler({"headers": headers, "body": body().decode()}, None),
            example.handler({"headers": headers, "body": "no"}, None),
            example.handler({"headers": {}, "body": body().decode()}, None),
        ]
        assert [each["statusCode"] for each in answers] == [204, 400, 403]
        stored = client.list_objects_v2(Bucket="seen")["Contents"]
    assert len(stored) == 1
    assert SESSION in stored[0]["Key"]
