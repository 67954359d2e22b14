"""What the registry holds under a tag, and whether SageMaker takes it.

CreateModel refuses OCI manifests and everything that names several platforms or carries
attestations: "Unsupported manifest media type". Docker's newer versions make both by default.

Source: https://github.com/aws/amazon-sagemaker-feedback/issues/180 (SageMaker's message), and
Amazon ECR API reference, BatchGetImage.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from defectscope.deploy.calls import Account, Call
from defectscope.errors import DeployError

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_OTHERS = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest in the registry.

    Attributes:
        media_type: Of the manifest itself.
        digest: The image's digest.
        config_type: Of the configuration that it names.
        size_bytes: Of all layers together, compressed.
    """

    media_type: str
    digest: str
    config_type: str
    size_bytes: int

    def fault(self) -> str | None:
        """Returns why SageMaker would refuse the image; None where it takes it."""
        if self.media_type != DOCKER_MANIFEST:
            return f"its manifest is {self.media_type}, SageMaker takes {DOCKER_MANIFEST} alone"
        if self.config_type != _DOCKER_CONFIG:
            return f"its configuration is {self.config_type}, not {_DOCKER_CONFIG}"
        return None


def read_manifest(account: Account, repository: str, tag: str) -> Manifest | None:
    """Reads what lies under a tag; None where there is nothing.

    Raises:
        DeployError: The registry refused.
    """
    call = manifest_call(repository, tag)
    answer = account.find(call) or {}
    for image in answer.get("images", ()):
        held = cast("dict[str, Any]", json.loads(image["imageManifest"]))
        kind = image.get("imageManifestMediaType") or held.get("mediaType", "")
        layers = held.get("layers", ())
        return Manifest(
            str(kind),
            str(image["imageId"].get("imageDigest", "")),
            str(held.get("config", {}).get("mediaType", "")),
            sum(int(layer.get("size", 0)) for layer in layers),
        )
    return None


def manifest_call(repository: str, tag: str) -> Call:
    """Returns the call that reads a tag's manifest, whatever its kind."""
    request = {
        "repositoryName": repository,
        "imageIds": [{"imageTag": tag}],
        "acceptedMediaTypes": [DOCKER_MANIFEST, *_OTHERS],
    }
    return Call("ecr", "batch_get_image", request)


def require_fit(account: Account, repository: str, tag: str) -> Manifest:
    """Returns a tag's manifest once it is certain that SageMaker takes it.

    Raises:
        DeployError: There is none, or SageMaker would refuse it. What is unfit is removed: tags
            cannot be written twice.
    """
    found = read_manifest(account, repository, tag)
    if found is None:
        raise DeployError(f"the registry holds no {repository}:{tag}")
    fault = found.fault()
    if fault is None:
        return found
    request = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    account.call(Call("ecr", "batch_delete_image", request))
    raise DeployError(
        f"{repository}:{tag}: {fault}; it was removed again. Build with --provenance=false and "
        "--output type=docker, as push_image does"
    )
