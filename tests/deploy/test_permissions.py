"""Every call that the code makes is made, and held against the policy of whoever makes it.

Policies are evaluated as AWS does for one caller: something must allow, and nothing deny.
Source: AWS IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements".
"""

from __future__ import annotations

import contextlib
import fnmatch
import importlib.util
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws

from defectscope.client import AwsTransport, Client
from defectscope.client.jobs import TransformJob
from defectscope.deploy import (
    endpoint,
    iam,
    image,
    pipeline,
    preflight,
    registry,
    scaling,
    transform,
    updates,
    uploads,
)
from defectscope.deploy.calls import Account, Call, Transaction
from defectscope.deploy.endpoint_spec import Asynchronous, EndpointSpec, Variant
from defectscope.deploy.limits import Limits
from defectscope.deploy.rollout import Rollout
from defectscope.errors import DefectscopeError, InvalidParameterError
from defectscope.monitor import plan
from defectscope.monitor.clips import ClipConfig, clip_store
from defectscope.monitor.config_source import config_source
from defectscope.monitor.lookers import EndpointLooker
from defectscope.monitor.output_config import OutputConfig, delivery_of
from defectscope.player import publish

REGION, ACCOUNT = "eu-west-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/defectscope"
LOOP = pipeline.Loop(
    *(f"s3://qc-work/{folder}" for folder in ("review", "held", "service", "media", "loop")),
    "s3://models/defectscope", "i:1", ROLE, "qc", ("qc-errors",),
)  # fmt: skip
HERE = {"region": REGION, "account_id": ACCOUNT}
DEPLOYER = iam.deployer_policy(
    **HERE, role_arn=ROLE, model_prefix="models/defectscope", repository="defectscope"
)
CALLER = iam.caller_policy(
    **HERE, endpoint_name="qc", staging_prefix="qc-work/staging", output_prefix="qc-work/reports"
)
BATCH = iam.batch_policy(
    **HERE, work_prefix="qc-work/november", media_buckets=["media/titles"], endpoint_name="qc"
)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _matches(patterns: Any, text: str) -> bool:
    # IAM knows * and ? alone; fnmatch would take [ for a class.
    return any(
        fnmatch.fnmatchcase(text, pattern.replace("[", "[[]")) for pattern in _texts(patterns)
    )


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            given = context.get(key)
            match operator:
                case "StringEquals":
                    held = given in _texts(wanted)
                case "StringLike" | "ArnLike":
                    held = given is not None and _matches(wanted, given)
                case "Bool":
                    held = given in [str(value).lower() for value in _texts(wanted)]
                case _:
                    raise ValueError(f"a condition that this simulator does not know: {operator}")
            if not held:
                return False
    return True


def allowed(
    policies: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Mapping[str, str] | None = None,
) -> bool:
    """Says whether the policies let an action happen to a resource."""
    permits = False
    for policy in policies:
        for statement in policy["Statement"]:
            if not _matches([a.lower() for a in _texts(statement["Action"])], action.lower()):
                continue
            if not _matches(statement.get("Resource", "*"), resource):
                continue
            if not _holds(statement.get("Condition", {}), context or {}):
                continue
            if statement["Effect"] == "Deny":
                return False
            permits = True
    return permits


