"""The client over a transport without a network."""

from __future__ import annotations

import io
import itertools
import json
import math
import random
import subprocess
import sys
import threading
import time
from array import array
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from defectscope.client import (
    CallEvent,
    Client,
    FakeCall,
    FakeTransport,
    JobState,
    RetryBudget,
    RetryPolicy,
    records,
)
from defectscope.client.fake import Answer
from defectscope.client.faults import container_error, is_transient, service_error
from defectscope.client.records import Options, merge_bodies, record, spans
from defectscope.client.retry import Deadline
from defectscope.errors import (
    AccessDeniedError,
    EndpointError,
    EndpointNotFoundError,
    EndpointTimeoutError,
    JobError,
    MediaNotFoundError,
    ModelError,
    PayloadTooLargeError,
    ThrottledError,
    TransientEndpointError,
    UnreadableMediaError,
    UsageError,
)
from defectscope.findings import Curve, Finding, Report
from defectscope.measurements import Measurements, Table


def report(
    uri: str = "s3://b/a.mp4", duration_s: float = 10.0, *, measured: bool = False
) -> Report:
    table = Table((25, 1), {"frame": array("q", [0, 1]), "luma": array("d", [0.5, 0.25])})
    return Report(
        asset={"uri": uri, "duration_s": duration_s},
        findings=(Finding("freeze", "freeze", 1.0, 2.0, 0.9, "major"),),
        verdicts={"freeze": {"verdict": "fail", "peak_score": {"freeze": 0.9}}},
        curves={},
        detectors={"freeze": {"version": "1", "parameters": {}}},
        timing={"wall_s": 0.1, "realtime_factor": 100.0},
        measurements=(Measurements("freeze", {"t": table}),) if measured else (),
        stream={"duration_s": duration_s} if measured else None,
    )


def nothing(_seconds: float) -> None:
    """Takes no time."""


def client(transport: FakeTransport, **options: Any) -> Client:
    options.setdefault("endpoint_name", "all")
    options.setdefault("sleep", nothing)
    return Client(transport=transport, **options)


def test_import_is_light() -> None:
    code = (
        "import sys, defectscope.client, defectscope; defectscope.Client; "
        "import defectscope.client.aws; "
        "heavy = {'numpy', 'torch', 'av', 'sagemaker', 'scipy'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_small_file_travels_in_the_call(tmp_path: Any) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"media")
    fake = FakeTransport([report()])
    chosen: dict[str, Any] = {"audio_layout": "stereo=1,2", "program": 7}
    got = client(fake).analyze(path, detectors=["freeze"], start_s=1.0, **chosen)
    assert got.asset["uri"] == str(path)
    assert got.findings == report().findings
    (call,) = fake.calls
    assert (call.operation, call.body, call.content_type) == ("invoke", b"media", "video/mp4")
    attributes = json.loads(call.request["CustomAttributes"])
    assert attributes == {"detectors": ["freeze"], "start_s": 1.0, **chosen}


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"\x1a\x45\xdf\xa3....webm", "video/webm"),
        (b"RIFF\0\0\0\0WAVE", "audio/wav"),
        (b"whatever", "application/octet-stream"),
    ],
)
def test_content_type_is_sniffed(head: Any, kind: Any) -> None:
    fake = FakeTransport([report()])
    client(fake).analyze(io.BytesIO(head))
    assert fake.calls[0].content_type == kind
    assert fake.calls[0].body == head


def test_large_media_goes_through_s3_and_is_removed_again() -> None:
    fake = FakeTransport([report(duration_s=5.0, measured=True)])
    media = io.BytesIO(b"x" + b"m" * 2000)
    media.read(1)
    got = client(fake, max_body_bytes=1500, staging_uri="s3://b/stage/").analyze(media)
    assert [c.operation for c in fake.calls] == ["put", "invoke", "invoke", "delete"]
    assert fake.calls[0].body == b"m" * 2000
    assert fake.objects == {}
    assert not media.closed
    assert got.asset["uri"] == "(stream)"


