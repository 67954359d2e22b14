"""Every request the deployment can make, held against botocore's own models."""

from __future__ import annotations

import datetime
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from defectscope.client.transform import transform_request
from defectscope.deploy import endpoint, iam, image, registry, scaling, transform, updates
from defectscope.deploy.calls import Account, Call, Transaction
from defectscope.deploy.endpoint_spec import (
    Asynchronous,
    Capture,
    EndpointSpec,
    Network,
    Serverless,
    Variant,
    model_resource,
)
from defectscope.deploy.limits import Limits
from defectscope.deploy.rollout import Rollout
from defectscope.deploy.service_model import operation_model
from defectscope.errors import InvalidParameterError

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::123456789012:role/defectscope"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/g/1"
TOPIC = "arn:aws:sns:eu-west-1:123456789012"
SCRIPTS = sorted((ROOT / "sagemaker").glob("*.py"))


def spec(**changes) -> EndpointSpec:
    main = Variant(image="1.dkr.ecr.x/y:1", model_data_url="s3://m/model.tar.gz")
    base = {
        "name": "qc",
        "role_arn": ROLE,
        "variants": (main,),
        "limits": Limits.of("realtime"),
        "tags": {"team": "video"},
    }
    return EndpointSpec(**{**base, **changes})


def dry() -> Transaction:
    return Transaction(Account(region="eu-west-1", typed=False), dry_run=True)


def scenarios() -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = {}

    def record(name: str, build) -> None:
        steps = dry()
        build(steps)
        found[name] = steps.calls

    two = (
        Variant(image="i", model_data_url="s3://m/1"),
        Variant(name="new", image="i", model_data_url="s3://m/2", weight=0.1),
    )
    vpc = Network(("subnet-1",), ("sg-1",))
    queue = Asynchronous("s3://o/r", "s3://o/f", f"{TOPIC}:a", f"{TOPIC}:b", 2)
    created = {
        "real-time": spec(variants=two, capture=Capture("s3://c/x", 20), network=vpc),
        "isolated": spec(network=Network(isolated=True), kms_key_id="key"),
        "serverless": spec(limits=Limits.of("serverless"), serverless=Serverless(3072, 4)),
        "async": spec(limits=Limits.of("async"), asynchronous=queue, kms_key_id="key"),
        "registered": spec(variants=(Variant(model_package_arn=PACKAGE),)),
    }
    for name, wanted in created.items():
        record(f"create {name}", lambda t, w=wanted: endpoint.create_endpoint(w, t))
    for kind in ("all_at_once", "canary", "linear"):
        rollout = Rollout(kind, 20, 120, ("alarm-a", "alarm-b"))
        grown = spec(variants=(replace(spec().variants[0], instance_count=8),))
        record(f"update {kind}", lambda t, r=rollout, s=grown: updates.update_endpoint(s, t, r))
    record("weights", lambda t: updates.set_weights("qc", {"main": 1, "new": 3}, t))
    record("delete", lambda t: endpoint.delete_endpoint("qc", t))
    scale = scaling.realtime_calls("qc", "main", max_instances=4, calls_per_minute=12)
    record("scale", lambda t: endpoint.apply_scaling(scale, t, "qc"))
    zero = scaling.async_calls("qc", "main", max_instances=8)
    record("scale from zero", lambda t: endpoint.apply_scaling(zero, t, "qc"))
    found["scale removed"] = scaling.remove_calls("qc", "main")
    version = registry.Registration(
        "defectscope-freeze",
        "i",
        "s3://m/1",
        "0" * 64,
        {"version": "1", "performance": {"f1": 0.97}},
        "s3://m/metrics.json",
    )
    record("register", lambda t: registry.register(version, t))
    record("approve", lambda t: registry.set_approval(PACKAGE, "Approved", "good", t))
    job = {
        "job_name": "j",
        "model_name": "m",
        "input_uri": "s3://i/",
        "output_uri": "s3://o/",
        "kms_key_id": "key",
        "tags": {"a": "b"},
        "environment": {"A": "B"},
    }
    record("transform", lambda t: transform.submit(t, **job))
    record("transform stop", lambda t: transform.stop("j", t))
    push = {
        "account_id": "123456789012",
        "region": "eu-west-1",
        "repository": "defectscope",
        "tag": "1",
        "accelerator": "cpu",
        "checkout": ROOT,
    }
    record("push", lambda t: image.push_image(**push, transaction=t))
    return found


