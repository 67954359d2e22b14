"""From a model as SageMaker knows it to an archive that TorchServe can load."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

from defectscope.container.java import MODEL_NAME_PATTERN
from defectscope.errors import LocalError
from defectscope.local.moto_backend import MotoBackend
from defectscope.local.s3_objects import ObjectUnavailableError, parse_uri, reason

_BLOCK_BYTES = 1024 * 1024
# An archive holds code and at most some hundred megabytes of weights; a bomb holds more.
_ARCHIVE_LIMIT_BYTES = 4 * 1024**3


class ModelUnavailableError(LocalError):
    """The model's data is missing, or is not what a container could serve."""


@dataclass(frozen=True)
class ModelSpec:
    """What a SageMaker model says about its one container.

    Attributes:
        name: The model's name.
        image: The image that SageMaker would run; recorded, never pulled here.
        data_url: s3:// address of model.tar.gz, or of a prefix where `compressed` is false.
        environment: The container's environment variables.
        compressed: Whether the data is a gzipped tar.
    """

    name: str
    image: str
    data_url: str
    environment: dict[str, str]
    compressed: bool = True


def model_spec(moto: MotoBackend, region: str, model_name: str) -> ModelSpec:
    """Looks a model up and reduces it to what can be served here.

    Raises:
        ModelUnavailableError: There is no such model, or it is of a kind that is not emulated.
    """
    try:
        model: dict[str, Any] = moto.client("sagemaker", region).describe_model(
            ModelName=model_name
        )
    except ClientError:
        raise ModelUnavailableError(f'Could not find model "{model_name}".') from None
    containers = model.get("Containers") or []
    primary = model.get("PrimaryContainer") or (containers[0] if len(containers) == 1 else None)
    if not primary or len(containers) > 1:
        raise ModelUnavailableError("only models with one container are emulated")
    if primary.get("Mode") == "MultiModel":
        raise ModelUnavailableError("multi-model containers are not emulated")
    data_url, compressed = _data_source(moto, region, primary)
    return ModelSpec(
        name=model_name,
        image=primary.get("Image", ""),
        data_url=data_url,
        environment=dict(primary.get("Environment") or {}),
        compressed=compressed,
    )


def _data_source(moto: MotoBackend, region: str, container: dict[str, Any]) -> tuple[str, bool]:
    package_name = container.get("ModelPackageName")
    if package_name and not container.get("ModelDataUrl"):
        try:
            package = moto.client("sagemaker", region).describe_model_package(
                ModelPackageName=package_name
            )
        except ClientError:
            raise ModelUnavailableError(f'Could not find model package "{package_name}".') from None
        inner = package.get("InferenceSpecification", {}).get("Containers") or [{}]
        return _data_source(moto, region, {**inner[0], "ModelPackageName": None})
    if container.get("ModelDataUrl"):
        return container["ModelDataUrl"], True
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if not source:
        raise ModelUnavailableError("the model names no data")
    return source["S3Uri"], source.get("CompressionType", "None") == "Gzip"


def fetch_archive(moto: MotoBackend, region: str, spec: ModelSpec, folder: Path) -> Path:
    """Downloads a model's data and takes the one .mar out of it.

    Nothing else of the tar is written, and nothing outside `folder`.

    Args:
        moto: Where S3 is.
        region: The model's region.
        spec: The model.
        folder: An existing, empty, private folder.

    Raises:
        ModelUnavailableError: The object is missing, is no gzipped tar, or does not hold exactly
            one archive at its root.
    """
    s3 = moto.client("s3", region)
    try:
        bucket, key = parse_uri(spec.data_url)
        if not spec.compressed:
            return _fetch_uncompressed(s3, bucket, key, folder)
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        packed = folder / "model.tar.gz"
        with packed.open("wb") as file:
            for block in body.iter_chunks(_BLOCK_BYTES):
                file.write(block)
    except ObjectUnavailableError as error:
        raise ModelUnavailableError(error.message) from None
    except (ClientError, BotoCoreError) as error:
        raise ModelUnavailableError(
            f"Could not access model data at {spec.data_url}: {reason(error)}"
        ) from None
    try:
        return _extract(packed, folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ModelUnavailableError(f"{spec.data_url} is no gzipped tar: {error}") from None
    finally:
        packed.unlink()


def _fetch_uncompressed(s3: Any, bucket: str, key: str, folder: Path) -> Path:
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents") or []
    prefix = key if key.endswith("/") or not key else f"{key}/"
    found = [
        item["Key"]
        for item in listed
        if item["Key"].endswith(".mar")
        and (item["Key"] == key or "/" not in item["Key"].removeprefix(prefix))
    ]
    name = _only_archive([found_key.rsplit("/", 1)[-1] for found_key in found])
    target = folder / name
    with target.open("wb") as file:
        for block in s3.get_object(Bucket=bucket, Key=found[0])["Body"].iter_chunks(_BLOCK_BYTES):
            file.write(block)
    return target


def _only_archive(names: list[str]) -> str:
    if len(names) != 1:
        raise ModelUnavailableError(
            f"model data must hold exactly one .mar at its root, found {len(names)}"
        )
    if not MODEL_NAME_PATTERN.fullmatch(names[0].removesuffix(".mar")):
        raise ModelUnavailableError("TorchServe cannot take an archive of this name")
    return names[0]


def _extract(packed: Path, folder: Path) -> Path:
    with tarfile.open(packed, "r:gz") as tar:
        members: list[tarfile.TarInfo] = []
        for member in tar:
            name = member.name.removeprefix("./")
            if member.isreg() and "/" not in name and name.endswith(".mar"):
                members.append(member)
        name = _only_archive([member.name.removeprefix("./") for member in members])
        if members[0].size > _ARCHIVE_LIMIT_BYTES:
            raise ModelUnavailableError("the archive is larger than 4 GiB")
        source = tar.extractfile(members[0])
        assert source is not None  # a regular file
        target = folder / name
        with source, target.open("wb") as file:
            for block in _read_blocks(source):
                file.write(block)
    return target


def _read_blocks(source: IO[bytes]) -> Iterator[bytes]:
    while block := source.read(_BLOCK_BYTES):
        yield block
