"""What AWS would refuse is refused before it is asked, by its model and by its documentation."""

from __future__ import annotations

import re
from copy import deepcopy

import pytest

from defectscope.deploy.aws_rules import RULES, request_faults
from defectscope.deploy.calls import Account, Call, Transaction
from defectscope.deploy.service_model import model_faults, operation_name
from defectscope.errors import InvalidParameterError

ROLE = "arn:aws:iam::123456789012:role/defectscope"
CONTAINER = {"Image": "i:1", "ModelDataUrl": "s3://m/model.tar.gz"}
INSTANCES = {
    "VariantName": "main",
    "ModelName": "m",
    "InstanceType": "ml.c6i.xlarge",
    "InitialInstanceCount": 1,
}
SERVERLESS = {
    "VariantName": "main",
    "ModelName": "m",
    "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
}
CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://c/x",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}
POLICY = {
    "TrafficRoutingConfiguration": {
        "Type": "CANARY",
        "WaitIntervalInSeconds": 300,
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
    },
    "TerminationWaitInSeconds": 300,
    "MaximumExecutionTimeoutInSeconds": 1200,
}
GOOD = {
    "CreateModel": {"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": CONTAINER},
    "CreateEndpointConfig": {"EndpointConfigName": "c", "ProductionVariants": [INSTANCES]},
    "CreateEndpoint": {"EndpointName": "qc", "EndpointConfigName": "c"},
    "UpdateEndpoint": {
        "EndpointName": "qc",
        "EndpointConfigName": "c",
        "DeploymentConfig": {"BlueGreenUpdatePolicy": POLICY},
    },
    "CreateTransformJob": {
        "TransformJobName": "j",
        "ModelName": "m",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://i/x"}}
        },
        "TransformOutput": {"S3OutputPath": "s3://o/x"},
        "TransformResources": {"InstanceType": "ml.c6i.xlarge", "InstanceCount": 1},
        "MaxConcurrentTransforms": 10,
        "MaxPayloadInMB": 10,
    },
}


def changed(operation: str, path: str, value):
    """Returns the good request with one member of it set; None takes it away."""
    request = deepcopy(GOOD[operation])
    inner = request
    *outer, last = path.split("/")
    for name in outer:
        inner = inner[int(name) if name.isdigit() else name]
    if value is None:
        del inner[last]
    else:
        inner[int(last) if last.isdigit() else last] = value
    return request


@pytest.mark.parametrize("operation", GOOD)
def test_what_aws_takes_passes(operation) -> None:
    assert request_faults("sagemaker", operation, GOOD[operation]) == []


@pytest.mark.parametrize(
    ("operation", "path", "value", "says"),
    [
        ("CreateModel", "ModelName", "a_b", "ModelName must match"),
        ("CreateModel", "ModelName", "a" * 64, "at most 63 characters"),
        ("CreateModel", "ModelName", 5, "Invalid type for parameter ModelName"),
        ("CreateModel", "ExecutionRoleArn", "ARN", "min length: 20"),
        ("CreateModel", "ExecutionRoleArn", "arn:aws:iam::12:role/x" + "y" * 9, "ExecutionRoleArn"),
        (
            "CreateModel",
            "PrimaryContainer/Environment",
            {"A-B": "1"},
            ": name must match",
        ),
        ("CreateModel", "PrimaryContainer/Environment", {"A": "x" * 1025}, "at most 1024"),
        ("CreateModel", "PrimaryContainer/Image", "a b", "Image must match"),
        ("CreateModel", "PrimaryContainer/ModelDataUrl", "http://x/y", "ModelDataUrl must match"),
        ("CreateModel", "Tags", [{"Key": "a*", "Value": "b"}], "Tags[0].Key must match"),
        ("CreateModel", "Surprise", 1, "Unknown parameter"),
        ("CreateEndpointConfig", "ProductionVariants/0/InitialInstanceCount", 0, "min value: 1"),
        ("CreateEndpointConfig", "ProductionVariants/0/InstanceType", "ml.x", "must be one of"),
        ("CreateEndpointConfig", "ProductionVariants", [], "min length: 1"),
        (
            "CreateEndpointConfig",
            "DataCaptureConfig",
            {**CAPTURE, "InitialSamplingPercentage": 500},
            "must be at most 100, not 500",
        ),
        ("CreateTransformJob", "TransformResources/InstanceCount", 0, "min value: 1"),
    ],
)
def test_the_service_model_is_kept_to(operation, path, value, says) -> None:
    (fault, *_) = model_faults("sagemaker", operation, changed(operation, path, value))
    assert says in fault