SCENARIOS = scenarios()


@pytest.mark.parametrize("name", SCENARIOS)
def test_requests_are_operations_that_aws_has(name) -> None:
    """What they hold was checked when they were made; test_aws_rules.py shows that it is."""
    assert SCENARIOS[name]
    for call in SCENARIOS[name]:
        assert operation_model(call.service, call.as_dict()["operation"]) is not None
        call.check()


def test_one_setting_reaches_everything() -> None:
    limits = Limits.of("batch", timeout_s=900, max_body_bytes=20 * 1024 * 1024)
    environment = limits.environment()
    assert environment["TS_DEFAULT_RESPONSE_TIMEOUT"] == "900"
    assert environment["TS_MAX_REQUEST_SIZE"] == environment["DEFECTSCOPE_MAX_BODY_BYTES"]
    assert int(environment["DEFECTSCOPE_TIME_LIMIT_S"]) < 900
    assert limits.max_payload_mb == 20
    assert limits.tags()["defectscope:timeout_s"] == "900"


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Limits.of("realtime", timeout_s=61),
        lambda: Limits.of("serverless", max_body_bytes=5 * 1024 * 1024),
        lambda: Serverless(memory_mb=1500),
        lambda: Network(subnets=("a",)),
        lambda: Variant(image="i"),
        lambda: spec(variants=()),
        lambda: spec(serverless=Serverless(), capture=Capture("s3://c")),
        lambda: spec(serverless=Serverless(), network=Network(isolated=True)),
        lambda: spec(serverless=Serverless(), network=Network(("subnet-1",), ("sg-1",))),
        lambda: spec(serverless=Serverless(), asynchronous=Asynchronous("s3://o/r")),
        lambda: spec(
            serverless=Serverless(),
            variants=(*spec().variants, replace(spec().variants[0], name="new")),
        ),
        lambda: Rollout("canary", 60).config(4, start_s=600),
        lambda: Rollout("sideways").config(4, start_s=600),
        lambda: Rollout("linear", 5).config(4, start_s=600),
        lambda: Rollout("linear", 10, 3600).config(10, start_s=600),
        lambda: scaling.realtime_calls("e", "v", max_instances=0, calls_per_minute=1),
        lambda: transform.job_resource(
            job_name="j",
            model_name="m",
            input_uri="s3://i",
            output_uri="s3://o",
            max_concurrent=20,
            max_payload_mb=6,
        ),
    ],
)
def test_what_aws_would_refuse_later_is_refused_now(bad) -> None:
    with pytest.raises(InvalidParameterError):
        bad()


def test_variables_stand_in_the_model_and_never_in_the_package() -> None:
    """AWS refuses a model's variables when its package has a map of them, even an empty one."""
    version = registry.Registration("g", "i", "s3://m/1", "a" * 64, {"version": "1"})
    (container,) = registry.package_request(version)["InferenceSpecification"]["Containers"]
    assert set(container) == {"Image", "ModelDataUrl"}
    registered = Variant(model_package_arn=PACKAGE)
    made = model_resource(spec(variants=(registered,)), registered)
    assert made.make.request["PrimaryContainer"]["Environment"]


def test_names_change_with_contents_only() -> None:
    def names(wanted: EndpointSpec) -> list[str]:
        steps = dry()
        endpoint.create_endpoint(wanted, steps)
        return [c.request.get("ModelName") or c.request["EndpointConfigName"] for c in steps.calls]

    assert names(spec()) == names(spec(tags={"team": "other"}))
    other = Variant(image="i2", model_data_url="s3://m/model.tar.gz")
    assert not set(names(spec())) & set(names(spec(variants=(other,))))


def test_scaling_from_zero_has_both_policies_and_the_alarm() -> None:
    kinds = [c.request.get("PolicyType") for c in SCENARIOS["scale from zero"]]
    assert kinds.count("TargetTrackingScaling") == 1
    assert kinds.count("StepScaling") == 1
    assert SCENARIOS["scale from zero"][-1].request["MetricName"] == "HasBacklogWithoutCapacity"


