"""What an operator sets through the container's environment, read once and checked.

Every variable starts with `DEFECTSCOPE_`; docs/serving.md lists them from this class.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from defectscope.errors import SettingError
from defectscope.media import Limits

PREFIX = "DEFECTSCOPE_"
_MIB = 1024 * 1024
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_PLACE = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\x00-\x1f]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """Bounds and permissions of one worker. `DEFECTSCOPE_` plus the upper-case name sets each.

    Attributes:
        allowed_buckets: Buckets, or `bucket/prefix`, that requests may name; empty allows every
            bucket that the container's role can read.
        allowed_hosts: Hosts that https:// addresses may name; empty allows none.
        max_body_bytes: Largest request body in bytes.
        max_object_bytes: Largest S3 object or https resource in bytes; it is read in ranges.
        max_captions_bytes: Largest side-car caption file in bytes; it is read whole.
        max_duration_s: Longest interval analyzed by one request, seconds.
        max_pixels: Largest frame, width times height.
        max_streams: Most streams that a container file may hold.
        max_records: Most records in one application/jsonlines body.
        time_limit_s: How long analyzing one asset may take, seconds.
        streams_per_worker: Assets that one worker analyzes at the same time.
        metrics: Where metrics go: `stdout`, `off`, or the path of a file to append to.
        metrics_namespace: CloudWatch namespace of the metrics.
    """

    allowed_buckets: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 100 * _MIB
    max_object_bytes: int = 1024 * 1024 * _MIB
    max_captions_bytes: int = 16 * _MIB
    max_duration_s: float = 12 * 3600.0
    max_pixels: int = 32_000_000
    max_streams: int = 64
    max_records: int = 10_000
    time_limit_s: float = 3600.0
    streams_per_worker: int = 1
    metrics: str = "stdout"
    metrics_namespace: str = "defectscope"

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> ServingSettings:
        """Reads the settings; variables that are absent or empty keep their defaults.

        Args:
            environment: Variables to read, those of this process where None.

        Raises:
            SettingError: A value is not of its kind; the message names the variable.
        """
        variables = os.environ if environment is None else environment
        values: dict[str, object] = {}
        for field in fields(ServingSettings):
            name = PREFIX + field.name.upper()
            text = variables.get(name, "").strip()
            if text:
                values[field.name] = _parse(name, text, field.default)
        settings = ServingSettings(**values)  # type: ignore[arg-type]
        _check_places(settings)
        return settings

    def limits(self) -> Limits:
        """Returns the bounds that decoding obeys."""
        return Limits(
            max_pixels=self.max_pixels,
            max_duration_s=self.max_duration_s,
            max_streams=self.max_streams,
            max_bytes=self.max_body_bytes,
        )


def _parse(name: str, text: str, default: object) -> object:
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(default, str):
        return text
    kind = "a whole number" if isinstance(default, int) else "a number"
    try:
        value = int(text) if isinstance(default, int) else float(text)
    except ValueError:
        raise SettingError(f"{name} must be {kind}, not {text!r}") from None
    if not (value > 0 and math.isfinite(value)):
        raise SettingError(f"{name} must be above 0, not {text!r}")
    return value


def _check_places(settings: ServingSettings) -> None:
    for place in settings.allowed_buckets:
        if not _PLACE.fullmatch(place):
            raise SettingError(f"{PREFIX}ALLOWED_BUCKETS: {place!r} is no bucket or bucket/prefix")
    for host in settings.allowed_hosts:
        if not _HOST.fullmatch(host):
            raise SettingError(f"{PREFIX}ALLOWED_HOSTS: {host!r} is no host name in lower case")