def sagemaker(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def _bucket(request) -> str:
    return f"arn:aws:s3:::{request['Bucket']}"


def _object(request) -> str:
    return f"{_bucket(request)}/{request['Key']}"


def _named(kind: str, member: str):
    return lambda request: sagemaker(kind, request[member])


# Source: Service Authorization Reference: the resource of each action.
RESOURCES = {
    "Model": _named("model", "ModelName"),
    "EndpointConfig": _named("endpoint-config", "EndpointConfigName"),
    "Endpoint": _named("endpoint", "EndpointName"),
    "EndpointWeightsAndCapacities": _named("endpoint", "EndpointName"),
    "TransformJob": _named("transform-job", "TransformJobName"),
    "Pipeline": _named("pipeline", "PipelineName"),
    "ModelPackageGroup": _named("model-package-group", "ModelPackageGroupName"),
    "ListTags": lambda request: request["ResourceArn"],
    "ListEndpoints": lambda _: "*",
    "CreateModelPackage": _named("model-package-group", "ModelPackageGroupName"),
    "ListModelPackages": _named("model-package-group", "ModelPackageGroupName"),
    "DescribeModelPackage": lambda request: request["ModelPackageName"],
    "UpdateModelPackage": lambda request: request["ModelPackageArn"],
    "InvokeEndpoint": _named("endpoint", "EndpointName"),
    "InvokeEndpointAsync": _named("endpoint", "EndpointName"),
    "ListObjectsV2": _bucket,
    "GetBucketLocation": _bucket,
    "GetBucketPolicy": _bucket,
    "GetRole": lambda request: f"arn:aws:iam::{ACCOUNT}:role/{request['RoleName']}",
    "GetObject": _object,
    "HeadObject": _object,
    "PutObject": _object,
    "DeleteObject": _object,
    "PublishBatch": lambda request: request["TopicArn"],
    "GetParameter": lambda r: f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{r['Name']}",
    "PutEvents": lambda r: (
        f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{r['Entries'][0]['EventBusName']}"
    ),
    "DescribeAlarms": lambda _: f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*",
    "PutMetricAlarm": lambda r: f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{r['AlarmName']}",
    "DeleteAlarms": lambda r: f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{r['AlarmNames'][0]}",
}


def resource_of(service: str, operation: str, request) -> str:
    if service == "ecr" and operation != "GetAuthorizationToken":
        name = request.get("repositoryName") or request["repositoryNames"][0]
        return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"
    if service in ("ecr", "sts", "application-autoscaling", "service-quotas"):
        return "*"
    for verb in ("", "Create", "Describe", "Delete", "Update", "Stop"):
        if operation.startswith(verb) and (found := RESOURCES.get(operation.removeprefix(verb))):
            return found(request)
    raise KeyError(operation)


def _snake(operation: str) -> str:
    for known in ("ListObjectsV2",):
        if operation == known:
            return "list_objects_v2"
    return "".join("_" + c.lower() if c.isupper() else c for c in operation).lstrip("_")


@pytest.fixture
def recorded(monkeypatch):
    """A session whose calls are noted before moto answers them."""
    calls: list[tuple[str, str, dict]] = []
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(region_name=REGION)

    def note(params, model, **_kwargs):
        calls.append((model.service_model.service_name, model.name, dict(params)))

    session.events.register("before-parameter-build.*.*", note)
    with mock_aws():
        s3 = boto3.client("s3", region_name=REGION)
        for bucket in ("models", "qc-work", "media"):
            place = {"LocationConstraint": REGION}
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        s3.close()
        yield session, calls


def refused(calls, policy) -> list[str]:
    found = []
    for service, operation, request in calls:
        resource = resource_of(service, operation, request)
        for action in iam.actions(service, _snake(operation)):
            if not allowed([policy], action, resource):
                found.append(f"{action} on {resource}")
    return sorted(set(found))


def spec(**changes) -> EndpointSpec:
    # The stand-in for AWS knows no newer instances.
    kind = {"instance_type": "ml.c5.2xlarge"}
    url = "s3://models/defectscope/x/model.tar.gz"
    main = Variant(image="i:1", model_data_url=url, **kind)
    base = {"name": "qc", "role_arn": ROLE, "variants": (main,), "limits": Limits.of("realtime")}
    return EndpointSpec(**{**base, **changes})


def test_deployers_may_make_each_call_on_each_resource(recorded, tmp_path) -> None:
    session, calls = recorded
    account = Account(session=session, typed=False)
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"tar")
    with Transaction(account) as steps:
        prefix = "s3://models/defectscope"
        uploads.upload_archive(
            archive, prefix, name="freeze", content_sha256="c" * 64, transaction=steps
        )
        endpoint.create_endpoint(spec(), steps)
        queue = Asynchronous("s3://qc-work/reports")
        queued = spec(name="qc-async", asynchronous=queue, limits=Limits.of("async"))
        endpoint.create_endpoint(queued, steps)
        endpoint.apply_scaling(
            scaling.async_calls("qc-async", "main", max_instances=3), steps, "qc-async"
        )
        list(endpoint.list_endpoints(account))
        version = registry.Registration("g", "i", "s3://models/1", "a" * 64, {"version": "1"})
        arn = registry.register(version, steps)
        registry.register(version, steps)
        registry.set_approval(arn, "Approved", "passed", steps)
        registry.approved_version(account, "g")
        for _ in range(2):
            pipeline.put_pipeline("qc-learns", LOOP, steps)
        job = {"job_name": "j", "model_name": "m", "instance_type": "ml.c5.2xlarge"}
        transform.submit(steps, **job, input_uri="s3://qc-work/i", output_uri="s3://qc-work/o")
        transform.watch(account, "j", timeout_s=1)
        endpoint.delete_endpoint("qc-async", steps)
    # What moto lacks is noted before it fails.
    for act in (
        lambda t: updates.update_endpoint(
            spec(limits=Limits.of("realtime", timeout_s=30)), t, Rollout()
        ),
        lambda t: updates.set_weights("qc", {"main": 1.0}, t),
        lambda t: transform.stop("j", t),
        lambda t: image.push_image(
            **HERE,
            repository="defectscope",
            tag="1",
            accelerator="cpu",
            checkout=Path("."),
            transaction=t,
            run=lambda *_: None,
        ),
    ):
        with contextlib.suppress(Exception), Transaction(account) as steps:
            act(steps)
    account.find(Call("sts", "get_caller_identity"))
    made = {(service, operation) for service, operation, _ in calls}
    for expected in ("UpdateEndpoint", "UpdateEndpointWeightsAndCapacities", "StopTransformJob"):
        assert ("sagemaker", expected) in made
    assert ("ecr", "BatchGetImage") in made
    assert refused(calls, DEPLOYER) == []
    # The role goes to SageMaker and to nobody else.
    to = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    assert allowed([DEPLOYER], "iam:PassRole", ROLE, to)
    assert not allowed(
        [DEPLOYER], "iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}
    )
    assert not allowed([DEPLOYER], "iam:PassRole", ROLE + "-other", to)