@pytest.mark.parametrize("make", ["execution", "caller", "deployer"])
def test_policies_have_no_wildcard_actions(make) -> None:
    where = {"region": "eu-west-1", "account_id": "123456789012"}
    policy = {
        "execution": lambda: iam.execution_policy(
            **where,
            model_prefix="m/p",
            media_buckets=["media"],
            output_prefix="o/p",
            repository="r",
            kms_key_arn="arn:aws:kms:x:1:key/k",
            topic_arns=["arn:aws:sns:x:1:t"],
            vpc=True,
        ),
        "caller": lambda: iam.caller_policy(
            **where, endpoint_name="qc", staging_prefix="s/p", output_prefix="o/p"
        ),
        "deployer": lambda: iam.deployer_policy(
            **where, role_arn=ROLE, model_prefix="m/p", repository="r"
        ),
    }[make]()
    unbounded = set()
    for statement in policy["Statement"]:
        assert not any("*" in action for action in statement["Action"])
        if statement["Resource"] == ["*"] and "Condition" not in statement:
            unbounded |= set(statement["Action"])
    # These take no resource, by AWS's Service Authorization Reference.
    assert {a for a in unbounded if not a.startswith(("ec2:", "application-autoscaling:"))} <= {
        "ecr:GetAuthorizationToken",
        "sagemaker:ListEndpoints",
        "servicequotas:ListServiceQuotas",
        "sts:GetCallerIdentity",
    }
    assert len(json.dumps(policy)) < 10_240


def test_awss_image_comes_with_its_end_of_patch(monkeypatch) -> None:
    monkeypatch.setattr("defectscope.deploy.sdk.image_uri", lambda *_a, **_k: "address")
    address, warning = image.aws_image(
        region="eu-west-1", instance_type="ml.c6i.xlarge", today=datetime.date(2026, 11, 1)
    )
    assert address == "address"
    assert "no patches since 2026-06-30" in warning


def test_scripts_folder_cannot_shadow_the_sdk() -> None:
    names = {path.stem for path in SCRIPTS}
    assert not (ROOT / "sagemaker" / "__init__.py").exists()
    assert not names & (set(sys.stdlib_module_names) | {"core", "serve", "train", "mlops"})
    assert {"create_endpoint", "update_endpoint", "delete_endpoint", "push_image"} <= names


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_teach_their_options(script) -> None:
    shown = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "usage:" in shown
    assert len(shown) > 400


def test_a_dry_run_needs_neither_account_nor_network(tmp_path) -> None:
    command = [
        sys.executable,
        str(ROOT / "sagemaker/create_endpoint.py"),
        "qc",
        *("--role-arn", ROLE, "--image", "i", "--model-data-url", "s3://m/model.tar.gz"),
        *("--max-instances", "3", "--calls-per-minute", "10", "--dry-run"),
    ]
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_REGION": "eu-west-1"}
    done = subprocess.run(command, capture_output=True, text=True, env=clean, check=True)
    operations = [call["operation"] for call in json.load(io.StringIO(done.stdout))]
    assert operations == [
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
        "RegisterScalableTarget",
        "PutScalingPolicy",
    ]


def test_contradicting_options_are_one_line_and_exit_2() -> None:
    command = [sys.executable, str(ROOT / "sagemaker/create_endpoint.py"), "qc", "--dry-run"]
    done = subprocess.run(
        [*command, "--role-arn", ROLE, "--region", "eu-west-1"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        "usage: give one of --archive, --model-data-url and --registered"
    ]


def test_transform_requests_fail_records_alone() -> None:
    request = transform_request(
        job_name="j", model_name="m", input_uri="s3://i", output_uri="s3://o"
    )
    assert request["BatchStrategy"] == "SingleRecord"
    assert request["TransformInput"]["SplitType"] == "Line"
    assert request["TransformInput"]["ContentType"] == "application/jsonlines"
    with pytest.raises(ValueError, match="100"):
        transform_request(
            job_name="j",
            model_name="m",
            input_uri="s3://i",
            output_uri="s3://o",
            max_concurrent=4,
            max_payload_mb=30,
        )


def test_boto3_knows_every_service_called() -> None:
    services = {call.service for calls in SCENARIOS.values() for call in calls}
    assert services <= set(boto3.session.Session().get_available_services())
