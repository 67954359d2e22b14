"""Broken, oversized and malicious requests against the server, without any model."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from urllib.parse import urlsplit

import psutil
import pytest

from defectscope.local import LocalSageMaker, LocalSettings


@pytest.fixture(scope="module")
def small():
    """A server with few connections and little patience."""
    with LocalSageMaker(settings=LocalSettings(max_connections=8, idle_timeout_s=1.5)) as running:
        yield running


def address(local) -> tuple[str, int]:
    parts = urlsplit(local.endpoint_url)
    return parts.hostname, parts.port


def exchange(local, raw: bytes) -> bytes:
    """Sends bytes and gives everything that comes back until the server hangs up."""
    with socket.create_connection(address(local), timeout=10) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while block := sock.recv(65536):
                received += block
        return received


def call(local, method: str, path: str, body=b"", headers=None) -> tuple[int, dict, dict]:
    connection = http.client.HTTPConnection(*address(local), timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        parsed = json.loads(content) if content.startswith(b"{") else {}
        return response.status, dict(response.getheaders()), parsed


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /endpoints/e/invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /endpoints/e/invocations HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /e HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /e HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /e HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ],
)
def test_broken_requests_get_a_status_and_no_traceback(local, raw):
    received = exchange(local, raw)
    assert b" 4" in received[:16] or b" 5" in received[:16]
    assert b"Traceback" not in received
    assert b".py" not in received


def test_the_server_still_answers_after_all_that(local):
    status, _, content = call(local, "GET", "/_defectscope/status")
    assert status == 200
    assert content == {"endpoints": {}, "transform_jobs": {}}


def test_invocations_are_made_with_post(local):
    status, headers, _ = call(local, "GET", "/endpoints/e/invocations")
    assert status == 405
    assert headers["x-amzn-ErrorType"] == "MethodNotAllowed"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{not json", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b"[]", "SerializationException"),
        (b"\xff\xfe", "SerializationException"),
        (b"{}", "ValidationException"),
        (b'{"EndpointName": {"$ne": 1}, "EndpointConfigName": 3}', "ValidationException"),
        (b'{"EndpointName": "../../etc", "EndpointConfigName": "x"}', "ValidationException"),
    ],
)
def test_malformed_control_requests_are_typed_errors(local, body, code):
    for operation in ("CreateEndpoint", "UpdateEndpoint"):
        headers = {"X-Amz-Target": f"SageMaker.{operation}"}
        status, found, content = call(local, "POST", "/", body, headers)
        assert status == 400
        assert found["x-amzn-ErrorType"] == code
        assert content["__type"] == code


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"TransformJobName": "x", "TransformInput": []}', b'{"TransformJobName": "x y"}'],
)
def test_malformed_transform_requests_are_typed_errors(local, body):
    headers = {"X-Amz-Target": "SageMaker.CreateTransformJob"}
    status, _, content = call(local, "POST", "/", body, headers)
    assert (status, content["__type"]) == (400, "ValidationException")


def test_a_giant_control_request_is_refused(local):
    headers = {"X-Amz-Target": "SageMaker.CreateEndpoint"}
    status, _, _ = call(local, "POST", "/", b" " * (2 * 1024 * 1024), headers)
    assert status == 413


def test_a_100_mb_body_is_refused_and_never_held(local):
    process = psutil.Process(local.state.pid)
    before = process.memory_info().rss

    def blocks():
        for _ in range(100):
            yield b"x" * 1024 * 1024

    length = {"Content-Length": str(100 * 1024 * 1024)}
    status, _, _ = call(local, "POST", "/endpoints/none/invocations", blocks(), length)
    assert status == 400  # no such endpoint: refused before the body was looked at
    status, _, _ = call(local, "POST", "/", blocks(), {**length, "X-Amz-Target": "SageMaker.X"})
    assert process.memory_info().rss - before < 32 * 1024 * 1024


def test_chunked_bodies_are_understood(local):
    s3 = local.client("s3")
    s3.create_bucket(Bucket="chunks")
    raw = (
        b"PUT /chunks/key HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 "
        b"Credential=local/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n"
        b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
    )
    assert b" 200 " in exchange(local, raw)[:20]
    answer = s3.get_object(Bucket="chunks", Key="key")
    assert answer["Body"].read() == b"hello world"
    s3.close()


def test_half_open_connections_are_closed_and_do_not_block_others(small):
    idle = [socket.create_connection(address(small), timeout=60) for _ in range(8)]
    try:
        for sock in idle[:4]:
            sock.sendall(b"POST /endpoints/e/invocations HTTP/1.1\r\nContent-Length: 10\r\n\r\nab")
        # Connections are taken in their order. All places are taken: the next is told so at once.
        with socket.create_connection(address(small), timeout=5) as refused:
            assert b" 503 " in refused.recv(4096)
        for sock in idle:
            # Silence is answered with the end alone; half a request may get its error first.
            assert not sock.recv(4096) or sock in idle[:4]
        status, _, _ = call(small, "GET", "/_defectscope/status")
        assert status == 200
    finally:
        for sock in idle:
            sock.close()


def test_unknown_operations_do_not_break_the_server(local):
    headers = {"X-Amz-Target": "SageMaker.NoSuchOperation"}
    status, _, _ = call(local, "POST", "/", b"{}", headers)
    assert status >= 400
