"""Container images: ours, built and pushed to the account's registry, or AWS's last one."""

from __future__ import annotations

import base64
import datetime
import hashlib
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from defectscope.deploy import sdk
from defectscope.deploy.calls import Call, Resource, Transaction, tag_list
from defectscope.deploy.image_manifest import manifest_call, read_manifest, require_fit
from defectscope.errors import DeployError, UsageError

Accelerator = Literal["cpu", "cuda"]
Run = Callable[[Sequence[str], bytes | None], None]

# Source: AWS Deep Learning Containers, support policy: the last inference image with TorchServe is
# PyTorch 2.6.0, its end of patch 30 June 2026.
_AWS_VERSION = "2.6.0"
_AWS_PYTHON = "py312"
_AWS_END_OF_PATCH = datetime.date(2026, 6, 30)


def image_address(account_id: str, region: str, repository: str, tag: str) -> str:
    """Returns the address of an image in the account's registry."""
    suffix = ".cn" if region.startswith("cn-") else ""
    return f"{account_id}.dkr.ecr.{region}.amazonaws.com{suffix}/{repository}:{tag}"


def aws_image(
    *, region: str, instance_type: str, today: datetime.date | None = None
) -> tuple[str, str]:
    """Returns the address of AWS's last PyTorch image with TorchServe, and the warning about it."""
    address = sdk.image_uri(
        "pytorch",
        region=region,
        version=_AWS_VERSION,
        py_version=_AWS_PYTHON,
        instance_type=instance_type,
    )
    ended = (today or datetime.datetime.now(datetime.UTC).date()) > _AWS_END_OF_PATCH
    state = "has had no patches since" if ended else "gets patches until"
    return address, (
        f"AWS's image with TorchServe (PyTorch {_AWS_VERSION}) {state} {_AWS_END_OF_PATCH}; it "
        "installs the archive's requirements when it starts and has no self-test: prefer the "
        "image that push_image builds"
    )


def build_command(
    address: str, accelerator: Accelerator, checkout: Path, torch_index_url: str | None = None
) -> list[str]:
    """Returns the docker command that builds the image from a checkout.

    Args:
        address: What to call it.
        accelerator: What it is to run on.
        checkout: Folder with the sources.
        torch_index_url: A mirror of the package index of PyTorch's CPU builds; None for PyTorch's
            own.

    Raises:
        UsageError: The index is no https address, or is given for `cuda`.
    """
    index: list[str] = []
    if torch_index_url:
        if accelerator != "cpu":
            raise UsageError("the index of CPU builds goes with the accelerator cpu only")
        if not torch_index_url.startswith("https://") or "@" in torch_index_url:
            # What a build argument holds can be read from the image's history.
            raise UsageError("the package index must be an https address without credentials")
        index = ["--build-arg", f"TORCH_INDEX_URL={torch_index_url}"]
    return [
        "docker",
        "buildx",
        "build",
        # One platform, Docker's media types and no attestations: SageMaker refuses all else.
        "--platform",
        "linux/amd64",
        "--provenance=false",
        "--sbom=false",
        "--output",
        "type=docker",
        "--build-arg",
        f"ACCELERATOR={accelerator}",
        *index,
        "--file",
        str(checkout / "image" / "Dockerfile"),
        "--tag",
        address,
        str(checkout),
    ]


def push_image(
    *,
    account_id: str,
    region: str,
    repository: str,
    tag: str,
    accelerator: Accelerator,
    checkout: Path,
    transaction: Transaction,
    torch_index_url: str | None = None,
    run: Run | None = None,
) -> str:
    """Builds the image and pushes it, making the repository first; returns the image's address.

    A tag that is in the registry is not built again: tags are immutable there. What the registry
    holds in the end is read, and an image that SageMaker would refuse is none.

    Raises:
        DeployError: Docker is missing or failed, a call failed, or the image is unfit.
        UsageError: The package index makes no sense.
    """
    address = image_address(account_id, region, repository, tag)
    build = build_command(address, accelerator, checkout, torch_index_url)
    transaction.ensure(_repository(repository))
    if not transaction.dry_run and read_manifest(transaction.account, repository, tag) is not None:
        require_fit(transaction.account, repository, tag)
        return address
    execute = run or _run
    token = transaction.run(Call("ecr", "get_authorization_token"), "registry: signed in")
    if transaction.dry_run:
        transaction.run(manifest_call(repository, tag), "")
        return address
    entry = token["authorizationData"][0]
    user, _, password = base64.b64decode(entry["authorizationToken"]).decode().partition(":")
    execute(build, None)
    # The password goes through standard input: command lines can be read by other users.
    execute(
        ["docker", "login", "--username", user, "--password-stdin", entry["proxyEndpoint"]],
        password.encode(),
    )
    execute(["docker", "push", address], None)
    held = require_fit(transaction.account, repository, tag)
    transaction.tell(f"image {repository}:{tag}: {held.size_bytes / 1e9:.2f} GB, {held.digest}")
    return address


def content_tag(checkout: Path, version: str, accelerator: Accelerator) -> str:
    """Returns the tag of what a checkout would build: the same contents, the same tag.

    Args:
        checkout: Folder with the sources.
        version: The package's version, at the head of the tag.
        accelerator: What the image is to run on.

    Raises:
        UsageError: The folder is no checkout.
    """
    ignored = checkout / "image" / "Dockerfile.dockerignore"
    if not ignored.is_file():
        raise UsageError(f"{checkout} is no checkout: it has no image/Dockerfile")
    kept = [line[1:] for line in ignored.read_text().splitlines() if line.startswith("!")]
    digest = hashlib.sha256()
    for name in ("image/Dockerfile", *sorted(kept)):
        root = checkout / name
        files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
        for path in files:
            if "__pycache__" in path.parts:
                continue
            digest.update(path.relative_to(checkout).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{version}-{accelerator}-{digest.hexdigest()[:12]}"


def _repository(name: str) -> Resource:
    request = {
        "repositoryName": name,
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "tags": tag_list({"defectscope:image": name}),
    }
    return Resource(
        f"repository {name}",
        Call("ecr", "create_repository", request),
        Call("ecr", "describe_repositories", {"repositoryNames": [name]}),
        Call("ecr", "delete_repository", {"repositoryName": name}),
    )


def _run(command: Sequence[str], standard_input: bytes | None) -> None:
    try:
        subprocess.run(command, input=standard_input, check=True)
    except FileNotFoundError:
        raise DeployError(f"{command[0]} is not installed on this machine") from None
    except subprocess.CalledProcessError as error:
        raise DeployError(
            f"{command[0]} {command[1]} failed with exit {error.returncode}"
        ) from None
