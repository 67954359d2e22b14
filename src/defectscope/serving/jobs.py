"""From a request to a report: what every handler's preprocess and inference are made of."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, cast

from defectscope.analysis import analyze, merge
from defectscope.detectors import names, not_installed
from defectscope.errors import (
    BodyTooLargeError,
    DefectscopeError,
    ObjectTooLargeError,
    TimeLimitError,
    UnknownDetectorError,
)
from defectscope.findings import Report
from defectscope.media import Limits
from defectscope.media.https import open_resource
from defectscope.media.ranged import RangedFile
from defectscope.media.s3 import open_object
from defectscope.serving.codec import Request
from defectscope.serving.policy import S3Address, allowed_address
from defectscope.serving.settings import Settings

# Twelve hours at 50 pictures a second, sixty columns: half a gigabyte once unpacked.
_MAX_MERGED_VALUES = 130_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to judge, opened and checked.

    Attributes:
        detectors: Detectors to run.
        media: The upload, or a file that reads the object in ranges; None for a merge.
        uri: The name to report.
        captions: Side-car captions.
        start_s: First instant to judge.
        end_s: First instant not to judge.
        parameters: Parameters by detector.
        measurements: Whether to keep what merging needs.
        parts: Reports to merge; None judges `media`.
        limits: What decoding may cost.
        deadline_s: When to give up, on the clock of `time.monotonic`.
    """

    detectors: tuple[str, ...]
    media: bytes | RangedFile | None
    uri: str
    captions: IO[bytes] | None
    start_s: float | None
    end_s: float | None
    parameters: Mapping[str, Mapping[str, Any]]
    measurements: bool
    parts: tuple[Mapping[str, Any], ...] | None
    limits: Limits
    deadline_s: float

    def close(self) -> None:
        """Drops the file and its cache."""
        if isinstance(self.media, RangedFile):
            self.media.close()


def open_job(request: Request, settings: Settings, serves: tuple[str, ...]) -> Job:
    """Checks a request against policy and limits and opens its media.

    Args:
        request: What was asked for.
        settings: The operator's bounds and permissions.
        serves: Detectors that this endpoint has.

    Raises:
        UnknownDetectorError: The endpoint does not have a detector that was named.
        MediaRefusedError: The address may not be fetched.
        MediaNotFoundError: There is nothing there, or it may not be read.
        ObjectTooLargeError: It has more bytes than the limit.
        BodyTooLargeError: Segments to merge would not fit into memory.
    """
    detectors = _chosen(request, serves)
    for uri in (request.uri, request.captions_uri):
        # Before anything is fetched, so that no request is half carried out.
        if uri is not None:
            allowed_address(uri, settings)
    media = request.media if request.uri is None else open_uri(request.uri, settings)
    captions = None
    if request.captions_uri is not None:
        captions = _captions(request.captions_uri, settings)
    return Job(
        detectors=detectors,
        media=media,
        uri="upload" if request.uri is None else allowed_address(request.uri, settings).uri,
        captions=captions,
        start_s=request.start_s,
        end_s=request.end_s,
        parameters=request.parameters,
        measurements=request.measurements,
        parts=request.merge,
        limits=settings.limits(),
        deadline_s=time.monotonic() + settings.time_limit_s,
    )


def judge(job: Job) -> Report:
    """Gives the report of a job: decodes once and decides, or merges segments.

    Raises:
        MediaError: The media cannot be judged, or not within the time limit.
        UsageError: A parameter or a part to merge makes no sense.
    """
    if job.parts is not None:
        return merge(job.parts)
    assert job.media is not None
    try:
        report = analyze(
            job.media,
            detectors=job.detectors,
            captions=job.captions,
            start_s=job.start_s,
            end_s=job.end_s,
            parameters=job.parameters,
            measurements=job.measurements,
            limits=job.limits,
            uri=job.uri,
            progress=lambda _: _check_time(job),
        )
    except DefectscopeError:
        _raise_read_failure(job)
        raise
    _raise_read_failure(job)
    return report


def open_uri(uri: str, settings: Settings, *, limit_bytes: int | None = None) -> RangedFile:
    """Opens what an address names, if it may be read.

    Args:
        uri: s3:// or https://.
        settings: Permissions and limits.
        limit_bytes: Largest size in place of `settings.max_object_bytes`.

    Raises:
        MediaRefusedError: The address may not be fetched.
        MediaNotFoundError: There is nothing there, or it may not be read.
        ObjectTooLargeError: It has more bytes than the limit.
        MediaUnavailableError: It cannot be reached.
    """
    address = allowed_address(uri, settings)
    if isinstance(address, S3Address):
        file = open_object(address.uri)
    else:
        file = open_resource(address.host, address.target)
    limit = settings.max_object_bytes if limit_bytes is None else limit_bytes
    if file.size > limit:
        raise ObjectTooLargeError(f"{address.uri} has {file.size} bytes, the limit is {limit}")
    return file


def _chosen(request: Request, serves: tuple[str, ...]) -> tuple[str, ...]:
    wanted = serves if request.detectors is None else request.detectors
    for name in (*wanted, *request.parameters):
        if name not in serves:
            raise UnknownDetectorError(
                f"no detector {name[:64]!r} here; this endpoint has {', '.join(serves)}"
            )
    for part in request.merge or ():
        held = part.get("detectors")
        for name in held if isinstance(held, dict) else ():
            if name not in serves:
                raise UnknownDetectorError(f"a segment was judged by {str(name)[:64]!r}, not here")
    if _unpacked_values(request.merge or ()) > _MAX_MERGED_VALUES:
        raise BodyTooLargeError(f"the measurements hold more than {_MAX_MERGED_VALUES:,} values")
    return wanted


def _unpacked_values(parts: tuple[Mapping[str, Any], ...]) -> int:
    """Adds up how long the compressed columns say they are; a small body can claim a lot."""
    total = 0
    waiting: list[Any] = [part.get("measurements") for part in parts]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            held = cast("dict[str, Any]", value)
            length = held.get("length")
            total += length if isinstance(length, int) and length > 0 else 0
            waiting.extend(held.values())
        elif isinstance(value, list):
            waiting.extend(cast("list[Any]", value))
    return total


def _captions(uri: str, settings: Settings) -> IO[bytes]:
    with open_uri(uri, settings, limit_bytes=settings.max_captions_bytes) as file:
        captions = io.BytesIO(file.read())
        # The suffix tells the formats apart.
        captions.name = PurePosixPath(file.name).name
    return captions


def _check_time(job: Job) -> None:
    if time.monotonic() > job.deadline_s:
        raise TimeLimitError("judging this asset takes longer than the endpoint allows")


def _raise_read_failure(job: Job) -> None:
    """A demuxer takes a failed read for the end of the file: never judge half an asset as whole."""
    if isinstance(job.media, RangedFile) and job.media.failure is not None:
        raise job.media.failure


def all_detectors() -> tuple[str, ...]:
    """Gives the names of all detectors that can run in this installation or archive."""
    missing = not_installed()
    return tuple(name for name in names() if name not in missing)
