"""Opens what a request names, holds a handler to what it says it selects, and measures it."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from defectscope.analysis import MeasuredAsset, join_segments, measure_asset
from defectscope.detectors import load_all, names, not_installed
from defectscope.engine.contracts import Detector, FrameSelection
from defectscope.engine.passes import NetworkPass
from defectscope.errors import (
    BodyTooLargeError,
    DefectscopeError,
    ObjectTooLargeError,
    OverloadedError,
    ServingError,
    TimeLimitError,
    UnknownDetectorError,
)
from defectscope.media import Reader, open_media
from defectscope.media.https import open_resource
from defectscope.media.probe import Choice
from defectscope.media.ranged import RangedFile
from defectscope.media.s3 import open_object
from defectscope.media.sidecar import read_captions
from defectscope.media.source import resolve
from defectscope.profiles import parameters_with, shipped_profile
from defectscope.serving.codec import AnalysisRequest
from defectscope.serving.policy import S3Address, allowed_address
from defectscope.serving.settings import ServingSettings

# Twelve hours at 50 frames a second, sixty columns: half a gigabyte once unpacked.
_MAX_MERGED_VALUES = 130_000_000


class OpenAsset:
    """An asset that is open for measuring, or segments that wait to be joined.

    Attributes:
        detectors: The detectors to run, with the request's parameters.
        reader: Decodes the media; None for a merge.
        keep_measurements: Whether the report keeps what merging needs.
    """

    def __init__(
        self,
        request: AnalysisRequest,
        detectors: Sequence[Detector],
        opened: contextlib.ExitStack,
        reader: Reader | None,
        media: bytes | BinaryIO | RangedFile | None,
        deadline_s: float,
        began_s: float,
    ) -> None:
        self.detectors = tuple(detectors)
        self.reader = reader
        self.keep_measurements = request.measurements
        self._request = request
        self._opened = opened
        self._media = media
        self._deadline_s = deadline_s
        self._began_s = began_s

    def select(
        self,
        *,
        features: Collection[str] = (),
        rgb: FrameSelection | None = None,
        sound: bool = False,
    ) -> None:
        """States what a handler has decoded for its detector, and holds it to that.

        Args:
            features: Features of every frame.
            rgb: Frames that a network takes as RGB.
            sound: Whether the sound is decoded.

        Raises:
            ServingError: The detector asks for something else.
        """
        for detector in self.detectors:
            needs = detector.needs
            stated = (frozenset(features), rgb, sound)
            if stated != (needs.features, needs.frames, "audio" in needs.media):
                raise ServingError(f"{detector.name} asks for something else than its handler says")

    def detector(self, name: str) -> Any:
        """Returns one of the detectors, with the request's parameters."""
        return next(d for d in self.detectors if d.name == name)

    def measure(self, *passes: NetworkPass) -> MeasuredAsset:
        """Decodes once and returns every detector's measurements, or joins those of segments.

        Args:
            passes: The networks that a handler says are run, in order; none says nothing.

        Raises:
            ServingError: The detector runs something else.
            MediaError: The media cannot be decoded, or not within the time limit.
            MalformedRequestError: The segments do not belong together.
        """
        for detector in self.detectors if passes else ():
            if passes != getattr(detector, "passes", ()):
                raise ServingError(f"{detector.name} runs something else than its handler says")
        if self.reader is None:
            return join_segments(self._request.merge or ())
        try:
            measured = measure_asset(
                self.reader,
                self.detectors,
                start_s=self._request.start_s,
                end_s=self._request.end_s,
                progress=self._check_time,
                began_s=self._began_s,
                joined=self.keep_measurements,
            )
        except DefectscopeError:
            self._raise_read_failure()
            raise
        self._raise_read_failure()
        return measured

    def close(self) -> None:
        """Closes the media and drops its cache."""
        self._opened.close()

    def _check_time(self, _reached_s: float) -> None:
        if time.monotonic() > self._deadline_s:
            raise TimeLimitError("analyzing this asset takes longer than the endpoint allows")

    def _raise_read_failure(self) -> None:
        """A demuxer takes a failed read for the end of the file: half an asset is never whole."""
        if isinstance(self._media, RangedFile) and self._media.failure is not None:
            raise self._media.failure