def test_large_media_without_a_place_is_refused() -> None:
    with pytest.raises(UsageError, match="staging_uri"):
        client(FakeTransport([report()]), max_body_bytes=10).analyze(b"m" * 11)


def test_long_media_is_cut_and_merged_by_the_endpoint() -> None:
    asked: list[dict[str, Any]] = []
    lock = threading.Lock()

    def answer(call: FakeCall) -> Report:
        body = json.loads(call.body)
        with lock:
            asked.append(body)
        return report(duration_s=130.0, measured="merge" not in body)

    got = client(FakeTransport(answer), segment_s=60).analyze("s3://b/film.mov")
    spans_asked = sorted((b["start_s"], b.get("end_s")) for b in asked[:-1])
    assert spans_asked == [(0.0, 60.0), (60.0, 120.0), (120.0, None)]
    assert all(b["measurements"] for b in asked[:-1])
    assert len(asked[-1]["merge"]) == 3
    assert got.asset["uri"] == "s3://b/a.mp4"


def test_an_error_in_a_segment_is_the_films_error() -> None:
    def answer(call: FakeCall):
        if json.loads(call.body)["start_s"] == 60.0:
            return ModelError("died", original_status=400)
        return report(duration_s=130.0, measured=True)

    with pytest.raises(ModelError, match="died"):
        client(FakeTransport(answer), segment_s=60).analyze("s3://b/film.mov")


def test_merge_is_split_by_detector_when_too_large() -> None:
    part = report(measured=True).to_dict()
    part["detectors"] = {n: {} for n in ("a", "b", "c")}
    part["measurements"] = [{"detector": n, "tables": {"t": "x" * 1000}} for n in ("a", "b")]
    one = merge_bodies([part, part], 10_000)
    assert len(one) == 1
    split = merge_bodies([part, part], 3_600)
    assert all(len(body) <= 3_600 for body in split)
    names = [list(json.loads(body)["merge"][0]["detectors"]) for body in split]
    assert sorted(n for group in names for n in group) == ["a", "b", "c"]


@pytest.mark.parametrize(("duration_s", "count"), [(0.0, 1), (60.0, 1), (60.1, 2), (7200.0, 120)])
def test_spans_cover_everything_once(duration_s: Any, count: Any) -> None:
    found = spans(duration_s, 60.0)
    assert len(found) == count
    assert found[0].start_s == 0.0
    assert found[-1].end_s is None
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(found))


def test_throttling_is_repeated_with_full_jitter() -> None:
    waits: list[float] = []
    events: list[CallEvent] = []
    fake = FakeTransport([ThrottledError("slow", request_id="r1")] * 3 + [report()])
    policy = RetryPolicy(attempts=4, base_s=0.2, cap_s=0.5)
    client(fake, retry=policy, sleep=waits.append, hooks=[events.append]).analyze(b"m")
    assert len(waits) == 3
    assert all(0 <= w <= c for w, c in zip(waits, (0.2, 0.4, 0.5), strict=True))
    assert [e.kind for e in events] == ["attempt", "retry"] * 3 + ["attempt", "success"]
    assert events[1].error_code == "throttled"
    assert events[1].request_id == "r1"
    assert events[-1].received_bytes == len(report().to_json())


def test_jitter_is_drawn_over_the_whole_range() -> None:
    rng = random.Random(7)
    drawn = [RetryPolicy(base_s=1.0).wait_s(0, rng) for _ in range(400)]
    assert min(drawn) < 0.05
    assert max(drawn) > 0.95
    assert 0.45 < sum(drawn) / len(drawn) < 0.55


def test_what_cannot_succeed_is_not_repeated() -> None:
    fake = FakeTransport([UnreadableMediaError("not media", request_id="r2"), report()])
    with pytest.raises(UnreadableMediaError) as caught:
        client(fake).analyze(b"m")
    assert caught.value.request_id == "r2"
    assert len(fake.calls) == 1


