"""Steps made once, undone on failure, and sent the same by the SDK as by boto3."""

from __future__ import annotations

import datetime
import json

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from defectscope.deploy import endpoint, registry, scaling, sdk, updates, uploads
from defectscope.deploy.calls import Account, Call, Transaction
from defectscope.deploy.endpoint_spec import Asynchronous, EndpointSpec, Serverless, Variant
from defectscope.deploy.limits import Limits
from defectscope.deploy.rollout import Rollout
from defectscope.errors import DeployError

ROLE = "arn:aws:iam::123456789012:role/defectscope"


@pytest.fixture
def account(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield Account(region="eu-west-1", typed=False)


def spec(image: str = "i:1", **changes) -> EndpointSpec:
    base = {
        "name": "qc",
        "role_arn": ROLE,
        # The stand-in for AWS knows no newer instances.
        "variants": (
            Variant(
                image=image, model_data_url="s3://m/model.tar.gz", instance_type="ml.c5.2xlarge"
            ),
        ),
        "limits": Limits.of("realtime"),
    }
    return EndpointSpec(**{**base, **changes})


def create(account: Account, wanted: EndpointSpec) -> list[str]:
    with Transaction(account) as steps:
        endpoint.create_endpoint(wanted, steps)
    return [call.operation for call in steps.calls]


def test_a_second_run_changes_nothing(account) -> None:
    assert create(account, spec()) == ["create_model", "create_endpoint_config", "create_endpoint"]
    assert create(account, spec()) == []
    (found,) = endpoint.list_endpoints(account)
    assert found["name"] == "qc"
    assert found["state"] == "InService"


def test_another_configuration_is_not_made_silently(account) -> None:
    create(account, spec())
    before = len(account.client("sagemaker").list_models()["Models"])
    with pytest.raises(DeployError, match="update_endpoint changes it") as caught:
        create(account, spec(image="i:2"))
    assert "removed configuration" in caught.value.message
    assert len(account.client("sagemaker").list_models()["Models"]) == before


def test_half_made_resources_go_when_a_step_fails(account, monkeypatch) -> None:
    real = account.call

    def failing(call: Call):
        if call.operation == "create_endpoint":
            raise DeployError("quota exceeded")
        return real(call)

    monkeypatch.setattr(account, "call", failing)
    with pytest.raises(DeployError, match=r"quota exceeded.*removed configuration.*removed model"):
        create(account, spec())
    client = account.client("sagemaker")
    assert client.list_models()["Models"] == []
    assert client.list_endpoint_configs()["EndpointConfigs"] == []


def test_deleting_takes_everything_of_ours_and_again_is_harmless(account) -> None:
    create(account, spec())
    calls = scaling.realtime_calls("qc", "main", max_instances=3, calls_per_minute=10)
    with Transaction(account) as steps:
        endpoint.apply_scaling(calls, steps, "qc")
        assert endpoint.delete_endpoint("qc", steps)
    client = account.client("sagemaker")
    assert client.list_endpoints()["Endpoints"] == []
    assert client.list_models()["Models"] == []
    targets = account.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker"
    )
    assert targets["ScalableTargets"] == []
    with Transaction(account) as steps:
        assert not endpoint.delete_endpoint("qc", steps)


def test_scale_to_zero_is_registered_with_its_alarm(account) -> None:
    queue = Asynchronous("s3://o/r", "s3://o/f")
    create(account, spec(asynchronous=queue, limits=Limits.of("async")))
    for _ in range(2):
        with Transaction(account) as steps:
            calls = scaling.async_calls("qc", "main", max_instances=8)
            endpoint.apply_scaling(calls, steps, "qc")
    policies = account.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="sagemaker"
    )["ScalingPolicies"]
    assert sorted(p["PolicyType"] for p in policies) == ["StepScaling", "TargetTrackingScaling"]
    (alarm,) = account.client("cloudwatch").describe_alarms(AlarmNamePrefix="qc-backlog")[
        "MetricAlarms"
    ]
    step = next(p for p in policies if p["PolicyType"] == "StepScaling")
    assert alarm["AlarmActions"] == [step["PolicyARN"]]


def test_only_approved_versions_are_deployed(account) -> None:
    first = registry.Registration("g", "i", "s3://m/1", "a" * 64, {"version": "1"})
    with Transaction(account) as steps:
        arn = registry.register(first, steps)
        assert registry.register(first, steps) == arn
        with pytest.raises(DeployError, match="no approved version"):
            registry.approved_version(account, "g")
        assert registry.approved_version(account, "g", any_status=True) == arn
        # What nobody has approved yet is staged by its contents, not by its name in the registry.
        assert registry.contents_of(account, arn) == ("i", "s3://m/1")
        registry.set_approval(arn, "Approved", "passed", steps)
        newer = registry.Registration("g", "i", "s3://m/2", "b" * 64, {"version": "2"})
        assert registry.register(newer, steps) != arn
    assert registry.approved_version(account, "g") == arn


def test_archives_are_uploaded_once(account, tmp_path) -> None:
    account.client("s3").create_bucket(
        Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"tar")
    uploaded = []
    for _ in range(2):
        with Transaction(account) as steps:
            uploads.upload_archive(
                archive, "s3://models/p", name="freeze", content_sha256="c" * 64, transaction=steps
            )
            uploaded.append(len(steps.calls))
    assert uploaded == [1, 0]


