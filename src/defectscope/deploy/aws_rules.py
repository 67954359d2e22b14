"""What AWS documents about its requests beyond their shapes: one table, each rule with its page.

Dry runs, real runs and SageMaker on this machine refuse by it, together with the service's model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectscope.deploy.service_model import model_faults

Request = Mapping[str, Any]
Check = Callable[[Request], str | None]

_DOCS = "https://docs.aws.amazon.com/sagemaker/latest/"
_API = _DOCS + "APIReference/API_"
_GUIDE = _DOCS + "dg/"
# Families whose instances bring a local disk of their own.
_LOCAL_DISK = re.compile(r"ml\.(\w*\dg?i?d|\w*\ddn|\w*dn|g5|g6e?|g7e?|p4de?|p5\w*|trn\d\w*|dl1)\.")


@dataclass(frozen=True, slots=True)
class Rule:
    """One constraint.

    Attributes:
        operations: Operations of SageMaker that it is about.
        page: Where AWS states it.
        check: Returns what a request has against it; None where it keeps to it.
    """

    operations: tuple[str, ...]
    page: str
    check: Check


def request_faults(service: str, operation: str, request: Request) -> list[str]:
    """Returns everything for which AWS would refuse a request, one line each.

    Args:
        service: As boto3 names it.
        operation: As AWS's reference names it.
        request: The request's members.
    """
    found = model_faults(service, operation, request)
    if found or not service.startswith("sagemaker"):
        return found
    told = (rule.check(request) for rule in RULES if operation in rule.operations)
    return [fault for fault in told if fault]


def _one_container(request: Request) -> str | None:
    if ("PrimaryContainer" in request) == ("Containers" in request):
        return "give PrimaryContainer or Containers, and not both"
    return None


def _containers(request: Request) -> Sequence[Request]:
    return [*request.get("Containers", ()), *filter(None, [request.get("PrimaryContainer")])]


def _image_or_package(request: Request) -> str | None:
    for container in _containers(request):
        if bool(container.get("Image")) == bool(container.get("ModelPackageName")):
            return "a container has an Image or a ModelPackageName, and not both"
    return None


def _multi_model(request: Request) -> str | None:
    for container in _containers(request):
        url = str(container.get("ModelDataUrl", ""))
        if container.get("Mode") == "MultiModel" and url.endswith(".tar.gz"):
            return "a multi-model container's ModelDataUrl is a prefix of archives, not one of them"
    return None


def _hosts_of_direct_calls(request: Request) -> str | None:
    direct = request.get("InferenceExecutionConfig", {}).get("Mode") == "Direct"
    if direct and not all(c.get("ContainerHostname") for c in _containers(request)):
        return "containers that are called directly need a ContainerHostname each"
    return None


def _variants(request: Request) -> Sequence[Request]:
    return request.get("ProductionVariants", ())


def _serverless(request: Request) -> bool:
    return any("ServerlessConfig" in variant for variant in _variants(request))


def _names_once(request: Request) -> str | None:
    counts = Counter(v.get("VariantName") for v in _variants(request))
    twice = [str(name) for name, count in counts.items() if count > 1]
    return f"VariantName {twice[0]!r} is given twice" if twice else None


def _instances_or_serverless(request: Request) -> str | None:
    for variant in _variants(request):
        name = variant.get("VariantName")
        instances = "InstanceType" in variant or "InitialInstanceCount" in variant
        if "ServerlessConfig" in variant:
            if instances:
                return f"variant {name!r} has instances and is serverless"
        elif "ModelName" in variant and "InstancePools" not in variant:
            missing = {"InstanceType", "InitialInstanceCount"} - set(variant)
            if missing:
                return f"variant {name!r} lacks {' and '.join(sorted(missing))}"
    return None


def _serverless_memory(request: Request) -> str | None:
    for variant in _variants(request):
        memory_mb = variant.get("ServerlessConfig", {}).get("MemorySizeInMB", 1024)
        if memory_mb % 1024:
            return f"MemorySizeInMB goes in steps of 1024, not {memory_mb}"
    return None


def _serverless_exclusions(request: Request) -> str | None:
    if not _serverless(request):
        return None
    if len(_variants(request)) > 1:
        return "a serverless endpoint has one variant"
    for member, what in (
        ("DataCaptureConfig", "data capture"),
        ("VpcConfig", "VPC"),
        ("EnableNetworkIsolation", "network isolation"),
        ("AsyncInferenceConfig", "asynchronous calls"),
        ("ShadowProductionVariants", "shadow variants"),
    ):
        if request.get(member):
            return f"a serverless endpoint has no {what} ({member})"
    return None


def _key_of_local_disks(request: Request) -> str | None:
    for variant in _variants(request):
        kind = str(variant.get("InstanceType", ""))
        if request.get("KmsKeyId") and _LOCAL_DISK.match(kind):
            return f"{kind} has a local disk with a key of its own: leave KmsKeyId out"
    return None


def _capture_is_on(request: Request) -> str | None:
    capture = request.get("DataCaptureConfig", {})
    modes = [option.get("CaptureMode") for option in capture.get("CaptureOptions", ())]
    if len(set(modes)) < len(modes):
        return "CaptureOptions names a CaptureMode twice"
    return None


def _traffic(request: Request) -> str | None:
    policy = request.get("DeploymentConfig", {}).get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {})
    kind = routing.get("Type")
    wanted = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(kind)
    for member in ("CanarySize", "LinearStepSize"):
        if (member in routing) != (member == wanted):
            return f"{kind} traffic goes {'without' if member in routing else 'with'} {member}"
    size = routing.get(wanted, {}) if wanted else {}
    least = 10 if kind == "LINEAR" else 1
    percent = size.get("Value", least)
    if size.get("Type") == "CAPACITY_PERCENT" and not least <= percent <= 50:
        return f"{wanted} is {least} to 50 percent, not {percent}"
    waits_s = routing.get("WaitIntervalInSeconds", 0) + policy.get("TerminationWaitInSeconds", 0)
    longest_s = policy.get("MaximumExecutionTimeoutInSeconds")
    if longest_s is not None and longest_s < waits_s:
        return f"MaximumExecutionTimeoutInSeconds is at least the waits, {waits_s}"
    return None


def _excluded_of_retained(request: Request) -> str | None:
    if request.get("ExcludeRetainedVariantProperties") and not request.get(
        "RetainAllVariantProperties"
    ):
        return "ExcludeRetainedVariantProperties goes with RetainAllVariantProperties"
    return None


def _payload(request: Request) -> str | None:
    # 0 is "any size, in chunks" and "as many as are best".
    payload_mb = request.get("MaxPayloadInMB", 6)
    concurrent = request.get("MaxConcurrentTransforms") or 1
    if payload_mb > 100:
        return f"MaxPayloadInMB is at most 100, not {payload_mb}"
    if (together_mb := payload_mb * concurrent) > 100:
        return f"MaxConcurrentTransforms x MaxPayloadInMB is at most 100 MB, not {together_mb}"
    return None


def _reserved_tags(request: Request) -> str | None:
    keys = [str(tag.get("Key")) for tag in request.get("Tags", ())]
    for key in keys:
        if key.lower().startswith("aws:"):
            return f"tag {key!r}: names that begin with aws: are AWS's own"
        if keys.count(key) > 1:
            return f"tag {key!r} is given twice"
    return None


def _one_input(request: Request) -> str | None:
    if bool(request.get("InputLocation")) == bool(request.get("Body")):
        return "give InputLocation or Body, and not both"
    return None


_CONFIG = ("CreateEndpointConfig",)
RULES: tuple[Rule, ...] = (
    Rule(("CreateModel",), _API + "CreateModel.html", _one_container),
    Rule(("CreateModel",), _API + "ContainerDefinition.html", _image_or_package),
    Rule(("CreateModel",), _GUIDE + "create-multi-model-endpoint.html", _multi_model),
    Rule(("CreateModel",), _GUIDE + "multi-container-create.html", _hosts_of_direct_calls),
    Rule(_CONFIG, _API + "ProductionVariant.html", _names_once),
    Rule(_CONFIG, _API + "ProductionVariant.html", _instances_or_serverless),
    Rule(_CONFIG, _API + "ProductionVariantServerlessConfig.html", _serverless_memory),
    Rule(_CONFIG, _GUIDE + "serverless-endpoints.html", _serverless_exclusions),
    Rule(_CONFIG, _API + "CreateEndpointConfig.html", _key_of_local_disks),
    Rule(_CONFIG, _API + "DataCaptureConfig.html", _capture_is_on),
    Rule(("CreateEndpoint", "UpdateEndpoint"), _API + "TrafficRoutingConfig.html", _traffic),
    Rule(("UpdateEndpoint",), _API + "UpdateEndpoint.html", _excluded_of_retained),
    Rule(("CreateTransformJob",), _API + "CreateTransformJob.html", _payload),
    Rule(
        (
            "CreateModel",
            "CreateEndpointConfig",
            "CreateEndpoint",
            "CreateTransformJob",
            "CreateModelPackageGroup",
            "AddTags",
        ),
        _API + "Tag.html",
        _reserved_tags,
    ),
    Rule(("InvokeEndpointAsync",), _API + "runtime_InvokeEndpointAsync.html", _one_input),
)
