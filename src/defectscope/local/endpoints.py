"""Endpoints and their variants: what exists, in which state, and where traffic goes."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defectscope.errors import DefectscopeError
from defectscope.local.archives import model_spec
from defectscope.local.faults import runtime_validation
from defectscope.local.model_server import ModelServer
from defectscope.local.settings import ACCOUNT_ID, arn
from defectscope.local.workplace import Workplace

_log = logging.getLogger(__name__)


@dataclass
class Variant:
    """A production variant: a model, its share of the traffic and its server.

    Attributes:
        config: The variant as the endpoint configuration states it.
        weight: Share of the traffic, relative to the other variants.
        desired_count: Instances asked for; one server stands for all, none for zero.
        image: The image that SageMaker would run.
        resolved: When it was looked up.
        server: The model's server while there is one.
    """

    config: Mapping[str, Any]
    weight: float
    desired_count: int
    image: str = ""
    resolved: float = field(default_factory=time.time)
    server: ModelServer | None = None

    @property
    def name(self) -> str:
        """The variant's name."""
        return str(self.config["VariantName"])

    @property
    def serverless(self) -> Mapping[str, Any] | None:
        """The serverless configuration where there is one."""
        return self.config.get("ServerlessConfig")

    def describe(self) -> dict[str, Any]:
        """Returns the variant as DescribeEndpoint shows it."""
        summary: dict[str, Any] = {
            "VariantName": self.name,
            "CurrentWeight": self.weight if self.server else 0.0,
            "DesiredWeight": self.weight,
        }
        if self.image:
            summary["DeployedImages"] = [
                {
                    "SpecifiedImage": self.image,
                    "ResolvedImage": self.image,
                    "ResolutionTime": self.resolved,
                }
            ]
        if self.serverless:
            summary["CurrentServerlessConfig"] = dict(self.serverless)
        else:
            summary["CurrentInstanceCount"] = self.desired_count if self.server else 0
            summary["DesiredInstanceCount"] = self.desired_count
        return summary


@dataclass
class Endpoint:
    """An endpoint, from CreateEndpoint to DeleteEndpoint.

    `lock` guards every field; servers are started and stopped without it.
    """

    name: str
    region: str
    config_name: str
    config: Mapping[str, Any]
    status: str = "Creating"
    failure_reason: str | None = None
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)
    variants: dict[str, Variant] = field(default_factory=dict[str, Variant])
    last_deployment: Mapping[str, Any] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def arn(self) -> str:
        """The endpoint's ARN."""
        return arn(self.region, "endpoint", self.name)

    @property
    def async_config(self) -> Mapping[str, Any] | None:
        """The configuration of asynchronous inference where there is one."""
        return self.config.get("AsyncInferenceConfig") or None

    def set_status(self, status: str, failure_reason: str | None = None) -> None:
        """Moves the endpoint to another state."""
        with self.lock:
            self.status, self.failure_reason = status, failure_reason
            self.modified = time.time()

    def summary(self) -> dict[str, Any]:
        """Returns the endpoint as ListEndpoints shows it."""
        return {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "EndpointStatus": self.status,
        }

    def describe(self) -> dict[str, Any]:
        """Returns the endpoint as DescribeEndpoint shows it."""
        with self.lock:
            described = {**self.summary(), "EndpointConfigName": self.config_name}
            if self.variants:
                described["ProductionVariants"] = [v.describe() for v in self.variants.values()]
            if self.failure_reason:
                described["FailureReason"] = self.failure_reason
            if self.async_config:
                described["AsyncInferenceConfig"] = dict(self.async_config)
            capture = self.config.get("DataCaptureConfig")
            if capture and capture.get("EnableCapture"):
                described["DataCaptureConfig"] = {
                    "EnableCapture": True,
                    "CaptureStatus": "Stopped",
                    "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
                    "DestinationS3Uri": capture["DestinationS3Uri"],
                    "KmsKeyId": capture.get("KmsKeyId", ""),
                }
            if self.last_deployment:
                described["LastDeploymentConfig"] = dict(self.last_deployment)
            return described

    def choose(self, target: str | None) -> Variant:
        """Picks the variant for one invocation, by name or by weight.

        Raises:
            FaultError: There is no such variant, or none with an instance and weight.
        """
        with self.lock:
            if target is not None:
                if target not in self.variants:
                    raise runtime_validation(
                        f"Variant {target} not found for endpoint {self.name} "
                        f"of account {ACCOUNT_ID}."
                    )
                return self.variants[target]
            ready = [variant for variant in self.variants.values() if variant.server]
            weights = [variant.weight for variant in ready]
            if not ready:
                raise runtime_validation(
                    f"Endpoint {self.name} of account {ACCOUNT_ID} has no instance in service."
                )
            if not sum(weights):
                weights = [1.0] * len(ready)
            return random.choices(ready, weights)[0]


