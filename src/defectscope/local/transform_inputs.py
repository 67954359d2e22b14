"""Which objects a transform job reads, and where each one's output goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from defectscope.errors import LocalError
from defectscope.local.s3_objects import ObjectUnavailableError, fetch, keys_below, parse_uri

_MANIFEST_LIMIT_BYTES = 64 * 1024 * 1024


class BadInputError(LocalError):
    """The job's input does not exist or its manifest cannot be read."""


@dataclass(frozen=True)
class InputObject:
    """One object to transform.

    Attributes:
        uri: Its s3:// address.
        relative: Its name below the job's prefix: the output goes to the same name plus `.out`.
    """

    uri: str
    relative: str


def list_inputs(s3: Any, source: Mapping[str, str]) -> list[InputObject]:
    """Returns the objects that an S3DataSource stands for.

    Args:
        s3: A boto3 client.
        source: S3DataType and S3Uri of the job.

    Raises:
        BadInputError: There is none, or the manifest is malformed.
    """
    uri = source["S3Uri"]
    try:
        if source.get("S3DataType") == "ManifestFile":
            found = _from_manifest(s3, uri)
        else:
            found = _from_prefix(s3, uri)
    except ObjectUnavailableError as error:
        raise BadInputError(error.message) from None
    if not found:
        raise BadInputError(f"no objects found at {uri}")
    return found


def _from_prefix(s3: Any, uri: str) -> list[InputObject]:
    bucket, prefix = parse_uri(uri)
    folder = prefix.rpartition("/")[0]
    cut = len(folder) + 1 if folder else 0
    return [
        InputObject(f"s3://{bucket}/{key}", key[cut:]) for key in keys_below(s3, bucket, prefix)
    ]


def _from_manifest(s3: Any, uri: str) -> list[InputObject]:
    """Reads SageMaker's manifest: `[{"prefix": "s3://..."}, "relative/path", ...]`.

    Source: API_TransformS3DataSource, S3Uri.
    """
    file, _ = fetch(s3, uri, limit=_MANIFEST_LIMIT_BYTES)
    with file:
        try:
            manifest = json.load(file)
        except (ValueError, RecursionError):
            raise BadInputError(f"manifest {uri} is not JSON") from None
    entries = cast("list[Any]", manifest) if isinstance(manifest, list) else []
    head = cast("dict[str, Any]", entries[0]) if entries and isinstance(entries[0], dict) else {}
    prefix = head.get("prefix")
    names = entries[1:]
    if not isinstance(prefix, str) or not all(isinstance(name, str) for name in names):
        raise BadInputError(
            f'manifest {uri} is not of the form [{{"prefix": "s3://..."}}, "name", ...]'
        )
    return [InputObject(f"{prefix}{name}", name.lstrip("/")) for name in names]