def test_the_look_at_an_account_takes_what_deployers_may(recorded) -> None:
    session, calls = recorded
    # moto has no quotas; what is asked for them is noted all the same.
    none = (SimpleNamespace(status_code=200), {"Quotas": []})
    session.events.register("before-call.service-quotas.ListServiceQuotas", lambda **_: none)
    registry_of = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    wanted = preflight.Plan(
        role_arn=ROLE,
        image=f"{registry_of}/defectscope:1",
        model_prefix="s3://models/defectscope",
        endpoint_name="qc",
        instance_type="ml.c6i.2xlarge",
        instances=1,
    )
    assert len(list(preflight.look(Account(session=session, typed=False), wanted))) == 6
    assert {operation for _, operation, _ in calls} == {
        "BatchGetImage", "DescribeEndpoint", "GetBucketLocation", "GetBucketPolicy",
        "GetCallerIdentity", "GetRole", "ListServiceQuotas",
    }  # fmt: skip
    assert refused(calls, DEPLOYER) == []
    # It changes nothing, and somebody else's role and bucket are not looked at.
    assert not allowed([DEPLOYER], "iam:GetRole", ROLE + "-other")
    assert not allowed([DEPLOYER], "s3:GetBucketPolicy", "arn:aws:s3:::payroll")