def open_asset(
    request: AnalysisRequest, settings: ServingSettings, serves: tuple[str, ...]
) -> OpenAsset:
    """Checks a request against policy and limits and opens its media.

    Args:
        request: What was asked for.
        settings: The operator's bounds and permissions.
        serves: Detectors that this endpoint has.

    Raises:
        UnknownDetectorError: The endpoint does not have a detector that was named.
        InvalidParameterError: A parameter is unknown or out of range.
        MediaRefusedError: The address may not be fetched.
        MediaNotFoundError: There is nothing there, or it may not be read.
        ObjectTooLargeError: It has more bytes than the limit.
        UnreadableMediaError: It is no media.
        BodyTooLargeError: Segments to merge would not fit into memory.
    """
    # Opening is part of the analysis here as it is in `analyze`: a report says the same of both.
    began_s = time.perf_counter()
    names = chosen_detectors(request, serves)
    deadline_s = time.monotonic() + settings.time_limit_s
    for uri in (request.uri, request.captions_uri):
        # Before anything is fetched, so that no request is half carried out.
        if uri is not None:
            allowed_address(uri, settings)
    parameters: Mapping[str, Mapping[str, Any]] = request.parameters
    if request.profile is not None:
        parameters = parameters_with(shipped_profile(request.profile), parameters, names)
    detectors = load_all(names, parameters)
    opened = contextlib.ExitStack()
    if request.merge is not None:
        return OpenAsset(request, detectors, opened, None, None, deadline_s, began_s)
    with contextlib.ExitStack() as pending:
        media = open_uri(request.uri, settings) if request.uri else uploaded(request.media)
        if not isinstance(media, bytes):
            pending.callback(media.close)
        side = None
        if request.captions_uri is not None:
            side = read_captions(_captions(request.captions_uri, settings))
        name = "upload" if request.uri is None else allowed_address(request.uri, settings).uri
        try:
            choice = Choice(audio_layout=request.audio_layout, programme=request.program)
            reader = open_media(
                resolve(media), limits=settings.limits(), captions=side, uri=name, choice=choice
            )
        except DefectscopeError:
            if isinstance(media, RangedFile) and media.failure is not None:
                raise media.failure from None
            raise
        pending.enter_context(reader)
        opened = pending.pop_all()
    return OpenAsset(request, detectors, opened, reader, media, deadline_s, began_s)


def uploaded(media: bytes | Path | None) -> bytes | BinaryIO:
    """Returns an upload as something to read from: a file is opened, and never as a path.

    Raises:
        ServingError: A request that has passed the codec holds neither media nor an address.
        OverloadedError: The file is gone, because who asked has given up waiting.
    """
    if media is None:
        raise ServingError("a request without media")
    if not isinstance(media, Path):
        return media
    try:
        return media.open("rb")
    except FileNotFoundError:
        raise OverloadedError("the caller had gone before a worker was free") from None


def open_uri(uri: str, settings: ServingSettings, *, limit_bytes: int | None = None) -> RangedFile:
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


def chosen_detectors(request: AnalysisRequest, serves: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the detectors that a request wants of those that the endpoint has.

    Raises:
        UnknownDetectorError: One of them, or of a segment's, is not among them.
        BodyTooLargeError: Segments to merge would not fit into memory.
    """
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
                raise UnknownDetectorError(
                    f"a segment was measured by {str(name)[:64]!r}, not here"
                )
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


def _captions(uri: str, settings: ServingSettings) -> IO[bytes]:
    with open_uri(uri, settings, limit_bytes=settings.max_captions_bytes) as file:
        captions = io.BytesIO(file.read())
        # The suffix tells the formats apart.
        captions.name = PurePosixPath(file.name).name
    return captions


def all_detectors() -> tuple[str, ...]:
    """Returns the names of all detectors that can run in this installation or archive."""
    missing = not_installed()
    return tuple(name for name in names() if name not in missing)
