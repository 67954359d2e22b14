"""The code of docs/client.md and docs/deploy.md runs as it stands."""

from __future__ import annotations

import http.server
import json
import re
import threading
from pathlib import Path

import pytest

from defectscope.findings import Report

DOCS = Path(__file__).parents[2] / "docs"
REPORT = {
    "schema": "defectscope/report/1",
    "asset": {"uri": "x", "duration_s": 1.0},
    "findings": [
        {
            "detector": "freeze",
            "defect": "freeze",
            "start_s": 0.0,
            "end_s": 1.0,
            "confidence": 0.9,
            "severity": "major",
            "start_timecode": "00:00:00:00",
        }
    ],
    "verdicts": {},
    "curves": {},
    "detectors": {"freeze": {}},
    "timing": {},
    "measurements": [],
}


class Cloud(http.server.BaseHTTPRequestHandler):
    """An endpoint that always gives the same report, at once or in S3."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/async-invocations"):
            self._answer({"InferenceId": "i"}, {"X-Amzn-SageMaker-OutputLocation": "s3://o/i.out"})
        else:
            self._answer(REPORT, {})

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(None, {})

    def do_GET(self) -> None:
        self._answer(REPORT, {})

    def _answer(self, body: dict | None, headers: dict) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args) -> None:
        """Keeps quiet."""


@pytest.fixture
def cloud(monkeypatch, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"media")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def _code(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)


@pytest.mark.parametrize("page", ["client.md", "deploy.md"])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_pages_run(page, cloud, capsys) -> None:
    blocks = _code(page)
    assert blocks
    names: dict = {"report": Report.from_dict(REPORT)}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
        if "client" in names and "Client(" in block:
            names["client"].close()
    shown = capsys.readouterr().out
    assert ("00:00:00:00 freeze major" in shown) if page == "client.md" else "Statement" in shown
