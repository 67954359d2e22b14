"""The model registry: versions with what was measured, and an approval before deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from defectscope.deploy.calls import Account, Call, Resource, Transaction, tag_list, without_none
from defectscope.errors import DeployError

Approval = Literal["Approved", "Rejected", "PendingManualApproval"]

_MIME_TYPES = ["application/json", "application/jsonlines", "application/octet-stream", "video/mp4"]


@dataclass(frozen=True, slots=True)
class Registration:
    """A model version to register.

    Attributes:
        group: Model package group, one per detector (or `all_detectors`).
        image: Address of the container image.
        model_data_url: s3:// address of model.tar.gz.
        content_sha256: Hash of the archive's contents; the same contents are registered once.
        artifact: The detector.json that the archive carries, for its version and metrics.
        metrics_uri: s3:// address of the metrics document, written beside the archive.
        approval: Status at first.
        tags: Tags of the group.
    """

    group: str
    image: str
    model_data_url: str
    content_sha256: str
    artifact: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metrics_uri: str | None = None
    approval: Approval = "PendingManualApproval"
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


def group_resource(registration: Registration) -> Resource:
    """Returns the model package group."""
    name = {"ModelPackageGroupName": registration.group}
    request = without_none(
        **name,
        ModelPackageGroupDescription=f"defectscope: {registration.group}",
        Tags=tag_list(registration.tags),
    )
    return Resource(
        f"model package group {registration.group}",
        Call("sagemaker", "create_model_package_group", request),
        Call("sagemaker", "describe_model_package_group", name),
        Call("sagemaker", "delete_model_package_group", name),
    )


def package_request(registration: Registration) -> dict[str, Any]:
    """Returns the CreateModelPackage request for one version.

    Without variables, even none: CreateModel gives a container its limits, and refuses to when the
    package has a map of its own, an empty one too. Source:
    https://github.com/aws/sagemaker-python-sdk/issues/3397.
    """
    container = {"Image": registration.image, "ModelDataUrl": registration.model_data_url}
    metrics = None
    if registration.metrics_uri:
        source = {"ContentType": "application/json", "S3Uri": registration.metrics_uri}
        metrics = {"ModelQuality": {"Statistics": source}}
    return without_none(
        ModelPackageGroupName=registration.group,
        ModelPackageDescription=f"version {registration.artifact.get('version', 'unknown')}",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": _MIME_TYPES,
            "SupportedResponseMIMETypes": ["application/json", "application/jsonlines"],
        },
        ModelApprovalStatus=registration.approval,
        ModelMetrics=metrics,
        CustomerMetadataProperties=_metadata(registration),
    )


def register(registration: Registration, transaction: Transaction) -> str | None:
    """Registers a version unless its contents are registered already.

    Returns:
        The version's ARN; None in a dry run.
    """
    transaction.ensure(group_resource(registration))
    if not transaction.dry_run:
        known = _versions(transaction.account, registration.group)
        for arn in known:
            there = transaction.account.call(
                Call("sagemaker", "describe_model_package", {"ModelPackageName": arn})
            )
            properties = there.get("CustomerMetadataProperties", {})
            if properties.get("content_sha256") == registration.content_sha256:
                return arn
    answer = transaction.run(
        Call("sagemaker", "create_model_package", package_request(registration)),
        f"{registration.group}: registered",
    )
    arn = answer.get("ModelPackageArn")
    return str(arn) if arn else None


def approved_version(account: Account, group: str, *, any_status: bool = False) -> str:
    """Returns the ARN of the newest approved version of a group.

    Args:
        account: Where to look.
        group: Model package group.
        any_status: Take the newest version, approved or not.

    Raises:
        DeployError: There is none.
    """
    found = _versions(account, group, None if any_status else "Approved")
    if not found:
        what = "version" if any_status else "approved version"
        raise DeployError(f"model package group {group} has no {what}")
    return found[0]


def contents_of(account: Account, arn: str) -> tuple[str, str]:
    """Returns the image and the archive's address of a version.

    A version that nobody has approved yet is staged by them: the registry is for approved ones.

    Raises:
        DeployError: The version holds something else than one container with an archive.
    """
    found = account.call(Call("sagemaker", "describe_model_package", {"ModelPackageName": arn}))
    containers = found.get("InferenceSpecification", {}).get("Containers", [])
    if len(containers) != 1 or "ModelDataUrl" not in containers[0]:
        raise DeployError(f"{arn} is no version that register_model.py has made")
    return str(containers[0]["Image"]), str(containers[0]["ModelDataUrl"])


def set_approval(arn: str, status: Approval, reason: str, transaction: Transaction) -> None:
    """Approves or rejects a version."""
    request = {
        "ModelPackageArn": arn,
        "ModelApprovalStatus": status,
        "ApprovalDescription": reason,
    }
    transaction.run(Call("sagemaker", "update_model_package", request), f"{arn}: {status}")


def metrics_document(artifact: Mapping[str, Any]) -> str:
    """Returns what was measured about a detector as the document that a version points at."""
    kept = {k: artifact[k] for k in ("version", "performance", "metrics", "data") if k in artifact}
    return json.dumps(kept, indent=2, sort_keys=True)


def _versions(account: Account, group: str, status: Approval | None = None) -> list[str]:
    request = without_none(
        ModelPackageGroupName=group,
        ModelApprovalStatus=status,
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=100,
    )
    page = account.call(Call("sagemaker", "list_model_packages", request))
    entries = page["ModelPackageSummaryList"]
    entries = [e for e in entries if status in (None, e.get("ModelApprovalStatus"))]
    entries.sort(key=lambda entry: int(entry.get("ModelPackageVersion", 0)), reverse=True)
    return [str(entry["ModelPackageArn"]) for entry in entries]


def _metadata(registration: Registration) -> dict[str, str]:
    # Source: Amazon SageMaker API reference, CreateModelPackage: values of at most 256 characters.
    found = {
        "content_sha256": registration.content_sha256,
        "version": str(registration.artifact.get("version", "unknown")),
    }
    for name, value in dict(registration.artifact.get("performance", {})).items():
        if isinstance(value, (int, float)):
            found[f"performance_{name}"[:128]] = f"{value:.6g}"
    return {k: v[:256] for k, v in found.items()}