def test_the_budget_ends_repetition_for_all_calls() -> None:
    fake = FakeTransport([TransientEndpointError("down")])
    shared = client(fake, retry_budget=RetryBudget(capacity=4), retry=RetryPolicy(attempts=3))
    for _ in range(5):
        with pytest.raises(TransientEndpointError):
            shared.analyze(b"m")
    assert len(fake.calls) == 5 + 4


def test_an_endpoint_that_throttles_a_third_of_its_calls_loses_none() -> None:
    rng, given = random.Random(3), Counter[str]()

    def third(_call: FakeCall) -> Answer:
        throttled = rng.random() < 1 / 3
        given["throttled" if throttled else "answered"] += 1
        return ThrottledError("slow") if throttled else report()

    waits: list[float] = []
    policy = RetryPolicy(attempts=12)
    # A success gives back a fifth of a repetition, so the budget bears a sixth and ends this.
    patient = RetryBudget(capacity=math.inf)
    shared = client(FakeTransport(third), retry=policy, retry_budget=patient, sleep=waits.append)
    for _ in range(600):
        shared.analyze(b"m")
    assert given["answered"] == 600
    assert given["throttled"] == len(waits)
    assert 240 < len(waits) < 360
    given.clear()
    outcomes = Counter[str]()
    bounded = client(FakeTransport(third), retry=policy, sleep=lambda _: None)
    for _ in range(600):
        try:
            bounded.analyze(b"m")
            outcomes["report"] += 1
        except ThrottledError:
            outcomes["throttled"] += 1
    assert sum(outcomes.values()) == 600
    assert given["answered"] == outcomes["report"]
    # No storm: repetitions are the budget's 20 and a fifth of what succeeded.
    repeated = sum(given.values()) - 600
    assert repeated <= 20 + outcomes["report"] / 5
    sys.stdout.write(f"repeated {len(waits)} and {repeated} times; bounded: {dict(outcomes)}\n")


def test_the_deadline_ends_everything() -> None:
    fake = FakeTransport([ThrottledError("slow")])
    began = time.monotonic()
    policy = RetryPolicy(attempts=1000, base_s=0.01, cap_s=0.02)
    budget = RetryBudget(capacity=1e6)
    impatient = client(fake, retry=policy, retry_budget=budget, sleep=time.sleep)
    with pytest.raises((ThrottledError, EndpointTimeoutError)):
        impatient.analyze(b"m", timeout_s=0.2)
    # A thousand attempts would take 15 s.
    assert time.monotonic() - began < 10.0
    assert len(fake.calls) < 1000


def test_a_passed_deadline_makes_no_call() -> None:
    with pytest.raises(EndpointTimeoutError):
        Deadline.after(-1.0).left_s(5.0)


def test_many_in_order_with_a_bad_one_among_them() -> None:
    def answer(call: FakeCall):
        if call.body == b"2":
            return UnreadableMediaError("bad")
        time.sleep(0.02 if call.body == b"0" else 0.0)
        return report()

    progress: list[int] = []
    drawn: list[int] = []

    def media():
        for index in range(30):
            drawn.append(index)
            yield str(index).encode()

    run = client(FakeTransport(answer)).analyze_many(
        media(), concurrency=2, on_progress=progress.append
    )
    first = next(run)
    assert first.index == 0
    assert len(drawn) <= 5
    rest = list(run)
    assert [o.index for o in rest] == list(range(1, 30))
    assert isinstance(rest[1].error, UnreadableMediaError)
    assert sum(o.report is not None for o in rest) == 28
    assert progress == list(range(1, 31))


def test_many_as_completed_gives_the_quick_first() -> None:
    gate = threading.Event()

    def answer(call: FakeCall):
        if call.body == b"0":
            gate.wait(5)
        return report()

    run = client(FakeTransport(answer)).analyze_many([b"0", b"1", b"2"], ordered=False)
    assert next(run).index in (1, 2)
    gate.set()
    assert len(list(run)) == 2


