from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError

DOCS = "https://docs.aws.amazon.com/sagemaker/latest/"
INVOKE = DOCS + "APIReference/API_runtime_InvokeEndpointAsync.html"
CONFIG = DOCS + "APIReference/API_AsyncInferenceOutputConfig.html"
CLIENT_CONFIG = DOCS + "APIReference/API_AsyncInferenceClientConfig.html"
GUIDE = DOCS + "dg/async-inference.html"
NOTIFICATIONS = DOCS + "dg/async-inference-check-predictions.html"
AUTOSCALE = DOCS + "dg/async-inference-autoscale.html"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runtime(target):
    return target.client("sagemaker-runtime")


@pytest.fixture(scope="module")
def topics(target):
    """SNS topics for success and error, each with a queue that hears them."""
    sns, sqs = target.client("sns"), target.client("sqs")
    made = {}
    for kind in ("SuccessTopic", "ErrorTopic"):
        topic = sns.create_topic(Name=target.name(kind))["TopicArn"]
        queue = sqs.create_queue(QueueName=target.name(kind))["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
                }
            ],
        }
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        made[kind] = (topic, queue)
    yield made
    for topic, queue in made.values():
        sns.delete_topic(TopicArn=topic)
        sqs.delete_queue(QueueUrl=queue)


@pytest.fixture(scope="module")
def endpoint(target, echo_model, make_endpoint, production_variant, topics):
    base = f"s3://{target.bucket}/async"
    name = make_endpoint(
        [production_variant(echo_model)],
        AsyncInferenceConfig={
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2},
            "OutputConfig": {
                "S3OutputPath": f"{base}/out",
                "S3FailurePath": f"{base}/failed",
                "NotificationConfig": {kind: arn for kind, (arn, _) in topics.items()},
            },
        },
    )
    described = target.endpoint_settled(name)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    return name


def stored(target, uri: str, within_s: float | None = None) -> bytes:
    def probe():
        try:
            return target.get(uri)
        except ClientError:
            return None

    return target.wait(probe, within_s=within_s)


def receive(target, queue: str, inference_id: str) -> dict:
    """Returns the notification about one invocation."""

    def probe():
        found = target.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1)
        for message in found.get("Messages", []):
            content = json.loads(json.loads(message["Body"])["Message"])
            if content["inferenceId"] == inference_id:
                return content
        return None

    return target.wait(probe)


@pytest.mark.documented(INVOKE)
def test_the_answer_is_stored_where_the_call_said(endpoint, runtime, target):
    uri = target.put("async/in/clip.bin", b"some input")
    answer = runtime.invoke_endpoint_async(
        EndpointName=endpoint, InputLocation=uri, ContentType="video/mp4", InferenceId="case-7"
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["InferenceId"] == "case-7"
    assert answer["OutputLocation"].startswith(f"s3://{target.bucket}/async/out/")
    assert stored(target, answer["OutputLocation"]) == b"SOME INPUT"


@pytest.mark.documented(INVOKE)
def test_a_key_may_hold_any_letters(endpoint, runtime, target):
    uri = target.put("async/in/Käse 日本 +.bin", b"some input")
    answer = runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation=uri)
    assert stored(target, answer["OutputLocation"]) == b"SOME INPUT"


@pytest.mark.documented(INVOKE)
def test_headers_reach_the_model(endpoint, runtime, target):
    uri = target.put("async/in/headers", b"headers")
    answer = runtime.invoke_endpoint_async(
        EndpointName=endpoint,
        InputLocation=uri,
        ContentType="text/plain",
        CustomAttributes="trace=9",
    )
    headers = json.loads(stored(target, answer["OutputLocation"]))
    assert headers["content-type"] == "text/plain"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=9"


@pytest.mark.documented(CONFIG)
def test_a_refused_input_leaves_a_failure_object_and_no_output(endpoint, runtime, target):
    uri = target.put("async/in/refused", b"refuse 422")
    answer = runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation=uri)
    assert b"422" in stored(target, answer["FailureLocation"])
    with pytest.raises(ClientError):
        target.get(answer["OutputLocation"])


