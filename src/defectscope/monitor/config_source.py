"""Where channels.toml is: a file, an object in S3, a parameter of Systems Manager.

channels.toml | s3://BUCKET/KEY | ssm://NAME
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol

from defectscope.errors import MediaNotFoundError, MediaUnavailableError

# A document is no larger than this, bytes: ten thousand channels.
_MAX_BYTES = 4_000_000


class ConfigSource(Protocol):
    """A place that a configuration is read from.

    Attributes:
        name: What messages call it.
        every_s: How often it is looked at, seconds.
    """

    name: str
    every_s: float

    def read(self) -> tuple[str, str]:
        """Returns the document, and what changes when it does.

        Raises:
            MediaNotFoundError: It is not there.
            MediaUnavailableError: It cannot be read now.
        """
        ...


class FileSource:
    """A file."""

    every_s = 1.0

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path

    def read(self) -> tuple[str, str]:
        """Returns the document and its time of change."""
        try:
            stat = self._path.stat()
            if stat.st_size > _MAX_BYTES:
                raise MediaUnavailableError(f"{self.name}: over {_MAX_BYTES} bytes")
            return self._path.read_text("utf-8"), f"{stat.st_mtime_ns}-{stat.st_size}"
        except FileNotFoundError:
            raise MediaNotFoundError(f"{self._path}: no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not text"
            raise MediaUnavailableError(f"{self._path}: {str(reason).lower()}") from None


class _AwsSource(ABC):
    """A document that AWS keeps."""

    every_s = 30.0

    def __init__(self, name: str, service: Any) -> None:
        # Loaded here: a file needs no AWS SDK.
        import boto3

        self.name = name
        self._client: Any = boto3.client(service)

    def read(self) -> tuple[str, str]:
        """Returns the document and its version."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._fetched()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchKey", "NoSuchBucket", "404", "ParameterNotFound"):
                raise MediaNotFoundError(f"{self.name}: there is none") from None
            raise MediaUnavailableError(f"{self.name}: {code}") from None
        except (BotoCoreError, UnicodeDecodeError) as error:
            raise MediaUnavailableError(f"{self.name}: {type(error).__name__}") from None

    @abstractmethod
    def _fetched(self) -> tuple[str, str]:
        """Returns the document and its version, or raises an error of botocore's."""


class S3Source(_AwsSource):
    """An object in S3."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "s3")
        self._bucket, _, self._key = url.removeprefix("s3://").partition("/")

    def _fetched(self) -> tuple[str, str]:
        answer = self._client.get_object(Bucket=self._bucket, Key=self._key)
        # As a context manager it would hand out urllib3's stream, and urllib3's own errors.
        with contextlib.closing(answer["Body"]) as body:
            return body.read(_MAX_BYTES).decode("utf-8"), str(answer["ETag"])


class SsmSource(_AwsSource):
    """A parameter of AWS Systems Manager; a SecureString is decrypted."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "ssm")
        self._parameter = url.removeprefix("ssm://")

    def _fetched(self) -> tuple[str, str]:
        answer = self._client.get_parameter(Name=self._parameter, WithDecryption=True)
        return str(answer["Parameter"]["Value"]), str(answer["Parameter"]["Version"])


def config_source(place: str) -> ConfigSource:
    """Returns what reads a configuration from a path or address."""
    if place.startswith("s3://"):
        return S3Source(place)
    if place.startswith("ssm://"):
        return SsmSource(place)
    return FileSource(Path(place))