def test_submitted_job_survives_a_restart() -> None:
    fake = FakeTransport([report()])
    job = client(fake, endpoint_name=None, async_endpoint_name="slow").submit("s3://b/film.mov")
    later: Any = client(fake).job(job.id)
    assert later.id == job.id
    assert later.poll().state is JobState.SUCCEEDED
    assert later.result().findings == report().findings


def test_failed_job_says_why() -> None:
    fake = FakeTransport([UnreadableMediaError("not media"), ModelError("boom")])
    queue = client(fake, endpoint_name=None, async_endpoint_name="slow", staging_uri="s3://b/p")
    job = queue.submit("s3://b/film.mov")
    assert job.wait().state is JobState.FAILED
    with pytest.raises(UnreadableMediaError, match="not media"):
        job.result()
    with pytest.raises(JobError, match="boom"):
        queue.submit("s3://b/film.mov").result()


def test_waiting_ends_at_the_time_out() -> None:
    fake = FakeTransport([report()])
    slow = client(fake, async_endpoint_name="slow", sleep=time.sleep)
    job = slow.submit("s3://b/film.mov")
    fake.objects.clear()
    with pytest.raises(EndpointTimeoutError, match="still running"):
        job.wait(timeout_s=0.1)


def test_transform_job_outcomes_and_stop() -> None:
    state = {"status": "InProgress"}

    def control(operation: Any, request: Any):
        if operation == "stop_transform_job":
            state["status"] = "Stopped"
        return {
            "TransformJobStatus": state["status"],
            "TransformOutput": {"S3OutputPath": "s3://b/out"},
        }

    fake = FakeTransport(sagemaker=control)
    job = client(fake).transform("s3://b/in/", "s3://b/out", model_name="m", max_concurrent=2)
    created = fake.calls[0].request
    assert created["MaxConcurrentTransforms"] == 2
    assert created["TransformInput"]["SplitType"] == "Line"
    good = json.dumps({"id": "a", **report().to_dict()})
    bad = json.dumps({"id": "b", "error": {"code": "media_not_found", "message": "gone"}})
    fake.objects["s3://b/out/x.jsonl.out"] = f"{good}\n{bad}\n".encode()
    client(fake).job(job.id).stop()
    first, second = job.results()
    assert first.report is not None
    assert (first.item, first.report.findings) == ("a", report().findings)
    assert second.item == "b"
    assert isinstance(second.error, MediaNotFoundError)


def test_limits_come_from_the_endpoints_tags() -> None:
    def control(operation: Any, _request: Any):
        if operation == "describe_endpoint":
            return {"EndpointArn": "arn"}
        return {
            "Tags": [
                {"Key": "defectscope:timeout_s", "Value": "20"},
                {"Key": "defectscope:max_body_bytes", "Value": "1000"},
            ]
        }

    made = Client.for_endpoint("all", transport=FakeTransport(sagemaker=control))
    assert made.settings.timeout_s == 25.0
    assert made.settings.max_body_bytes == 1000


def test_an_asynchronous_endpoint_is_called_as_one() -> None:
    tags = [{"Key": "defectscope:staging_uri", "Value": "s3://qc-work/staging"}]

    def control(operation: str, _request: Any) -> dict[str, Any]:
        if operation == "describe_endpoint":
            return {"EndpointArn": "arn", "AsyncInferenceConfig": {"OutputConfig": {}}}
        return {"Tags": tags}

    made = Client.for_endpoint("queued", transport=FakeTransport(sagemaker=control))
    assert (made.endpoint_name, made.async_endpoint_name) == (None, "queued")
    assert made.settings.staging_uri == "s3://qc-work/staging"
    mine = Client.for_endpoint(
        "queued", staging_uri="s3://mine/x", transport=FakeTransport(sagemaker=control)
    )
    assert mine.settings.staging_uri == "s3://mine/x"