def test_callers_may_make_each_call_on_each_resource(recorded) -> None:
    session, calls = recorded
    transport = AwsTransport(session=session, region=REGION)
    client = Client(
        endpoint_name="qc",
        async_endpoint_name="qc-async",
        staging_uri="s3://qc-work/staging",
        max_body_bytes=10,
        transport=transport,
    )
    for act in (
        lambda: client.submit(b"media that is too large"),
        lambda: client.analyze(b"small"),
        lambda: transport.get("s3://qc-work/reports/a.out", timeout_s=5),
        lambda: client._wire.list("s3://qc-work/reports/"),
        lambda: client._wire.delete("s3://qc-work/staging/a"),
        lambda: Client.for_endpoint("qc", transport=transport),
        lambda: client.transform("s3://qc-work/i", "s3://qc-work/o", model_name="m", job_name="j"),
        lambda: TransformJob(client._wire, "j").poll(),
        lambda: TransformJob(client._wire, "j").stop(),
    ):
        with contextlib.suppress(DefectscopeError):
            act()
    made = {operation for _, operation, _ in calls}
    assert {"InvokeEndpoint", "InvokeEndpointAsync", "PutObject", "GetObject"} <= made
    assert {"DeleteObject", "CreateTransformJob", "DescribeTransformJob"} <= made
    assert refused(calls, CALLER) == []


@pytest.mark.parametrize("name", ["plan_transform", "collect_transform"])
def test_batches_may_be_planned_and_collected(recorded, name, monkeypatch, tmp_path) -> None:
    session, calls = recorded
    plain = boto3.client("s3", region_name=REGION)
    plain.put_object(Bucket="media", Key="titles/a.mp4", Body=b"no film")
    if name == "collect_transform":
        run(tmp_path, monkeypatch, session, "plan_transform")
        plain.put_object(Bucket="qc-work", Key="november/answers/x.out", Body=b"{}")
    calls.clear()
    run(tmp_path, monkeypatch, session, name)
    plain.close()
    assert {"ListObjectsV2", "PutObject" if name == "plan_transform" else "GetObject"} <= {
        operation for _, operation, _ in calls
    }
    assert refused(calls, BATCH) == []


def run(folder: Path, monkeypatch, session, name: str) -> None:
    root = Path(__file__).parents[2]
    found = importlib.util.spec_from_file_location(name, root / "sagemaker" / f"{name}.py")
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    arguments = ["s3://qc-work/november"]
    if name == "plan_transform":
        arguments += ["--prefix", "s3://media/titles/"]
    else:
        arguments += ["--output", str(folder / "out"), "--endpoint", "qc"]
    monkeypatch.setattr("sys.argv", [name, *arguments, "--region", REGION, "--boto3"])
    monkeypatch.setattr("defectscope.client.aws.open_session", lambda *_: session)
    monkeypatch.setattr("defectscope.deploy.calls.open_session", lambda *_: session)
    monkeypatch.setattr(
        "defectscope.media.s3.default_client", lambda: session.client("s3", region_name=REGION)
    )

    class Quiet:
        def say(self, _line: str) -> None:
            """Says nothing."""

    script.main(Quiet())


def _settled(value: Any) -> Any:
    """What CloudFormation makes of a template's functions in a stack called `live`."""
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            text = value["Fn::Sub"]
            for name, here in {
                "Partition": "aws", "Region": REGION, "AccountId": ACCOUNT, "StackName": "live"
            }.items():  # fmt: skip
                text = text.replace(f"${{AWS::{name}}}", here)
            return text
        return {key: _settled(entry) for key, entry in value.items()}
    return [_settled(entry) for entry in value] if isinstance(value, list) else value


def _monitor_policy(*clips: str, **named: Any) -> dict:
    group = plan.Group(("one",), 0.5)
    made = plan.template([group], ["x"], 1, "i:1", clips, **named)
    role = made["Resources"]["TaskRole"]["Properties"]
    return _settled(role["Policies"][0]["PolicyDocument"])


