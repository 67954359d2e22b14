from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from defectscope.errors import InvalidParameterError, MediaUnavailableError
from defectscope.monitor.config import read_config
from defectscope.monitor.deliveries import (
    EventBridgeDelivery,
    SnsDelivery,
    WebhookDelivery,
)
from defectscope.monitor.metric_lines import EmbeddedMetrics, MetricLines
from defectscope.monitor.output_config import delivery_of
from defectscope.monitor.outputs import SpooledOutput
from defectscope.monitor.store import Store

SECRET = "a secret of some length"
REGION = "eu-central-1"


def event(number: int) -> dict[str, Any]:
    alarm_id = f"{number:032x}"
    data = {"alarm_id": alarm_id, "channel": "one", "state": "opened", "defect": "freeze"}
    return {"id": f"{alarm_id}-opened", "data": data | {"severity": "major"}}


class Hook(HTTPServer):
    """A receiver that checks signatures, and answers with what it is told to."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[str] = []
        self.forged = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                batch, stamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
                # As a receiver writes it that knows the standard and not our code.
                signed = batch.encode() + b"." + stamp.encode() + b"." + body
                digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
                wanted = "v1," + base64.b64encode(digest).decode()
                hook.forged += self.headers["webhook-signature"] != wanted
                hook.forged += abs(int(stamp) - time.time()) > 60
                status = hook.statuses.pop(0) if hook.statuses else 204
                if status < 300:
                    hook.got += [e["id"] for e in json.loads(body)]
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/alarms"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_a_webhook_is_signed_and_delivered_once(hook: Hook) -> None:
    delivery = WebhookDelivery("hook", hook.url, SECRET)
    delivery.send([event(1), event(2)])
    assert hook.got == [event(1)["id"], event(2)["id"]]
    assert hook.forged == 0
    WebhookDelivery("hook", hook.url, SECRET + "!").send([event(3)])
    assert hook.forged == 1


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500, 503])
def test_whatever_is_not_2xx_is_tried_again(hook: Hook, status: int) -> None:
    hook.statuses = [status]
    delivery = WebhookDelivery("hook", hook.url, SECRET)
    with pytest.raises(MediaUnavailableError, match=str(status)):
        delivery.send([event(1)])
    assert hook.got == []


def test_a_webhook_that_is_down_gets_everything_later(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defectscope.monitor.outputs._FIRST_DELAY_S", 0.05)
    hook.statuses = [503, 500]
    store = Store(tmp_path / "events.sqlite")
    output = SpooledOutput(WebhookDelivery("hook", hook.url, SECRET), store)
    output.start()
    for number in range(120):
        store.add(event(number), time.time())
    output.wake()
    deadline_s = time.monotonic() + 60
    while len(hook.got) < 120 and time.monotonic() < deadline_s:
        time.sleep(0.02)
    output.stop()
    store.close()
    assert hook.got == [event(n)["id"] for n in range(120)]
    assert output.failures == 2


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "https:///x", ""]
)
def test_targets_that_are_none(url: str) -> None:
    with pytest.raises(InvalidParameterError):
        WebhookDelivery("hook", url, SECRET)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="secret"):
        WebhookDelivery("hook", "https://example.org", "short")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


def test_sns_gets_every_event(aws: None) -> None:
    sns, sqs = boto3.client("sns", REGION), boto3.client("sqs", REGION)
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    SnsDelivery("sns", topic, sns).send([event(n) for n in range(23)])
    got: list[str] = []
    while len(got) < 23:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        assert messages
        for message in messages:
            got.append(json.loads(json.loads(message["Body"])["Message"])["id"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert sorted(got) == sorted(event(n)["id"] for n in range(23))


def test_eventbridge_gets_every_event(aws: None) -> None:
    events = boto3.client("events", REGION)
    logs = boto3.client("logs", REGION)
    logs.create_log_group(logGroupName="/aws/events/alarms")
    events.put_rule(Name="all", EventPattern='{"source": ["org.defectscope.monitor"]}')
    arn = f"arn:aws:logs:{REGION}:123456789012:log-group:/aws/events/alarms"
    events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": arn}])
    EventBridgeDelivery("bus", "default", events).send([event(n) for n in range(12)])
    found = logs.filter_log_events(logGroupName="/aws/events/alarms")["events"]
    ids = {json.loads(each["message"])["detail"]["id"] for each in found}
    assert ids == {event(n)["id"] for n in range(12)}


def test_a_refusal_is_a_failure() -> None:
    class Refusing:
        def put_events(self, **_: Any) -> dict[str, Any]:
            return {"FailedEntryCount": 1}

        def publish_batch(self, **_: Any) -> dict[str, Any]:
            return {"Failed": [{"Id": "0"}]}

    with pytest.raises(MediaUnavailableError):
        EventBridgeDelivery("bus", "default", Refusing()).send([event(1)])
    with pytest.raises(MediaUnavailableError):
        SnsDelivery("sns", "arn:aws:sns:eu-central-1:1:a", Refusing()).send([event(1)])


def test_metrics_are_embedded_in_the_log() -> None:
    out = io.StringIO()
    metrics = EmbeddedMetrics(out, now=lambda: 1000.0)
    for missing in (5, 12):
        metrics.write([{"channel": "one", "missing_packets": missing, "alarms": ["freeze"]}])
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["MissingPackets"], second["MissingPackets"]) == (0, 7)
    directive = second["_aws"]["CloudWatchMetrics"][0]
    assert {m["Name"] for m in directive["Metrics"]} <= second.keys()
    assert directive["Dimensions"] == [["Channel"]]
    assert second["Channel"] == "one"


def test_lines_of_metrics_come_at_a_pace_of_their_own() -> None:
    class Board:
        def snapshot(self) -> dict[str, Any]:
            return {"channels": [{"channel": "one", "state": "ok"}]}

    out = io.StringIO()
    lines = MetricLines(Board(), out, every_s=0.02)  # type: ignore[arg-type]
    lines.start()
    deadline_s = time.monotonic() + 60
    while out.getvalue().count("\n") < 2 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    lines.stop()
    assert out.getvalue().count("\n") >= 2


CHANNEL = '[[channel]]\nname = "a"\nurl = "udp://127.0.0.1:5000"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[output]]\ntype = "email"\n', "line 2: output.type is one of"),
        ('[[output]]\ntype = "webhook"\nurl = "https://a"\n', "output.secret_env is missing"),
        ('[[output]]\ntype = "sns"\ntopic_arn = 3\n', "line 3: output.topic_arn is text"),
        ('[[output]]\ntype = "sns"\nsecret = "x"\n', "line 3: output.secret is not known"),
    ],
)
def test_outputs_that_make_no_sense(text: str, words: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        read_config(text + CHANNEL)
    assert words in caught.value.message


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[[output]]\ntype = "webhook"\nurl = "https://a.example"\nsecret_env = "HOOK_SECRET"\n'
    (output,) = read_config(text + CHANNEL).outputs
    with pytest.raises(InvalidParameterError, match="HOOK_SECRET"):
        delivery_of(output)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    assert delivery_of(output).name == "webhook"