def test_updates_are_sent_with_their_rollout() -> None:
    client = boto3.client(
        "sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    account = Account(region="eu-west-1", typed=False)
    account._clients["sagemaker"] = client
    rollout = Rollout("canary", 10, 600, ("errors",))
    expected = Transaction(account, dry_run=True)
    updates.update_endpoint(spec(image="i:2"), expected, rollout)
    missing = {"service_error_code": "ValidationException", "service_message": "Could not find x"}
    with Stubber(client) as stub:
        described = _described("qc-old", "InService")
        stub.add_response("describe_endpoint", described, {"EndpointName": "qc"})
        stub.add_client_error("describe_endpoint_config", **missing)
        for call in expected.calls[:2]:
            name = "model" if call.operation == "create_model" else "endpoint_config"
            stub.add_client_error(f"describe_{name}", **missing)
            answer = {"ModelArn": "a" * 20} if name == "model" else {"EndpointConfigArn": "a" * 20}
            stub.add_response(call.operation, answer, dict(call.request))
        stub.add_response(
            "update_endpoint", {"EndpointArn": "a" * 20}, dict(expected.calls[2].request)
        )
        with Transaction(account) as steps:
            assert updates.update_endpoint(spec(image="i:2"), steps, rollout)
        stub.assert_no_pending_responses()
    client.close()
    policy = expected.calls[2].request["DeploymentConfig"]
    assert policy["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "errors"}]}


def _described(config: str, state: str) -> dict:
    now = datetime.datetime(2026, 1, 1)
    return {
        "EndpointName": "qc",
        "EndpointArn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/qc",
        "EndpointConfigName": config,
        "EndpointStatus": state,
        "CreationTime": now,
        "LastModifiedTime": now,
    }


def test_waiting_shows_progress_and_names_a_failure() -> None:
    states = iter(["Creating", "Creating", "Failed"])

    class FakeAccount:
        def find(self, _call):
            return {"EndpointStatus": next(states), "FailureReason": "image cannot be pulled"}

    seen: list[str] = []
    with pytest.raises(DeployError, match="image cannot be pulled"):
        endpoint.wait(
            FakeAccount(), "qc", watch=lambda state, _s: seen.append(state), sleep=lambda _s: None
        )
    assert seen == ["Creating", "Creating", "Failed"]


def test_waiting_names_a_roll_back() -> None:
    class FakeAccount:
        def find(self, _call):
            return {"EndpointStatus": "InService", "FailureReason": "alarm errors rang"}

    with pytest.raises(DeployError, match="rolled back: alarm errors rang"):
        endpoint.wait(FakeAccount(), "qc", sleep=lambda _s: None)


def test_serverless_goes_around_the_sdk() -> None:
    steps = Transaction(Account(region="eu-west-1", typed=False), dry_run=True)
    wanted = spec(serverless=Serverless(), limits=Limits.of("serverless"))
    endpoint.create_endpoint(wanted, steps)
    config = steps.calls[1]
    assert not sdk.handles(config.operation, config.request)
    assert sdk.handles(steps.calls[0].operation, steps.calls[0].request)
    assert not sdk.handles("update_endpoint", {})


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("MaxPayloadInMB", "max_payload_in_mb"),
        ("S3OutputPath", "s3_output_path"),
        ("KmsKeyId", "kms_key_id"),
        ("ModelDataUrl", "model_data_url"),
        ("SplitType", "split_type"),
        ("S3DataType", "s3_data_type"),
    ],
)
def test_field_names_as_the_sdk_spells_them(name, spelt) -> None:
    assert sdk.snake(name) == spelt


SENT = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import boto3
from defectscope.deploy import endpoint, transform
from defectscope.deploy.calls import Account, Transaction
from defectscope.deploy.endpoint_spec import Asynchronous, Capture, EndpointSpec, Network, Variant
from defectscope.deploy.limits import Limits
from defectscope.deploy.rollout import Rollout

session = boto3.Session(region_name="eu-west-1")
sent = []
def keep(params, model, **_):
    sent.append([model.name, params])
import botocore.client
real = botocore.client.BaseClient._make_api_call
def fake(self, name, params):
    if not name.startswith("Describe"):
        sent.append([name, params])
        return {}
    raise botocore.exceptions.ClientError({"Error": {"Code": "ValidationException",
        "Message": "Could not find it"}}, name)
botocore.client.BaseClient._make_api_call = fake

variants = (Variant(image="i", model_data_url="s3://m/1", environment={"MyVar_A": "1"}),
            Variant(name="b", image="i", model_data_url="s3://m/2", weight=0.5))
spec = EndpointSpec("qc", "arn:aws:iam::123456789012:role/d", variants, Limits.of("async"),
    asynchronous=Asynchronous("s3://o/r", "s3://o/f"), capture=Capture("s3://c/x", 5),
    network=Network(("subnet-1",), ("sg-1",)), kms_key_id="key", tags={"a": "b"})
dry = Transaction(Account(region="eu-west-1", typed=False), dry_run=True)
def both(steps):
    for build in (lambda: endpoint.create_endpoint(spec, steps),
                  lambda: transform.submit(steps, job_name="j", model_name="m",
                      input_uri="s3://i/", output_uri="s3://o/", environment={"X_Y": "1"},
                      tags={"a": "b"})):
        build()
both(dry)
class Typed(Account):
    def find(self, call):
        return None
typed = Typed(region="eu-west-1", session=session, typed=True)
for call in dry.calls:
    try:
        typed.call(call)
    except Exception as error:
        # What is read back afterwards does not exist here.
        if "Could not find it" not in str(error):
            raise
print(json.dumps([[c.as_dict()["operation"], dict(c.request)] for c in dry.calls] == sent))
if [[c.as_dict()["operation"], dict(c.request)] for c in dry.calls] != sent:
    print(json.dumps(sent, indent=1), json.dumps([c.as_dict() for c in dry.calls], indent=1))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sdk.installed(), reason="the SageMaker SDK is not installed")
def test_the_sdk_sends_what_a_dry_run_prints(tmp_path) -> None:
    import os
    import subprocess
    import sys

    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SENT], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[0]) is True, done.stdout