def test_the_monitor_may_make_each_call_on_each_resource(recorded, monkeypatch) -> None:
    session, calls = recorded
    monkeypatch.setattr("boto3.client", session.client)
    topic = session.client("sns").create_topic(Name="alarms")["TopicArn"]
    session.client("ssm").put_parameter(Name="/live/group-1", Value="x", Type="String")
    calls.clear()
    event = {"id": "1", "data": {"channel": "a", "defect": "freeze", "state": "open"}}
    event["data"]["severity"] = "major"
    config_source("ssm:///live/group-1").read()
    sns = OutputConfig("sns", "t", {"topic_arn": topic})
    bus = OutputConfig("eventbridge", "e", {"bus": "default"})
    for output in (sns, bus):
        delivery_of(output).send([event])
    clip_store(ClipConfig("s3://qc-work/clips/"), "one").write("a.ts", [b"packets"])
    assert [operation for _, operation, _ in calls] == [
        "GetParameter", "PublishBatch", "PutEvents", "PutObject",
    ]  # fmt: skip
    policy = _monitor_policy("s3://qc-work/clips/", outputs=(sns, bus))
    assert refused(calls, policy) == []
    # What the configuration does not name is nobody's to write to.
    events = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    written = "s3:PutObject on arn:aws:s3:::qc-work/clips/one/a.ts"
    assert refused(calls, _monitor_policy(outputs=(sns, bus))) == [written]
    assert refused(calls, _monitor_policy("s3://qc-work/clips")) == [
        f"events:PutEvents on {events}",
        f"sns:Publish on {topic}",
    ]
    assert not allowed([policy], "sns:Publish", f"{topic}-2")
    assert not allowed([policy], "events:PutEvents", events.replace("default", "other"))
    assert not allowed([policy], "s3:PutObject", "arn:aws:s3:::qc-work/november/plan.json")
    assert not allowed([policy], "s3:GetObject", "arn:aws:s3:::qc-work/clips/one/a.ts")
    other = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/payroll"
    assert not allowed([policy], "ssm:GetParameter", other)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("sns", {"topic_arn": "*"}),
        ("sns", {"topic_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:*"}),
        ("sns", {"topic_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:${{AWS::StackName}}"}),
        ("sns", {"topic_arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:alarms"}),
        ("eventbridge", {"bus": "*"}),
        ("eventbridge", {"bus": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/?"}),
        ("eventbridge", {"bus": ""}),
    ],
)
def test_an_output_that_is_a_pattern_or_none_is_not_planned(kind, values) -> None:
    with pytest.raises(InvalidParameterError, match=r"output out: .* is no"):
        _monitor_policy(outputs=(OutputConfig(kind, "out", values),))


def test_the_monitor_may_ask_the_endpoint_that_looks_and_no_other(recorded, monkeypatch) -> None:
    session, calls = recorded
    with Transaction(Account(session=session, typed=False)) as steps:
        endpoint.create_endpoint(spec(), steps)
    calls.clear()
    client = Client.for_endpoint("qc", transport=AwsTransport(session=session))
    looker = EndpointLooker(("block_corruption",), "qc", client)
    with contextlib.suppress(DefectscopeError):
        looker.look(b"packets")
    assert [operation for _, operation, _ in calls][:2] == ["DescribeEndpoint", "ListTags"]
    assert "InvokeEndpoint" in [operation for _, operation, _ in calls]
    policy = _monitor_policy(endpoints=("qc",))
    assert refused(calls, policy) == []
    assert len(refused(calls, _monitor_policy(endpoints=("other",)))) == 3
    for name in ("*", "qc/*", "-qc", ""):
        with pytest.raises(InvalidParameterError, match="no name of an endpoint"):
            _monitor_policy(endpoints=(name,))


def test_a_task_whose_events_go_nowhere_else_may_send_none() -> None:
    url = OutputConfig("webhook", "w", {"url": "https://alarms.example.org", "secret_env": "S"})
    actions = [s["Action"] for s in _monitor_policy(outputs=(url,))["Statement"]]
    assert actions == ["ssm:GetParameter"]