@pytest.mark.documented(CONFIG)
def test_a_missing_input_is_a_failure_too(endpoint, runtime, target):
    answer = runtime.invoke_endpoint_async(
        EndpointName=endpoint, InputLocation=f"s3://{target.bucket}/async/in/none"
    )
    assert stored(target, answer["FailureLocation"])


@pytest.mark.documented(NOTIFICATIONS)
def test_topics_hear_of_success_and_error(endpoint, runtime, target, topics):
    for body, topic, status in (
        (b"fine", "SuccessTopic", "Completed"),
        (b"refuse 400", "ErrorTopic", "Failed"),
    ):
        uri = target.put(f"async/in/{status}", body)
        answer = runtime.invoke_endpoint_async(
            EndpointName=endpoint, InputLocation=uri, ContentType="text/plain"
        )
        message = receive(target, topics[topic][1], answer["InferenceId"])
        assert message["invocationStatus"] == status
        assert message["requestParameters"]["endpointName"] == endpoint
        assert message["requestParameters"]["inputLocation"] == uri
        assert message["eventSource"] == "aws:sagemaker"
        if status == "Completed":
            assert message["responseParameters"]["outputLocation"] == answer["OutputLocation"]
        else:
            assert message["failureReason"]


@pytest.mark.documented(INVOKE)
def test_a_model_slower_than_the_invocation_timeout_fails(endpoint, runtime, target):
    uri = target.put("async/in/slow", b"sleep 20")
    answer = runtime.invoke_endpoint_async(
        EndpointName=endpoint, InputLocation=uri, InvocationTimeoutSeconds=1
    )
    started = time.monotonic()
    assert stored(target, answer["FailureLocation"])
    assert time.monotonic() - started < max(15, target.wait_s / 10)


@pytest.mark.documented(CLIENT_CONFIG)
def test_as_many_requests_run_together_as_configured(endpoint, runtime, target):
    uri = target.put("async/in/pause", b"sleep 1.5")
    started = time.monotonic()
    answers = [
        runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation=uri) for _ in range(4)
    ]
    for answer in answers:
        assert stored(target, answer["OutputLocation"]) == b"slept"
    # One worker may still sleep for the timed-out request of another test; four one after the
    # other would take 6 s at least.
    assert time.monotonic() - started >= 3.0


@pytest.mark.documented(GUIDE)
def test_an_asynchronous_endpoint_refuses_synchronous_invocations(endpoint, runtime):
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x")
    assert caught.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.documented(INVOKE)
@pytest.mark.parametrize(
    "wrong",
    [
        {"EndpointName": "there-is-none"},
        {"InputLocation": "https://example.com/clip.mp4"},
    ],
)
def test_what_cannot_be_queued_is_refused_at_once(endpoint, runtime, target, wrong):
    request = {"EndpointName": endpoint, "InputLocation": f"s3://{target.bucket}/x", **wrong}
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint_async(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.documented(AUTOSCALE)
def test_requests_wait_while_there_is_no_instance_and_run_when_there_is(endpoint, runtime, target):
    sagemaker = target.client("sagemaker")

    def scale_to(count: int) -> None:
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[
                {"VariantName": "AllTraffic", "DesiredInstanceCount": count}
            ],
        )
        described = target.endpoint_settled(endpoint)
        assert described["ProductionVariants"][0]["CurrentInstanceCount"] == count

    # Instances below a scalable target's minimum come from automatic scaling on AWS.
    target.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{endpoint}/variant/AllTraffic",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=0,
        MaxCapacity=1,
    )
    scale_to(0)
    uri = target.put("async/in/waits", b"patient")
    answer = runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation=uri)
    time.sleep(0.5)
    with pytest.raises(ClientError):
        target.get(answer["OutputLocation"])
    scale_to(1)
    assert stored(target, answer["OutputLocation"]) == b"PATIENT"