@pytest.mark.parametrize(
    ("code", "status", "message", "kind", "again"),
    [
        ("ThrottlingException", 400, "Rate exceeded", ThrottledError, True),
        ("ServiceUnavailable", 503, "busy", ThrottledError, True),
        ("InternalFailure", 500, "", TransientEndpointError, True),
        ("ExpiredTokenException", 403, "expired", AccessDeniedError, False),
        (
            "ValidationError",
            400,
            "Endpoint x of account 1 not found.",
            EndpointNotFoundError,
            False,
        ),
        ("RequestEntityTooLargeException", 413, "", PayloadTooLargeError, False),
        ("ValidationError", 400, "other", EndpointError, False),
    ],
)
def test_service_refusals_are_typed(
    code: Any, status: Any, message: Any, kind: Any, again: Any
) -> None:
    error = service_error(code, message, status=status, request_id="r")
    assert type(error) is kind
    assert error.request_id == "r"
    assert is_transient(error) is again


@pytest.mark.parametrize(
    ("status", "message", "kind", "again"),
    [
        (422, '{"error":{"code":"unreadable_media","message":"no"}}', UnreadableMediaError, False),
        (
            None,
            "Received client error (404) from model with message "
            '\'{"error":{"code":"media_not_found","message":"gone"}}\'. See the log.',
            MediaNotFoundError,
            False,
        ),
        (500, '{"error":{"code":"internal_error","message":"no"}}', ModelError, False),
        (500, '{"code":500,"type":"X","message":"Worker died."}', ModelError, True),
        (507, '{"code":507,"type":"X","message":"Worker died."}', ModelError, True),
        (507, '{"error":{"code":"internal_error","message":"no"}}', ModelError, False),
        (503, "", ModelError, True),
        (413, "", PayloadTooLargeError, False),
        (0, "Your invocation timed out while waiting", EndpointTimeoutError, False),
    ],
)
def test_container_answers_are_typed(status: Any, message: Any, kind: Any, again: Any) -> None:
    error = container_error(status, message, request_id="r")
    assert type(error) is kind
    assert is_transient(error) is again


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        ("no/such/file.mp4", MediaNotFoundError),
        (b"", UnreadableMediaError),
        ("http://x/y.mp4", UsageError),
        ("s3://bucket", UsageError),
        (7, UsageError),
    ],
)
def test_bad_media_never_leaves(media: Any, kind: Any) -> None:
    fake = FakeTransport([report()])
    with pytest.raises(kind):
        client(fake).analyze(media)
    assert fake.calls == []


# Half a number, a text that nests deeper than a program's stack, and bytes that are no text.
@pytest.mark.parametrize("answer", [b"hello", b"[1.", b"[" * 200_000, b"\xff\xfe\xfd", b""])
def test_another_services_answer_is_an_error(answer: bytes) -> None:
    with pytest.raises(EndpointError, match="no report"):
        client(FakeTransport([answer])).analyze(b"m")


@pytest.mark.parametrize("installed", [True, False])
def test_a_report_is_the_same_whatever_reads_it(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setattr(records, "msgspec", None)
    curve = Curve(0.04, (0.1, 1e-300, -0.0), (0.30000000000000004, 1.0, 2.5e17))
    facts = {"name": "Ä\u2028\U0001f39e"}
    sent = replace(report(), curves={"freeze": {"freeze": curve}}, facts=facts)
    assert records.read_report(sent.to_json().encode()) == sent
    # Python writes a number that is not finite as no other JSON does, and reads it.
    body = sent.to_json().replace("2.5e+17", "Infinity").encode()
    read = records.read_report(body).curves["freeze"]["freeze"]
    assert read.max == (0.30000000000000004, 1.0, math.inf)


def test_a_profile_travels_with_the_request_and_with_the_merge() -> None:
    assert record("s3://b/a.mov", Options(profile="ebu-r128"))["profile"] == "ebu-r128"
    assert "profile" not in record("s3://b/a.mov", Options())
    part = report(measured=True).to_dict()
    (body,) = merge_bodies([part, part], 100_000, "ebu-r128")
    assert json.loads(body)["profile"] == "ebu-r128"
    with pytest.raises(EndpointError, match="without profile"):
        merge_bodies([part, part], 10, "ebu-r128")
