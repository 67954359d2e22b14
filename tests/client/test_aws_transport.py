"""The real transport against a server that answers as AWS does, and as it should not."""

from __future__ import annotations

import copy
import http.server
import io
import json
import os
import socket
import threading
import time
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest

from defectscope.client import Client, RetryPolicy
from defectscope.client.aws import AwsTransport
from defectscope.errors import (
    AccessDeniedError,
    EndpointNotFoundError,
    EndpointTimeoutError,
    MediaError,
    ModelError,
    PayloadTooLargeError,
    ThrottledError,
    UsageError,
)

REPORT = {
    "schema": "defectscope/report/1",
    "asset": {"uri": "x", "duration_s": 1.0},
    "findings": [],
    "verdicts": {},
    "curves": {},
    "detectors": {},
    "timing": {},
}


class Aws(http.server.BaseHTTPRequestHandler):
    """Answers from the server's script: (status, headers, body, wait before it)."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.seen.append((self.path, dict(self.headers), self.rfile.read(length)))
        script = self.server.script
        status, headers, body, wait_s = script.pop(0) if len(script) > 1 else script[0]
        self.server.released.wait(wait_s)
        try:
            self.send_response(status)
            for name, value in {"x-amzn-RequestId": "req-1", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    do_PUT = do_POST  # noqa: N815 - the name is http.server's

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps quiet."""


@pytest.fixture
def aws():
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Aws)
    server.daemon_threads = True
    server.seen, server.script, server.released = [], [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def transport(aws: Any):
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    made = AwsTransport(session=session, endpoint_url=f"http://127.0.0.1:{aws.server_port}")
    yield made
    made.close()


def ok(wait_s: float = 0.0):
    headers = {"Content-Type": "application/json"}
    return 200, headers, json.dumps(REPORT).encode(), wait_s


def refusal(status: int, kind: str, **fields: Any):
    body = json.dumps({"Message": fields.pop("message", ""), **fields}).encode()
    return status, {"x-amzn-ErrorType": kind, "Content-Type": "application/json"}, body, 0.0


def client(transport: Any, **options: Any) -> Client:
    options.setdefault("retry", RetryPolicy(attempts=1))
    return Client(endpoint_name="qc", transport=transport, **options)


def test_a_call_as_it_goes_over_the_wire(aws: Any, transport: Any) -> None:
    aws.script = [ok()]
    client(transport).analyze(io.BytesIO(b"\0\0\0\x18ftypisom"), detectors=["freeze"])
    ((path, headers, body),) = aws.seen
    assert path == "/endpoints/qc/invocations"
    assert headers["Content-Type"] == "video/mp4"
    assert json.loads(headers["X-Amzn-SageMaker-Custom-Attributes"]) == {"detectors": ["freeze"]}
    assert body == b"\0\0\0\x18ftypisom"
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256")


def test_the_media_error_of_the_container_is_raised_as_itself(aws: Any, transport: Any) -> None:
    body = json.dumps({"error": {"code": "media_too_large", "message": "9 h", "request_id": "i"}})
    aws.script = [
        refusal(424, "ModelError", OriginalStatusCode=413, OriginalMessage=body, message="Received")
    ]
    with pytest.raises(MediaError, match="9 h") as caught:
        client(transport).analyze(b"m")
    assert caught.value.code == "media_too_large"
    assert caught.value.request_id == "req-1"
    assert isinstance(caught.value.__cause__, ModelError)
    assert caught.value.__cause__.original_status == 413


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(400, "ThrottlingException", message="Rate exceeded"), ThrottledError),
        (refusal(503, "ServiceUnavailable"), ThrottledError),
        (refusal(403, "AccessDeniedException", message="no"), AccessDeniedError),
        (
            refusal(400, "ValidationError", message="Endpoint qc of account 1 not found."),
            EndpointNotFoundError,
        ),
        (refusal(413, "RequestEntityTooLargeException"), PayloadTooLargeError),
    ],
)
def test_refusals_are_typed_with_their_request(
    aws: Any, transport: Any, answer: Any, kind: Any
) -> None:
    aws.script = [answer]
    with pytest.raises(kind) as caught:
        client(transport).analyze(b"m")
    assert caught.value.request_id == "req-1"


def test_throttled_then_answered(aws: Any, transport: Any) -> None:
    aws.script = [refusal(400, "ThrottlingException"), refusal(503, "ServiceUnavailable"), ok()]
    patient = client(transport, retry=RetryPolicy(attempts=3, base_s=0.01))
    assert patient.analyze(b"m").verdicts == {}
    assert len(aws.seen) == 3


def test_a_worker_that_died_is_asked_again(aws: Any, transport: Any) -> None:
    died = json.dumps({"code": 500, "type": "InternalServerException", "message": "Worker died."})
    aws.script = [
        refusal(424, "ModelError", OriginalStatusCode=500, OriginalMessage=died),
        ok(),
    ]
    patient = client(transport, retry=RetryPolicy(attempts=2, base_s=0.01))
    assert patient.analyze(b"m").verdicts == {}


def test_a_server_that_hangs_ends_at_the_deadline(aws: Any, transport: Any) -> None:
    aws.script = [ok(wait_s=20.0)]
    began = time.monotonic()
    with pytest.raises(EndpointTimeoutError):
        client(transport).analyze(b"m", timeout_s=1.0)
    # Before the server answers, however busy the machine is.
    assert time.monotonic() - began < 15.0


