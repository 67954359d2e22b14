"""What an endpoint is made of, as requests: models, configuration, endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from defectscope.client.settings import STAGING_TAG
from defectscope.deploy.calls import Call, Resource, fingerprint, tag_list, without_none
from defectscope.deploy.limits import Limits
from defectscope.errors import InvalidParameterError

# Source: Amazon SageMaker API reference, ProductionVariant: each 60 to 3600 s.
_DOWNLOAD_S = 1200
_FIRST_PING_S = 600
START_S = 300 + _DOWNLOAD_S + _FIRST_PING_S
"""How long a fleet may take until it serves: instances, the archive, the container."""


@dataclass(frozen=True, slots=True)
class Network:
    """Where the containers run.

    Attributes:
        subnets: Subnets of a VPC; none for SageMaker's own network.
        security_groups: Security groups in that VPC.
        isolated: No network at all, not even S3: uploads alone can be analyzed then.
    """

    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    isolated: bool = False

    def __post_init__(self) -> None:
        if bool(self.subnets) != bool(self.security_groups):
            raise InvalidParameterError("a VPC takes both subnets and security groups")

    def vpc_config(self) -> dict[str, Any] | None:
        """Returns the VpcConfig, None outside a VPC."""
        if not self.subnets:
            return None
        return {"SecurityGroupIds": list(self.security_groups), "Subnets": list(self.subnets)}


@dataclass(frozen=True, slots=True)
class Serverless:
    """Capacity that AWS adds and removes by itself.

    Source: Amazon SageMaker API reference, ProductionVariantServerlessConfig.

    Attributes:
        memory_mb: 1024 to 6144 in steps of 1024.
        max_concurrency: Calls at once, 1 to 200.
    """

    memory_mb: int = 6144
    max_concurrency: int = 5

    def __post_init__(self) -> None:
        if self.memory_mb not in range(1024, 6145, 1024):
            raise InvalidParameterError("serverless memory is 1024 to 6144 MB in steps of 1024")
        if not 1 <= self.max_concurrency <= 200:
            raise InvalidParameterError("serverless concurrency is 1 to 200")


@dataclass(frozen=True, slots=True)
class Asynchronous:
    """Answers that go to S3.

    Attributes:
        output_uri: s3:// prefix for reports.
        failure_uri: s3:// prefix for failures.
        success_topic_arn: SNS topic told of each success.
        error_topic_arn: SNS topic told of each failure.
        concurrency: Calls at once per instance; one per worker is right.
    """

    output_uri: str
    failure_uri: str | None = None
    success_topic_arn: str | None = None
    error_topic_arn: str | None = None
    concurrency: int = 2


@dataclass(frozen=True, slots=True)
class Capture:
    """Requests and answers kept in S3: `percent` of them under `uri`."""

    uri: str
    percent: int = 100


@dataclass(frozen=True, slots=True)
class Variant:
    """One production variant: a model, the machines it runs on, its share of the calls.

    Attributes:
        name: Name within the endpoint.
        image: Address of the container image.
        model_data_url: s3:// address of model.tar.gz.
        model_package_arn: A registered model in place of `image` and `model_data_url`.
        instance_type: Type of the instances.
        instance_count: How many at first; None for what there is, and 1 where there is none.
        weight: Share of the calls, relative to the other variants.
        environment: Variables of the container, besides those that the limits set.
    """

    name: str = "main"
    image: str | None = None
    model_data_url: str | None = None
    model_package_arn: str | None = None
    instance_type: str = "ml.c6i.2xlarge"
    instance_count: int | None = None
    weight: float = 1.0
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if (self.model_package_arn is None) == (self.image is None or self.model_data_url is None):
            raise InvalidParameterError(
                f"variant {self.name!r} needs an image and a model archive, or a model package"
            )


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """Everything that decides an endpoint.

    Attributes:
        name: Name of the endpoint; names of models and configurations derive from it.
        role_arn: Execution role.
        variants: At least one.
        limits: Time and size.
        serverless: In place of instances.
        asynchronous: Makes it an asynchronous endpoint.
        capture: Data capture.
        network: VPC and isolation.
        kms_key_id: Key for volumes, asynchronous output and captured data.
        tags: Tags of everything made.
        staging_uri: Where clients put what is too large for a call; told by a tag.
    """

    name: str
    role_arn: str
    variants: tuple[Variant, ...]
    limits: Limits
    serverless: Serverless | None = None
    asynchronous: Asynchronous | None = None
    capture: Capture | None = None
    network: Network = field(default_factory=Network)
    kms_key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    staging_uri: str | None = None

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        if not names or len(set(names)) != len(names):
            raise InvalidParameterError("an endpoint has variants, each of its own name")
        if self.serverless:
            self._refuse_what_serverless_lacks()

    def _refuse_what_serverless_lacks(self) -> None:
        # Source: Amazon SageMaker developer guide, "Serverless inference": feature exclusions.
        for asked, what in (
            (len(self.variants) > 1, "several variants: deploy two endpoints"),
            (self.asynchronous, "asynchronous calls: leave --async-output or --serverless out"),
            (self.capture, "data capture: the reports can be kept by whoever calls"),
            (self.network.subnets, "VPC: a serverless container reaches S3 without one"),
            (self.network.isolated, "network isolation: run on instances for that"),
        ):
            if asked:
                raise InvalidParameterError(f"serverless endpoints have no {what}")

    def with_counts(self, counts: Mapping[str, int]) -> EndpointSpec:
        """Returns the endpoint with instances filled in where they were left open."""
        variants = [
            replace(v, instance_count=counts.get(v.name)) if v.instance_count is None else v
            for v in self.variants
        ]
        return replace(self, variants=tuple(variants))

    @property
    def all_tags(self) -> dict[str, str]:
        """The caller's tags and those that say what this is and how it may be called."""
        staging = {STAGING_TAG: self.staging_uri} if self.staging_uri else {}
        return {"defectscope:endpoint": self.name, **self.limits.tags(), **staging, **self.tags}