BROKEN = {
    "_one_container": [("CreateModel", "Containers", [CONTAINER])],
    "_image_or_package": [
        ("CreateModel", "PrimaryContainer/Image", None),
        ("CreateModel", "PrimaryContainer/ModelPackageName", "p"),
    ],
    "_multi_model": [("CreateModel", "PrimaryContainer/Mode", "MultiModel")],
    "_hosts_of_direct_calls": [("CreateModel", "InferenceExecutionConfig", {"Mode": "Direct"})],
    "_names_once": [("CreateEndpointConfig", "ProductionVariants", [INSTANCES, INSTANCES])],
    "_instances_or_serverless": [
        ("CreateEndpointConfig", "ProductionVariants/0/InstanceType", None),
        ("CreateEndpointConfig", "ProductionVariants/0", {**INSTANCES, **SERVERLESS}),
    ],
    "_serverless_memory": [
        (
            "CreateEndpointConfig",
            "ProductionVariants/0",
            {**SERVERLESS, "ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}},
        )
    ],
    "_serverless_exclusions": [
        (
            "CreateEndpointConfig",
            "ProductionVariants",
            [SERVERLESS, {**SERVERLESS, "VariantName": "b"}],
        )
    ],
    "_key_of_local_disks": [],
    "_capture_is_on": [
        (
            "CreateEndpointConfig",
            "DataCaptureConfig",
            {**CAPTURE, "CaptureOptions": [{"CaptureMode": "Input"}] * 2},
        )
    ],
    "_traffic": [
        ("UpdateEndpoint", f"DeploymentConfig/BlueGreenUpdatePolicy/{path}", value)
        for path, value in (
            ("TrafficRoutingConfiguration/CanarySize/Value", 51),
            ("TrafficRoutingConfiguration/CanarySize", None),
            ("TrafficRoutingConfiguration/Type", "ALL_AT_ONCE"),
            ("TerminationWaitInSeconds", 1000),
        )
    ],
    "_excluded_of_retained": [
        (
            "UpdateEndpoint",
            "ExcludeRetainedVariantProperties",
            [{"VariantPropertyType": "DesiredWeight"}],
        )
    ],
    "_payload": [
        ("CreateTransformJob", "MaxPayloadInMB", 11),
        ("CreateTransformJob", "MaxConcurrentTransforms", 200),
    ],
    "_reserved_tags": [
        ("CreateEndpoint", "Tags", [{"Key": "aws:x", "Value": "y"}]),
        ("CreateEndpoint", "Tags", [{"Key": "x", "Value": "y"}] * 2),
    ],
    "_one_input": [],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.check.__name__.strip("_"))
def test_each_documented_rule_has_its_page_and_refuses(rule) -> None:
    assert re.fullmatch(
        r"https://docs\.aws\.amazon\.com/sagemaker/latest/[\w/.-]+\.html", rule.page
    )
    for operation, path, value in BROKEN[rule.check.__name__]:
        assert operation in rule.operations
        assert rule.check(changed(operation, path, value))
    for operation in rule.operations:
        if operation in GOOD:
            assert rule.check(GOOD[operation]) is None


def test_rules_of_two_members_at_once() -> None:
    config = changed("CreateEndpointConfig", "KmsKeyId", "key")
    assert request_faults("sagemaker", "CreateEndpointConfig", config) == []
    for kind in ("ml.m5d.large", "ml.g4dn.xlarge", "ml.g5.xlarge"):
        config["ProductionVariants"][0]["InstanceType"] = kind
        (fault,) = request_faults("sagemaker", "CreateEndpointConfig", config)
        assert kind in fault
    serverless = changed("CreateEndpointConfig", "ProductionVariants/0", SERVERLESS)
    assert request_faults("sagemaker", "CreateEndpointConfig", serverless) == []
    for member, value in (
        ("DataCaptureConfig", CAPTURE),
        ("VpcConfig", {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}),
        ("EnableNetworkIsolation", True),
        ("AsyncInferenceConfig", {"OutputConfig": {"S3OutputPath": "s3://o/x"}}),
    ):
        faults = request_faults("sagemaker", "CreateEndpointConfig", {**serverless, member: value})
        assert any(member in fault for fault in faults), member
    name = {"EndpointName": "qc"}
    both = {**name, "Body": b"x", "InputLocation": "s3://i/x"}
    for request in (name, both):
        assert request_faults("sagemaker-runtime", "InvokeEndpointAsync", request)


def test_every_rule_has_its_counterexample() -> None:
    assert {rule.check.__name__ for rule in RULES} == set(BROKEN)


def test_a_dry_run_refuses_what_aws_would() -> None:
    steps = Transaction(Account(region="eu-west-1", typed=False), dry_run=True)
    bad = Call("sagemaker", "create_endpoint", {"EndpointName": "a_b", "EndpointConfigName": "c"})
    with pytest.raises(InvalidParameterError, match=r"CreateEndpoint: EndpointName must match"):
        steps.run(bad, "")
    assert steps.calls == []


def test_operations_are_named_as_aws_names_them() -> None:
    assert operation_name("ecr", "describe_images") == "DescribeImages"
    assert operation_name("s3", "list_objects_v2") == "ListObjectsV2"
    assert operation_name("sts", "get_caller_identity") == "GetCallerIdentity"
    assert operation_name("none", "put_it") == "PutIt"