def test_nobody_there_is_said_and_repeated() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    transport = AwsTransport(session=session, endpoint_url=f"http://127.0.0.1:{port}")
    events = []
    quick = RetryPolicy(attempts=3, base_s=0.001)
    with pytest.raises(Exception, match="cannot be reached"):
        client(transport, retry=quick, hooks=[events.append]).analyze(b"m")
    assert [e.kind for e in events].count("retry") == 2
    transport.close()


def test_missing_credentials_are_said(monkeypatch: Any, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    transport = AwsTransport(region="eu-west-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(AccessDeniedError, match="credentials"):
        client(transport).analyze(b"m")
    transport.close()


def test_a_missing_region_is_said(monkeypatch: Any, tmp_path: Any) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="region"):
        client(AwsTransport()).analyze(b"m")


def test_an_uploaded_stream_stays_open_and_is_sent_whole(aws: Any, transport: Any) -> None:
    aws.script = [(200, {"ETag": '"x"'}, b"", 0.0)]
    stream = io.BytesIO(b"skip" + b"m" * 5000)
    stream.read(4)
    # boto3 reads a file object to its end and closes it; the caller's own must survive.
    from defectscope.client.caller import Caller
    from defectscope.client.retry import Deadline, RetryBudget
    from defectscope.client.wire import Wire

    caller = Caller(policy=RetryPolicy(), budget=RetryBudget())
    wire = Wire(transport, caller, upload_timeout_s=10)
    wire.put("s3://b/k", stream, content_type="video/mp4", deadline=Deadline(None))
    assert not stream.closed
    assert b"m" * 5000 in aws.seen[-1][2]
    assert b"skip" not in aws.seen[-1][2]


@pytest.fixture
def bare(monkeypatch: Any, tmp_path: Any):
    """A machine on which AWS was never set up."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return monkeypatch


def test_what_is_missing_on_a_machine_is_one_line(bare: Any) -> None:
    bare.setenv("AWS_PROFILE", "nope")
    with pytest.raises(UsageError, match="no AWS profile 'nope', which AWS_PROFILE names"):
        Client(endpoint_name="qc")
    bare.delenv("AWS_PROFILE")
    with Client(endpoint_name="qc") as client, pytest.raises(UsageError, match="no AWS region"):
        client.analyze(b"media")
    bare.setenv("AWS_REGION", "eu-west-1")
    with (
        Client(endpoint_name="qc", region="eu-west-1") as client,
        pytest.raises(AccessDeniedError, match="no usable AWS credentials"),
    ):
        client.analyze(b"media")
    with (
        Client(endpoint_name="qc", region="eu-west-1", endpoint_url="nonsense") as client,
        pytest.raises(UsageError, match="Invalid endpoint: nonsense"),
    ):
        client.analyze(b"media")


def test_an_inline_request_needs_a_botocore_that_knows_it(aws: Any, transport: Any) -> None:
    """`make test-lowest` runs this with the oldest boto3 that is declared, which does not."""
    location = {"X-Amzn-SageMaker-OutputLocation": "s3://o/i"}
    queued = (202, location, b'{"InferenceId": "i"}', 0)
    aws.script = [queued]
    model: Any = botocore.session.get_session().get_service_model("sagemaker-runtime")
    knows = "Body" in model.operation_model("InvokeEndpointAsync").input_shape.members
    client = Client(async_endpoint_name="queued", transport=transport)
    if knows:
        assert client.submit("s3://media/film.mov").id
    else:
        with pytest.raises(UsageError, match=r"1\.43\.29 can: pass staging_uri="):
            client.submit("s3://media/film.mov")
    aws.script = [(200, {}, b"", 0), queued]
    staged = Client(async_endpoint_name="queued", transport=transport, staging_uri="s3://w/x")
    assert staged.submit("s3://media/film.mov").id


def test_a_botocore_without_inline_requests_is_told_apart(
    aws: Any, transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load: Any = botocore.loaders.Loader.load_service_model

    def without_body(loader: Any, service: str, kind: str, api_version: str | None = None) -> Any:
        model = load(loader, service, kind, api_version)
        if (service, kind) != ("sagemaker-runtime", "service-2"):
            return model
        # Of another caller's too, unless it is a copy.
        model = copy.deepcopy(model)
        asked = model["shapes"][model["operations"]["InvokeEndpointAsync"]["input"]["shape"]]
        asked["members"].pop("Body", None)
        asked.pop("payload", None)
        return model

    monkeypatch.setattr(botocore.loaders.Loader, "load_service_model", without_body)
    client = Client(async_endpoint_name="queued", transport=transport)
    with pytest.raises(UsageError, match=r"1\.43\.29 can: pass staging_uri="):
        client.submit("s3://media/film.mov")
    location = {"X-Amzn-SageMaker-OutputLocation": "s3://o/i"}
    aws.script = [(200, {}, b"", 0), (202, location, b'{"InferenceId": "i"}', 0)]
    staged = Client(async_endpoint_name="queued", transport=transport, staging_uri="s3://w/x")
    assert staged.submit("s3://media/film.mov").id