def new_variants(
    config: Mapping[str, Any], retained: Mapping[str, Variant] | None = None
) -> dict[str, Variant]:
    """Returns the variants of an endpoint configuration, without servers yet.

    Args:
        config: The endpoint configuration.
        retained: Variants whose weight and instance count are kept.
    """
    variants: dict[str, Variant] = {}
    for variant in config["ProductionVariants"]:
        kept = (retained or {}).get(variant["VariantName"])
        variants[variant["VariantName"]] = Variant(
            config=variant,
            weight=kept.weight if kept else float(variant.get("InitialVariantWeight", 1.0)),
            desired_count=kept.desired_count
            if kept
            else int(variant.get("InitialInstanceCount") or 1),
        )
    return variants


def start_variant(workplace: Workplace, endpoint: Endpoint, variant: Variant) -> None:
    """Returns a variant its server.

    Raises:
        ModelUnavailableError: The model or its data is missing.
        ServingError: TorchServe cannot load the model.
    """
    settings = workplace.settings
    spec = model_spec(workplace.moto, endpoint.region, str(variant.config["ModelName"]))
    variant.image = spec.image
    if variant.serverless:
        capacity = int(variant.serverless.get("MaxConcurrency", 1))
        max_body_bytes = settings.serverless_body_bytes
    elif endpoint.async_config:
        capacity = max(settings.concurrent_invocations, 1000)
        max_body_bytes = settings.async_body_bytes
    else:
        capacity = settings.concurrent_invocations * max(1, variant.desired_count)
        max_body_bytes = settings.realtime_body_bytes
    timeout_s = variant.config.get("ContainerStartupHealthCheckTimeoutInSeconds")
    variant.server = ModelServer(
        workplace,
        endpoint.region,
        spec,
        log_path=log_path(workplace.folder, endpoint, variant.name),
        capacity=capacity,
        # The limits are ours to keep; TorchServe's own would answer 413 with an empty body.
        max_body_bytes=max_body_bytes + 1024 * 1024,
        start_timeout_s=float(timeout_s) if timeout_s else None,
    )


def log_path(folder: Path, endpoint: Endpoint, variant_name: str) -> Path:
    """Returns the file that collects what a variant's server complains about."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    return logs / f"endpoint-{endpoint.region}-{endpoint.name}-{variant_name}.log"


def start_all(workplace: Workplace, endpoint: Endpoint, variants: Mapping[str, Variant]) -> None:
    """Starts the servers of all variants at once; when one fails, none is left.

    Raises:
        DefectscopeError: The first failure.
    """
    failures: list[Exception] = []

    def start(variant: Variant) -> None:
        try:
            start_variant(workplace, endpoint, variant)
        except Exception as error:
            if not isinstance(error, DefectscopeError):
                _log.exception("variant %s of %s failed", variant.name, endpoint.name)
            error.add_note(variant.name)
            failures.append(error)

    threads = [
        threading.Thread(target=start, args=(variant,), daemon=True)
        for variant in variants.values()
        if variant.desired_count > 0
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        stop_all(variants)
        raise failures[0]


def stop_all(variants: Mapping[str, Variant], *, drain_s: float = 0.0) -> None:
    """Stops the servers of all variants; what is in flight may finish within `drain_s`."""
    for variant in variants.values():
        server, variant.server = variant.server, None
        if server is not None:
            server.stop(drain_s=drain_s)


def failure_reason(error: Exception) -> str:
    """Words a failure to start as DescribeEndpoint's FailureReason does.

    Source: troubleshooting page of SageMaker endpoints, ping health check.
    """
    name = (getattr(error, "__notes__", None) or ["AllTraffic"])[0]
    return (
        f"The primary container for production variant {name} did not pass the ping health "
        f"check. {error}"
    )[:1024]
