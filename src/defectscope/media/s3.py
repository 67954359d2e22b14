"""Reads S3 objects in ranges: a minute out of a 50 GB mezzanine costs about a minute's bytes."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any, cast

from defectscope.errors import (
    MediaNotFoundError,
    MediaRefusedError,
    MediaUnavailableError,
    UnreadableMediaError,
    UsageError,
)
from defectscope.media.ranged import RangedFile

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 30
_ATTEMPTS = 4
# HEAD has no body, so S3's own code is lost and botocore gives the bare status.
_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "403", "AccessDenied", "Forbidden", "301"}


@cache
def default_client() -> Any:
    """Returns this process's S3 client, from the environment's credentials and region.

    boto3 clients are safe to share between threads.
    """
    import boto3
    from botocore.config import Config

    return boto3.client(  # pyright: ignore[reportUnknownMemberType]
        "s3",
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        ),
    )


def open_object(uri: str, *, client: Any | None = None) -> RangedFile:
    """Opens an object as a seekable file that fetches only what is read.

    The object is pinned by its ETag: one that is overwritten while it is being read ends in an
    error, never in a mixture of both.

    Args:
        uri: `s3://bucket/key`.
        client: A boto3 S3 client; this process's own where None.

    Raises:
        MediaRefusedError: The address is not one of an object.
        MediaNotFoundError: There is no such object, or it may not be read.
        MediaUnavailableError: S3 does not answer.
        UsageError: AWS_PROFILE names no profile.
    """
    bucket, separator, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not (bucket and separator and key):
        raise MediaRefusedError("an S3 address reads s3://bucket/key")
    try:
        s3 = default_client() if client is None else client
        head = cast("dict[str, Any]", s3.head_object(Bucket=bucket, Key=key))
    except Exception as error:
        raise _translated(error, uri) from None
    etag = str(head.get("ETag", ""))

    def fetch(first: int, last: int) -> bytes:
        condition = {"IfMatch": etag} if etag else {}
        span = f"bytes={first}-{last - 1}"
        try:
            answer = s3.get_object(Bucket=bucket, Key=key, Range=span, **condition)
            # As a context manager it would hand out urllib3's stream, and urllib3's own errors.
            with contextlib.closing(answer["Body"]) as stream:
                data = cast("bytes", stream.read())
        except Exception as error:
            raise _translated(error, uri) from None
        if len(data) != last - first:
            raise MediaUnavailableError(f"{uri}: S3 gave {len(data)} bytes of {last - first}")
        return data

    return RangedFile(fetch, int(head["ContentLength"]), name=key)


def _translated(error: Exception, uri: str) -> Exception:
    """Turns botocore's errors into ours; anything else stays what it is."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    if isinstance(error, ClientError):
        detail = cast("dict[str, Any]", error.response)
        code = str(detail.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            return MediaNotFoundError(f"{uri}: no such object, or it may not be read")
        if code in ("412", "PreconditionFailed"):
            return UnreadableMediaError(f"{uri}: the object changed while it was read")
        return MediaUnavailableError(f"{uri}: S3 answered {code or 'an error'}")
    if isinstance(error, ProfileNotFound):
        return UsageError(f"{error}: AWS_PROFILE names it")
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return MediaNotFoundError(f"{uri}: there are no AWS credentials to read it with")
    if isinstance(error, BotoCoreError):
        # Its text can hold host names and credentials' sources; the kind says enough.
        return MediaUnavailableError(f"{uri}: S3 cannot be reached ({type(error).__name__})")
    return error
