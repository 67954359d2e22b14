"""Decides which addresses a request may name. Nothing is fetched before this has said yes.

s3://bucket/key     every bucket, or those of the allow-list
https://host/path   hosts of the allow-list only, port 443, no credentials in the address
anything else       refused: file://, http://, bare paths, FFmpeg's own protocols
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from defectscope.errors import MediaRefusedError
from defectscope.media.https import HttpsAddress, https_address
from defectscope.serving.settings import ServingSettings

# Source: Amazon S3 user guide, "General purpose bucket naming rules".
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP_LIKE = re.compile(r"[0-9]+(\.[0-9]+){3}")
# Source: Amazon S3 user guide, "Naming Amazon S3 objects": at most 1,024 bytes of UTF-8.
_MAX_KEY_BYTES = 1024
_MAX_URI_CHARACTERS = 4096
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class S3Address:
    """An object that may be read."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """The address as text."""
        return f"s3://{self.bucket}/{self.key}"


def allowed_address(uri: str, settings: ServingSettings) -> S3Address | HttpsAddress:
    """Returns the parts of an address that may be read.

    Raises:
        MediaRefusedError: It may not; the message says which rule speaks against it.
    """
    if len(uri) > _MAX_URI_CHARACTERS:
        raise MediaRefusedError(f"the uri is longer than {_MAX_URI_CHARACTERS} characters")
    if _CONTROL.search(uri):
        raise MediaRefusedError("the uri holds control characters")
    scheme, separator, rest = uri.partition("://")
    if separator and scheme == "s3":
        return _s3(rest, settings)
    if separator and scheme == "https":
        return _https(uri, settings)
    raise MediaRefusedError("the uri must start with s3:// or https://")


def _s3(rest: str, settings: ServingSettings) -> S3Address:
    # Split by hand: `?` and `#` are ordinary characters of a key.
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or _IP_LIKE.fullmatch(bucket):
        raise MediaRefusedError("the uri names no valid bucket")
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        raise MediaRefusedError("the key is not valid text") from None
    if not 0 < size <= _MAX_KEY_BYTES:
        raise MediaRefusedError(f"the key must have 1 to {_MAX_KEY_BYTES} bytes")
    # S3 takes such keys literally, but whatever stands between may resolve them to another bucket.
    if any(part in (".", "..") for part in re.split(r"[/\\]", key)) or key.startswith("/"):
        raise MediaRefusedError("the key holds path tricks")
    if settings.allowed_buckets and not any(
        _within(bucket, key, place) for place in settings.allowed_buckets
    ):
        raise MediaRefusedError("the bucket or prefix is not on this endpoint's allow-list")
    return S3Address(bucket, key)


def _within(bucket: str, key: str, place: str) -> bool:
    allowed_bucket, _, prefix = place.partition("/")
    return bucket == allowed_bucket and key.startswith(prefix)


def _https(uri: str, settings: ServingSettings) -> HttpsAddress:
    address = https_address(uri)
    if address.host not in settings.allowed_hosts:
        raise MediaRefusedError("the host is not on this endpoint's allow-list")
    return address
