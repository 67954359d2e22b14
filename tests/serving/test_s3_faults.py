"""An S3 that is slow, throttles, stalls or breaks off: the same report, or a typed error."""

from __future__ import annotations

import contextlib
import http.server
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from defectscope.analysis import decide
from defectscope.errors import DefectscopeError
from defectscope.media import s3
from defectscope.serving.assets import open_asset
from defectscope.serving.codec import AnalysisRequest
from defectscope.serving.sample import sample_avi
from defectscope.serving.settings import ServingSettings

SERVES = ("freeze", "black_frames")
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>"


class Object(http.server.BaseHTTPRequestHandler):
    """One object, served as the server's knobs say."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_HEAD(self) -> None:
        self._answer(b"", len(self.server.data))

    def do_GET(self) -> None:
        knobs = self.server
        with knobs.lock:
            knobs.asked += 1
            throttled = knobs.asked <= knobs.throttles
        if throttled:
            self.send_response(503)
            self.send_header("Content-Length", str(len(SLOW_DOWN)))
            self.end_headers()
            self.wfile.write(SLOW_DOWN)
            return
        time.sleep(knobs.wait_s)
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups()
        self._answer(knobs.data[int(first) : int(last) + 1])

    def _answer(self, body: bytes, length: int | None = None) -> None:
        self.send_response(206 if body else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if body and self.server.ends != "whole":
            self.wfile.write(body[: len(body) // 2])
            if self.server.ends == "stalls":
                self.server.released.wait(30)
            self.close_connection = True
            return
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Object)
    server.daemon_threads = True
    server.data, server.lock, server.released = sample_avi(), threading.Lock(), threading.Event()
    server.asked, server.throttles, server.wait_s, server.ends = 0, 0, 0.0, "whole"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(s3, "_READ_TIMEOUT_S", 1)
    s3.default_client.cache_clear()
    yield server
    s3.default_client.cache_clear()
    server.released.set()
    server.shutdown()
    server.server_close()


def verdicts(media: bytes | None = None, **limits: Any) -> dict[str, str]:
    request = AnalysisRequest(media=media, uri=None if media else "s3://films/a.avi")
    asset = open_asset(request, ServingSettings(**limits), SERVES)
    with contextlib.closing(asset):
        return {name: v["verdict"] for name, v in decide(asset.measure()).verdicts.items()}


@pytest.mark.parametrize(("wait_s", "throttles"), [(0.0, 0), (0.2, 0), (1.0, 0), (0.2, 2)])
def test_a_slow_and_throttling_store_gives_the_same_report(
    store: Any, wait_s: float, throttles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.wait_s, store.throttles = wait_s, throttles
    # What stalls is given up after a second here; this is slow.
    monkeypatch.setattr(s3, "_READ_TIMEOUT_S", 5)
    began_s = time.monotonic()
    assert verdicts() == verdicts(store.data)
    took_s = time.monotonic() - began_s
    assert store.asked > throttles
    sys.stdout.write(
        f"{wait_s:g} s a request, {throttles} throttled: {store.asked} requests for "
        f"{len(store.data) / 1e6:.2f} MB, {took_s:.2f} s\n"
    )


@pytest.mark.parametrize(
    ("ends", "throttles"), [("stalls", 0), ("breaks off", 0), ("whole", 1_000)]
)
def test_half_an_object_is_no_report(store: Any, ends: str, throttles: int) -> None:
    store.ends, store.throttles = ends, throttles
    began_s = time.monotonic()
    with pytest.raises(DefectscopeError) as caught:
        verdicts()
    assert (caught.value.http_status, caught.value.code) == (503, "media_unavailable")
    assert time.monotonic() - began_s < 60


def test_a_store_too_slow_for_the_time_limit_is_told_as_such(store: Any) -> None:
    store.wait_s = 0.5
    with pytest.raises(DefectscopeError) as caught:
        verdicts(time_limit_s=0.1)
    assert (caught.value.http_status, caught.value.code) == (422, "time_limit_exceeded")