def model_resource(spec: EndpointSpec, variant: Variant) -> Resource:
    """Returns the model of a variant; its name changes when anything about it does."""
    environment = {**spec.limits.environment(), **variant.environment}
    container = without_none(
        Image=variant.image,
        ModelDataUrl=variant.model_data_url,
        ModelPackageName=variant.model_package_arn,
        Environment=environment,
    )
    body = without_none(
        PrimaryContainer=container,
        ExecutionRoleArn=spec.role_arn,
        VpcConfig=spec.network.vpc_config(),
        EnableNetworkIsolation=spec.network.isolated or None,
    )
    name = f"{spec.name[:40]}-{variant.name[:10]}-{fingerprint(body)}"
    request = {"ModelName": name, **body, "Tags": tag_list(spec.all_tags)}
    return Resource(
        f"model {name}",
        Call("sagemaker", "create_model", request),
        Call("sagemaker", "describe_model", {"ModelName": name}),
        Call("sagemaker", "delete_model", {"ModelName": name}),
    )


def config_resource(spec: EndpointSpec, models: Sequence[str]) -> Resource:
    """Returns the endpoint configuration over the models of its variants."""
    variants = [
        _variant(spec, variant, model) for variant, model in zip(spec.variants, models, strict=True)
    ]
    body = without_none(
        ProductionVariants=variants,
        AsyncInferenceConfig=_async_config(spec),
        DataCaptureConfig=_capture_config(spec),
        KmsKeyId=None if spec.serverless else spec.kms_key_id,
    )
    name = f"{spec.name[:50]}-{fingerprint(body)}"
    request = {"EndpointConfigName": name, **body, "Tags": tag_list(spec.all_tags)}
    identity = {"EndpointConfigName": name}
    return Resource(
        f"configuration {name}",
        Call("sagemaker", "create_endpoint_config", request),
        Call("sagemaker", "describe_endpoint_config", identity),
        Call("sagemaker", "delete_endpoint_config", identity),
    )


def endpoint_resource(spec: EndpointSpec, config_name: str) -> Resource:
    """Returns the endpoint itself."""
    identity = {"EndpointName": spec.name}
    request = {
        **identity,
        "EndpointConfigName": config_name,
        "Tags": tag_list(spec.all_tags),
    }
    return Resource(
        f"endpoint {spec.name}",
        Call("sagemaker", "create_endpoint", request),
        Call("sagemaker", "describe_endpoint", identity),
        Call("sagemaker", "delete_endpoint", identity),
    )


def _variant(spec: EndpointSpec, variant: Variant, model: str) -> dict[str, Any]:
    head: dict[str, Any] = {
        "VariantName": variant.name,
        "ModelName": model,
        "InitialVariantWeight": variant.weight,
    }
    if spec.serverless:
        head["ServerlessConfig"] = {
            "MemorySizeInMB": spec.serverless.memory_mb,
            "MaxConcurrency": spec.serverless.max_concurrency,
        }
        return head
    return {
        **head,
        "InstanceType": variant.instance_type,
        "InitialInstanceCount": 1 if variant.instance_count is None else variant.instance_count,
        "ModelDataDownloadTimeoutInSeconds": _DOWNLOAD_S,
        "ContainerStartupHealthCheckTimeoutInSeconds": _FIRST_PING_S,
    }


def _async_config(spec: EndpointSpec) -> dict[str, Any] | None:
    wanted = spec.asynchronous
    if wanted is None:
        return None
    notify = without_none(SuccessTopic=wanted.success_topic_arn, ErrorTopic=wanted.error_topic_arn)
    return {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": wanted.concurrency},
        "OutputConfig": without_none(
            S3OutputPath=wanted.output_uri,
            S3FailurePath=wanted.failure_uri,
            KmsKeyId=spec.kms_key_id,
            NotificationConfig=notify,
        ),
    }


def _capture_config(spec: EndpointSpec) -> dict[str, Any] | None:
    if spec.capture is None:
        return None
    return without_none(
        EnableCapture=True,
        InitialSamplingPercentage=spec.capture.percent,
        DestinationS3Uri=spec.capture.uri,
        KmsKeyId=spec.kms_key_id,
        CaptureOptions=[{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        CaptureContentTypeHeader={"JsonContentTypes": ["application/json"]},
    )
