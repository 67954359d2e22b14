from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from defectscope.monitor.board import Board
from defectscope.monitor.config import read_config
from defectscope.monitor.otel_metrics import SERVICE, OtelMetrics
from defectscope.monitor.store import Store

CONFIG = '[[channel]]\nname = "news"\nurl = "udp://s3cr3t@127.0.0.1:5000"\n'


@pytest.fixture
def board() -> Board:
    made, store = Board(), Store(":memory:")
    made.configured(read_config(CONFIG), store)
    store.close()
    state = {"channel": "news", "state": "alarm", "level": "reference_frames", "lag_s": 0.25}
    state |= {"frames": 10, "bytes": 1000, "packets": 990, "missing_packets": 7}
    state |= {"errors": {"1.4": 3}, "alarms": ["freeze"], "loudness": {}}
    made.states(0, [state], {"cpu_s": 1.5, "rss_bytes": 1e6})
    return made


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes]]]:
    bodies: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            bodies.append((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    yield bodies
    server.shutdown()
    thread.join()
    server.server_close()


def points(body: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    request = ExportMetricsServiceRequest.FromString(body)
    found: dict[Any, float] = {}
    for resource in request.resource_metrics:
        named = {a.key: a.value.string_value for a in resource.resource.attributes}
        assert named["service.name"] == SERVICE
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind: Any = getattr(metric, metric.WhichOneof("data"))
                for point in kind.data_points:
                    labels = tuple(sorted((a.key, a.value.string_value) for a in point.attributes))
                    value = point.as_double if point.HasField("as_double") else point.as_int
                    found[metric.name, labels] = value
    return found


def test_a_collector_gets_what_prometheus_reads(
    board: Board, collector: list[tuple[str, bytes]]
) -> None:
    output = OtelMetrics(board)
    output.start()
    output.wake()
    output.stop()
    path, body = collector[-1]
    assert path == "/v1/metrics"
    assert b"s3cr3t" not in body
    found = points(body)
    channel = (("channel", "news"),)
    assert found["defectscope_channel_lag_seconds", channel] == 0.25
    assert found["defectscope_channel_missing_packets", channel] == 7
    assert found["defectscope_channel_overload_level", channel] == 2
    assert found["defectscope_channel_alarm", (*channel, ("defect", "freeze"))] == 1
    assert found["defectscope_channel_state", (*channel, ("state", "alarm"))] == 1
    assert found["defectscope_channel_state", (*channel, ("state", "ok"))] == 0
    output.stop()


def test_a_collector_that_is_gone_holds_nothing_up(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    output = OtelMetrics(board)
    output.start()
    began_s = time.monotonic()
    output.stop()
    # A collector that is awaited by default is tried again for a minute.
    assert time.monotonic() - began_s < 30


def test_the_board_is_read_once_for_an_export(
    board: Board, collector: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, read = board.snapshot, list[float]()

    def counted() -> Any:
        read.append(time.monotonic())
        return snapshot()

    output = OtelMetrics(board)
    output.start()
    monkeypatch.setattr(board, "snapshot", counted)
    assert output._provider.force_flush()
    assert len(read) == 1
    first = points(collector[-1][1])
    state = {"channel": "news", "state": "ok", "alarms": [], "loudness": {}, "errors": {}}
    board.states(0, [state | {"lag_s": 0.75, "level": "all"}], {"cpu_s": 2.5, "rss_bytes": 1e6})
    assert output._provider.force_flush()
    assert len(read) == 2
    second = points(collector[-1][1])
    output.stop()
    lag = ("defectscope_channel_lag_seconds", (("channel", "news"),))
    assert (first[lag], second[lag]) == (0.25, 0.75)
    assert len(first) > 20
