"""What stands at a container's port, in front of a server that does as it is told."""

from __future__ import annotations

import errno
import http.client
import http.server
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from defectscope.container.addresses import free_ports
from defectscope.container.connections import Connections
from defectscope.container.container import Container
from defectscope.container.server_log import SharedLog
from defectscope.errors import ServingError

REPORT = b'{"verdicts": {"freeze": {"verdict": "pass"}}}'


class Model(http.server.BaseHTTPRequestHandler):
    """Answers `wait...` when released, `fail...` with 500, `half...` with a part of a report."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append((dict(self.headers), len(body)))
        if (name := self.headers.get("X-Defectscope-Body")) is not None:
            body = (self.server.folder / name).read_bytes()
            self.server.files.append((self.headers["X-Defectscope-Content-Type"], body))
        if body.startswith(b"wait"):
            self.server.waiting.release()
            self.server.released.wait(20)
        sick = self.server.sick.is_set() or body.startswith(b"fail")
        answer = b"broken" if sick else REPORT
        self.send_response(500 if sick else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if body.startswith(b"half"):
            answer, self.close_connection = answer[:7], True
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Backend:
    """Stands in for a TorchServe, whose archive takes bodies as files where there is a folder."""

    def __init__(self, body_folder: Path | None = None) -> None:
        self.body_folder = body_folder
        self.max_body_bytes = 1 << 30
        self.http: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
        self.http.daemon_threads = True
        self.http.bodies = []
        self.http.files = []
        self.http.folder = body_folder
        self.http.waiting = threading.Semaphore(0)
        self.http.released = threading.Event()
        self.http.sick = threading.Event()
        self.connections = Connections(f"http://127.0.0.1:{self.http.server_port}")
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.http.server_port, timeout=timeout_s)

    def close(self) -> None:
        self.connections.close()
        self.http.released.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def backend():
    made = Backend()
    yield made
    made.close()


@pytest.fixture
def container(backend: Any):
    made = Container(
        backend, host="127.0.0.1", port=0, max_body_bytes=100_000, health_interval_s=0.2
    )
    yield made
    backend.http.released.set()
    made.stop(drain_s=5)


def call(
    container: Any,
    method: Any = "POST",
    path: Any = "/invocations",
    body: Any = b"x",
    **headers: Any,
):
    connection = http.client.HTTPConnection(container.url.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def eventually(condition: Any, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_invocation_and_its_answer_pass_unchanged(backend: Any, container: Any):
    body = bytes(range(256)) * 300
    headers = {"X-Amzn-SageMaker-Custom-Attributes": '{"start_s": 1}', "Content-Type": "video/mp4"}
    assert call(container, body=body, **headers) == (200, REPORT)
    (seen,) = [seen for seen, size in backend.http.bodies if size == len(body)]
    assert seen["X-Amzn-SageMaker-Custom-Attributes"] == '{"start_s": 1}'
    assert seen["Content-Type"] == "video/mp4"


def test_chunked_bodies_arrive_whole(backend: Any, container: Any):
    assert call(container, body=iter([b"a" * 1000, b"b" * 500])) == (200, REPORT)
    # The health check's sample may have come since.
    assert 1500 in [size for _, size in backend.http.bodies]


def test_who_asks_before_sending_a_body_is_told_to_send_it(container: Any):
    host, port = container.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        # curl waits a second for this with every body above 1 MB.
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"x")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_what_the_model_answers_stays_its_own(container: Any):
    assert call(container, body=b"fail") == (500, b"broken")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/models", 404),
        ("POST", "/predictions/freeze", 404),
        ("GET", "/invocations", 405),
        ("POST", "/ping", 404),
    ],
)
def test_there_is_nothing_else(container: Any, method: Any, path: Any, status: Any):
    assert call(container, method, path)[0] == status


def test_a_body_above_the_limit_is_refused_with_the_documented_code(backend: Any, container: Any):
    sent = len(backend.http.bodies)
    status, body = call(container, body=b"x" * 100_001)
    assert status == 413
    assert json.loads(body)["error"]["code"] == "body_too_large"
    assert len(backend.http.bodies) == sent


def test_what_the_server_can_take_is_a_limit_too(backend: Any):
    backend.max_body_bytes = 1_000
    made = Container(backend, host="127.0.0.1", port=0, health_interval_s=60)
    try:
        status, body = call(made, body=b"x" * 1_001)
        assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
        assert call(made, body=b"x" * 1_000)[0] == 200
    finally:
        made.stop(drain_s=5, grace_s=0.1)


def test_a_body_in_chunks_is_held_to_the_same_limit(backend: Any, container: Any):
    sent = len(backend.http.bodies)
    status, body = call(container, body=iter([b"x" * 60_000] * 2))
    assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    assert len(backend.http.bodies) == sent
    assert call(container, body=b"small") == (200, REPORT)


def test_ping_tells_what_predictions_tell(backend: Any, container: Any):
    assert call(container, "GET", "/ping") == (200, b'{"status": "Healthy"}')
    backend.http.sick.set()
    eventually(lambda: call(container, "GET", "/ping")[0] == 503)
    backend.http.sick.clear()
    eventually(lambda: call(container, "GET", "/ping")[0] == 200)


def test_one_failed_prediction_is_not_believed(backend: Any, container: Any):
    backend.http.sick.set()
    container.health.check()
    assert container.health.healthy
    container.health.check()
    assert not container.health.healthy


def test_a_busy_model_gets_no_sample_on_top(backend: Any, container: Any):
    asking = threading.Thread(target=call, args=(container,), kwargs={"body": b"wait"})
    asking.start()
    assert backend.http.waiting.acquire(timeout=10)
    # One that was on its way already may still come.
    time.sleep(1.0)
    seen = len(backend.http.bodies)
    time.sleep(1.0)
    assert len(backend.http.bodies) == seen
    assert call(container, "GET", "/ping")[0] == 200
    backend.http.released.set()
    asking.join(10)


def test_a_model_that_does_not_predict_is_not_served(backend: Any):
    backend.http.sick.set()
    with pytest.raises(ServingError, match="the sample was answered 500"):
        Container(backend, host="127.0.0.1", port=0)


def test_requests_in_flight_are_answered_before_the_end(backend: Any, container: Any):
    answers: list[tuple[int, bytes]] = []
    callers = [
        threading.Thread(target=lambda: answers.append(call(container, body=b"wait")))
        for _ in range(5)
    ]
    for caller in callers:
        caller.start()
    for _ in callers:
        assert backend.http.waiting.acquire(timeout=10)
    kept = http.client.HTTPConnection(container.url.removeprefix("http://"), timeout=20)
    kept.request("GET", "/ping")
    assert kept.getresponse().read() == b'{"status": "Healthy"}'
    threading.Timer(0.5, backend.http.released.set).start()
    assert container.stop(drain_s=10)
    for caller in callers:
        caller.join(10)
    assert answers == [(200, REPORT)] * 5
    # Who has a connection learns that this is the end; nobody gets a new one.
    kept.request("GET", "/ping")
    response = kept.getresponse()
    assert (response.status, response.read()) == (503, b'{"status": "Unhealthy"}')
    kept.request("POST", "/invocations", b"x")
    response = kept.getresponse()
    assert response.status == 503
    assert json.loads(response.read())["error"]["code"] == "overloaded"
    kept.close()
    with pytest.raises(OSError, match="refused"):
        call(container)


def test_what_takes_too_long_does_not_hold_up_the_end(backend: Any, container: Any):
    asking = threading.Thread(target=call, args=(container,), kwargs={"body": b"wait"})
    asking.start()
    assert backend.http.waiting.acquire(timeout=10)
    began = time.monotonic()
    assert not container.stop(drain_s=0.3)
    assert time.monotonic() - began < 20
    backend.http.released.set()
    asking.join(10)


def test_half_open_and_slow_connections_do_not_keep_others_waiting(container: Any):
    host, port = container.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(20)]
    for number, connection in enumerate(idle):
        head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\nabc"
        connection.sendall(head[: number * 5])
    began = time.monotonic()
    assert call(container) == (200, REPORT)
    assert call(container, "GET", "/ping")[0] == 200
    assert time.monotonic() - began < 20
    for connection in idle:
        connection.close()


def test_a_server_that_went_away_is_told_as_such(backend: Any, container: Any):
    backend.close()
    status, body = call(container)
    assert status == 502
    assert b"Traceback" not in body


@pytest.fixture
def handing(tmp_path: Any):
    backend: Any = Backend(tmp_path)
    made = Container(
        backend, host="127.0.0.1", port=0, max_body_bytes=3_000_000, health_interval_s=60
    )
    yield backend, made
    made.stop(drain_s=5, grace_s=0.1)
    backend.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_handed_over_as_a_file_that_goes_with_the_answer(
    handing: Any, tmp_path: Any, chunked: Any
):
    backend, container = handing
    body = bytes(range(256)) * 10_000
    sent = iter([body[:100], body[100:]]) if chunked else body
    assert call(container, body=sent, **{"Content-Type": "video/mp4"}) == (200, REPORT)
    assert backend.http.files[-1] == ("video/mp4", body)
    # Java gets a byte; what it must not read as a form has another name there.
    headers, size = backend.http.bodies[-1]
    assert size == 1
    assert headers["Content-Type"] == "application/octet-stream"
    eventually(lambda: list(tmp_path.iterdir()) == [])


@pytest.mark.parametrize("how", ["container", "handing"])
def test_half_an_answer_is_never_passed_on_as_a_whole_one(how: str, request: Any):
    fixture = request.getfixturevalue(how)
    # At once: a caller who has to wait until it gives up has not been told.
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        call(fixture if how == "container" else fixture[1], body=b"half")


def test_a_form_reaches_the_handler_as_what_it_is(handing: Any):
    backend, container = handing
    kind = "application/x-www-form-urlencoded"
    assert call(container, body=b"a=b", **{"Content-Type": kind})[0] == 200
    assert backend.http.files[-1] == (kind, b"a=b")


def test_callers_cannot_name_a_file_or_pass_for_the_health_check(handing: Any):
    backend, container = handing
    private = {"X-Defectscope-Body": "0" * 32, "x-DEFECTSCOPE-Health": "1"}
    assert call(container, body=b"mine", **private)[0] == 200
    assert backend.http.files[-1][1] == b"mine"
    assert "x-defectscope-health" not in {name.lower() for name in backend.http.bodies[-1][0]}


def test_the_sample_says_that_it_is_a_trial(handing: Any):
    backend, _ = handing
    assert "X-Defectscope-Health" in backend.http.bodies[0][0]


def test_too_large_a_body_leaves_no_file(handing: Any, tmp_path: Any):
    _, container = handing
    status, body = call(container, body=iter([b"x" * 2_000_000] * 2))
    assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    eventually(lambda: list(tmp_path.iterdir()) == [])


def test_a_full_disk_is_said_and_may_be_asked_again(handing: Any, tmp_path: Any, monkeypatch: Any):
    backend, container = handing
    seen = len(backend.http.bodies)

    def full(*_args: Any):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("defectscope.container.forwarding.write_blocks", full)
    status, body = call(container, body=b"x")
    assert (status, json.loads(body)["error"]["code"]) == (503, "overloaded")
    assert len(backend.http.bodies) == seen
    monkeypatch.undo()
    assert call(container, body=b"x") == (200, REPORT)
    eventually(lambda: list(tmp_path.iterdir()) == [])


def test_what_a_server_says_is_passed_on_to_its_last_line(capfd: Any):
    log = SharedLog()
    output, errors = log.streams()
    words = "import sys; print('metric'); sys.stderr.write('a\\nValueError: why\\nlast')"
    child = subprocess.Popen([sys.executable, "-c", words], stdout=output, stderr=errors)
    log.started()
    child.wait()
    log.ended()
    seen = capfd.readouterr()
    assert (seen.out, seen.err) == ("metric\n", "a\nValueError: why\nlast")
    assert log.last_words() == ": ValueError: why"


def test_ports_are_taken_from_a_range():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        first = taken.getsockname()[1]
        assert first not in free_ports(2, within=(first, min(first + 50, 65535)))
        with pytest.raises(ServingError, match="no 2 free ports in"):
            free_ports(2, within=(first, first))
