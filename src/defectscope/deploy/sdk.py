"""The SageMaker Python SDK, where it works; the only place that imports it.

`sagemaker.core` of version 3 checks requests against typed shapes before anything is sent. What it
gets wrong goes through boto3, each case with its reason in `_BY_BOTO3`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from defectscope.errors import DeployError

_RESOURCES = {
    "create_model": "Model",
    "create_endpoint_config": "EndpointConfig",
    "create_endpoint": "Endpoint",
    "create_transform_job": "TransformJob",
    "create_model_package_group": "ModelPackageGroup",
}

_BY_BOTO3 = {
    "update_endpoint": "Endpoint.update sends the description's fields back and is refused",
    "create_model_package": "the typed model package mixes two shapes named InferenceSpecification",
    "update_endpoint_weights_and_capacities": "Endpoint.update_weights_and_capacities reads the "
    "endpoint anew and fails while it is being updated",
}

# Keys whose values are maps of the user's own names, not fields.
_FREE_MAPS = frozenset({"Environment", "CustomerMetadataProperties"})


def installed() -> bool:
    """Says whether version 3 of the SDK can be imported.

    Looks at the installed distributions: a folder named `sagemaker` on the path proves nothing.
    """
    try:
        return importlib.metadata.version("sagemaker").split(".")[0] == "3"
    except importlib.metadata.PackageNotFoundError:
        return False


def handles(operation: str, request: Mapping[str, Any]) -> bool:
    """Says whether a call goes through the SDK."""
    if operation in _BY_BOTO3 or operation not in _RESOURCES:
        return False
    # ProductionVariant.serverless_config is sent with its fields in the wrong case.
    variants: Any = request.get("ProductionVariants", ())
    return not any("ServerlessConfig" in variant for variant in variants)


def create(operation: str, request: Mapping[str, Any], session: Any, region: str | None) -> None:
    """Creates a resource.

    Raises:
        ClientError: AWS refused.
        DeployError: The SDK's own checks refused, or it read AWS's answer wrongly.
    """
    resource = getattr(_import("sagemaker.core.resources"), _RESOURCES[operation])
    fields = {snake(name): _snaked(name, value) for name, value in request.items()}
    try:
        resource.create(**fields, session=session, region=region)
    except ClientError:
        raise
    except Exception as error:
        raise DeployError(f"SageMaker SDK, {resource.__name__}.create: {error}") from error


def image_uri(
    framework: str, *, region: str, version: str, py_version: str, instance_type: str
) -> str:
    """Returns the address of one of AWS's own inference images.

    Raises:
        DeployError: The SDK knows no such image.
    """
    retrieve = _import("sagemaker.core.image_uris").retrieve
    try:
        return str(
            retrieve(
                framework,
                region,
                version=version,
                py_version=py_version,
                image_scope="inference",
                instance_type=instance_type,
            )
        )
    except ValueError as error:
        raise DeployError(f"no such image: {error}") from None


def snake(name: str) -> str:
    """Returns an API field's name as the SDK spells it: MaxPayloadInMB -> max_payload_in_mb."""
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", spaced).lower()


def _snaked(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        if name in _FREE_MAPS:
            return dict(value)
        return {snake(k): _snaked(k, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_snaked("", item) for item in value]
    return value


def _import(name: str) -> Any:
    # Without this the SDK simulates the role's permissions, which takes a permission of its own.
    os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")
    # A script run from the repository's root could find the folder of scripts instead.
    loaded = sys.modules.get("sagemaker")
    if loaded is not None and getattr(loaded, "__file__", None) is None and not installed():
        raise DeployError("the SageMaker SDK is not installed: pip install 'defectscope[deploy]'")
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DeployError(
            f"the SageMaker SDK is not installed: pip install 'defectscope[deploy]' ({error})"
        ) from None