def test_a_task_that_cannot_keep_its_clips_is_not_planned() -> None:
    with pytest.raises(InvalidParameterError, match="s3://"):
        _monitor_policy("/var/clips")


def test_publishers_of_the_player_may_make_each_call(recorded, monkeypatch, tmp_path) -> None:
    session, calls = recorded
    monkeypatch.setattr("boto3.client", session.client)
    for file in publish.MODULES.values():
        (tmp_path / file).write_bytes(b"wasm")
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    content = publish.manifest(
        tmp_path, version="1", stage="canary", percentage=1, kill=False, days=1
    )
    publish.publish(tmp_path, "s3://qc-work/player", content, key)
    assert [operation for _, operation, _ in calls] == ["PutObject"] * 3
    policy = iam.publisher_policy(player_prefix="qc-work/player")
    assert refused(calls, policy) == []
    assert not allowed([policy], "s3:PutObject", "arn:aws:s3:::qc-work/november/plan.json")
    assert not allowed([policy], "s3:DeleteObject", "arn:aws:s3:::qc-work/player/x")


EXECUTION = iam.execution_policy(
    **HERE,
    model_prefix="models/defectscope",
    media_buckets=["media/titles"],
    output_prefix="qc-work/reports",
    repository="defectscope",
    kms_key_arn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
    topic_arns=[f"arn:aws:sns:{REGION}:{ACCOUNT}:judged"],
    alarms=["qc-errors"],
    vpc=True,
)
REPOSITORY = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/defectscope"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/qc"


@pytest.mark.parametrize(
    ("action", "resource", "other"),
    [
        # What SageMaker and the container do under the role, and what they must not.
        ("s3:GetObject", "arn:aws:s3:::models/defectscope/x/model.tar.gz", "arn:aws:s3:::models/x"),
        ("s3:ListBucket", "arn:aws:s3:::models", "arn:aws:s3:::elsewhere"),
        ("s3:GetObject", "arn:aws:s3:::media/titles/a.mp4", "arn:aws:s3:::media/secret/a.mp4"),
        ("s3:ListBucket", "arn:aws:s3:::media", "arn:aws:s3:::elsewhere"),
        ("s3:PutObject", "arn:aws:s3:::qc-work/reports/a.out", "arn:aws:s3:::media/titles/a.mp4"),
        ("ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/defectscope", "*"),
        (
            "ecr:GetDownloadUrlForLayer",
            f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/defectscope",
            "*",
        ),
        ("logs:PutLogEvents", GROUP, f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:other"),
        ("sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:judged", f"arn:aws:sns:{REGION}:1:x"),
        (
            "cloudwatch:DescribeAlarms",
            f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:qc-errors",
            f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:other",
        ),
        ("kms:CreateGrant", KEY, KEY + "2"),
        ("kms:Decrypt", KEY, KEY + "2"),
        ("kms:Encrypt", KEY, KEY + "2"),
    ],
)
def test_the_execution_role_may_do_what_serving_takes(action, resource, other) -> None:
    assert allowed([EXECUTION], action, resource)
    assert not allowed([EXECUTION], action, other)


def test_metrics_go_into_two_namespaces() -> None:
    for namespace, may in (("defectscope", True), ("/aws/sagemaker/Endpoints", True), ("x", False)):
        context = {"cloudwatch:namespace": namespace}
        assert allowed([EXECUTION], "cloudwatch:PutMetricData", "*", context) is may


def test_others_things_are_nobodys() -> None:
    for policy in (DEPLOYER, CALLER, BATCH, EXECUTION):
        assert not allowed([policy], "s3:GetObject", "arn:aws:s3:::payroll/a")
        assert not allowed(
            [policy], "sagemaker:DeleteEndpoint", sagemaker("notebook-instance", "x")
        )
        assert not allowed([policy], "iam:CreateRole", "*")
    assert not allowed([CALLER], "sagemaker:InvokeEndpoint", sagemaker("endpoint", "other"))
    assert len(json.dumps(DEPLOYER)) < 10_240
