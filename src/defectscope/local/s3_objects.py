"""Reading and writing whole S3 objects through files, never through memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from defectscope.errors import LocalError

_BLOCK_BYTES = 1024 * 1024


class ObjectUnavailableError(LocalError):
    """An S3 object cannot be read or written."""


def parse_uri(uri: str) -> tuple[str, str]:
    """Returns bucket and key of `s3://bucket/key`.

    Raises:
        ObjectUnavailableError: The address is of another kind or names no bucket.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise ObjectUnavailableError(f"not an S3 address: {uri}")
    return bucket, key


def fetch(s3: Any, uri: str, *, limit: int | None = None) -> tuple[IO[bytes], int]:
    """Downloads an object into a temporary file; small ones stay in memory.

    Args:
        s3: A boto3 client.
        uri: The object.
        limit: Largest size in bytes.

    Returns:
        The file, at its start, and the object's size.

    Raises:
        ObjectUnavailableError: The object is missing or larger than `limit`.
    """
    bucket, key = parse_uri(uri)
    file = tempfile.SpooledTemporaryFile(max_size=_BLOCK_BYTES)  # noqa: SIM115 - returned
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        size = int(answer["ContentLength"])
        if limit is not None and size > limit:
            raise ObjectUnavailableError(f"{uri} holds {size} bytes, more than {limit}")
        for block in answer["Body"].iter_chunks(_BLOCK_BYTES):
            file.write(block)
    except (ClientError, BotoCoreError) as error:
        file.close()
        raise ObjectUnavailableError(f"{uri}: {reason(error)}") from None
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return cast(IO[bytes], file), size


def store(s3: Any, uri: str, body: IO[bytes] | bytes, *, content_type: str | None = None) -> None:
    """Uploads an object.

    Raises:
        ObjectUnavailableError: The object cannot be written.
    """
    bucket, key = parse_uri(uri)
    extra = {"ContentType": content_type} if content_type else {}
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, **extra)
    except (ClientError, BotoCoreError) as error:
        raise ObjectUnavailableError(f"{uri}: {reason(error)}") from None


def keys_below(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """Yields the keys that start with `prefix`, without the markers of folders.

    Raises:
        ObjectUnavailableError: The bucket cannot be listed.
    """
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents") or []:
                if not item["Key"].endswith("/"):
                    yield item["Key"]
    except (ClientError, BotoCoreError) as error:
        raise ObjectUnavailableError(f"s3://{bucket}/{prefix}: {reason(error)}") from None


def reason(error: Exception) -> str:
    """Returns what S3 said, without the SDK's framing."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Message") or error)
    return str(error)
