"""`defectscope.analyze`: one asset or many, with a profile and waivers where there are some."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast, overload

import numpy as np
from numpy.typing import NDArray

from defectscope import analysis
from defectscope.desk.arrays import as_file
from defectscope.desk.inputs import expand, is_package, shown
from defectscope.desk.times import is_timecode, seconds_of
from defectscope.engine.engine import Progress
from defectscope.errors import InvalidParameterError
from defectscope.findings import Report
from defectscope.media import open_media
from defectscope.media.limits import Limits
from defectscope.media.package_captions import captions_with
from defectscope.media.source import MediaLike, resolve, resolved
from defectscope.profiles import Profile, apply_profile, load_profile, parameters_with
from defectscope.waivers import Waivers, apply_waivers, load_waivers

_LOGGER = logging.getLogger(__name__)
_HASHED_BYTES = 1 << 20


class Options(TypedDict, total=False):
    """What `analyze` takes beside the media; its docstring explains each."""

    detectors: str | Sequence[str] | None
    captions: MediaLike | None
    profile: str | Path | Profile | None
    waivers: str | Path | Waivers | None
    start_s: float | str | None
    end_s: float | str | None
    frame_rate: float | Fraction | None
    parameters: Mapping[str, Mapping[str, Any]] | None
    measurements: bool
    limits: Limits | None
    workers: int
    uri: str | None
    progress: Progress | None
    audio_layout: str | None
    program: int | None
    artifacts: str | os.PathLike[str] | None
    allowed_hosts: Sequence[str]


@overload
def analyze(media: MediaLike | NDArray[Any], **options: Unpack[Options]) -> Report: ...


@overload
def analyze(
    media: list[str] | list[Path] | tuple[str | Path, ...], **options: Unpack[Options]
) -> list[Report]: ...


def analyze(media: Any, **options: Any) -> Any:
    """Finds the defects in one asset or several, and holds them against a profile.

    Args:
        media: A local path (also of an HLS playlist or a DASH manifest), an `s3://` or `https://`
            address, the bytes themselves, a seekable binary file, or frames in memory,
            (n, height, width) or (n, height, width, 3) of uint8. A list of paths or a folder gives
            a list of reports.
        **options: All that follows, by name.
        detectors: Names of the detectors to run, or one name; None runs all.
        captions: Side-car captions: WebVTT, SubRip, TTML/IMSC or EBU STL; None takes those that
            go with a package.
        profile: Delivery profile: a name of `defectscope profiles`, or a path to TOML.
        waivers: Findings that were accepted: a path to `waivers.toml`.
        start_s: First instant evaluated: seconds from the first presented frame, `H:MM:SS.s`, or a
            timecode of the source. What reaches into the interval is reported with its true ends.
        end_s: First instant not evaluated, likewise.
        frame_rate: Frames a second of frames in memory.
        parameters: Parameters to replace, by detector; they win over the profile's.
        measurements: Keep the measurements in the report, so that segments can be merged.
        limits: Bounds on what one asset may cost.
        workers: Processes that share the programme, where it is long enough and a file by itself.
        uri: The name to report.
        progress: Called with the programme time reached, in seconds.
        audio_layout: Which channels of the sound tracks, counted from 1, are heard together, as
            `5.1=1-6,stereo=7,8`; None goes by their labels and number.
        program: Number of the programme of a transport stream; None takes the first with a
            frame.
        artifacts: Folder of your own artifacts, as `defectscope-train export` writes it, or one
            that holds several; None takes what the environment names, else those that ship.
        allowed_hosts: Hosts whose `https://` addresses are read; no other is asked, none that
            leads into a private network, and no redirect is followed.

    Raises:
        UsageError: An argument makes no sense, or the profile is broken.
        MediaError: The media cannot be evaluated.
        ArtifactError: A released file is missing or damaged.
    """
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise TypeError(f"analyze() has no argument {unknown[0]!r}")
    waivers = options.get("waivers")
    options["waivers"] = load_waivers(waivers) if isinstance(waivers, str | Path) else waivers
    options["profile"] = loaded(options.get("profile"))
    options["detectors"] = chosen_detectors(options.get("detectors"))
    frame_rate = options.pop("frame_rate", None)
    if isinstance(media, np.ndarray):
        options.setdefault("uri", "frames in memory")
        with as_file(cast("NDArray[Any]", media), frame_rate) as path:
            return _one(path, **options)
    if frame_rate is not None:
        raise InvalidParameterError("frame_rate goes with frames in memory: files state their own")
    if isinstance(media, list | tuple):
        items = expand([os.fspath(each) for each in cast("Sequence[Any]", media)])
        return [_one(item.media, **options) for item in items]
    if isinstance(media, str | os.PathLike) and os.path.isdir(media):
        return [_one(item.media, **options) for item in expand([os.fspath(media)])]
    return _one(cast("MediaLike", media), **options)


def _one(
    media: MediaLike,
    *,
    profile: Profile | None,
    waivers: Waivers | None,
    detectors: tuple[str, ...] | None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    start_s: float | str | None = None,
    end_s: float | str | None = None,
    allowed_hosts: Sequence[str] = (),
    **options: Any,
) -> Report:
    if profile is not None:
        parameters = parameters_with(profile, parameters, detectors)
    with _opened(media, allowed_hosts, options) as source:
        start, end = instants(source, start_s, end_s)
        report = analysis.analyze(
            source, detectors=detectors, parameters=parameters, start_s=start, end_s=end, **options
        )
    sha256 = sha256_of(media)
    if sha256 is not None:
        report = replace(report, asset={**report.asset, "sha256": sha256})
    if waivers is not None:
        report = apply_waivers(report, waivers)
    return report if profile is None else apply_profile(report, profile)


@contextmanager
def _opened(
    media: MediaLike, allowed_hosts: Sequence[str], options: dict[str, Any]
) -> Generator[MediaLike]:
    """Opens what has to be opened once: packages, and addresses that hosts were allowed for."""
    remote = isinstance(media, str) and media.lower().startswith("https://")
    if not remote and not is_package(media if isinstance(media, str | os.PathLike) else ""):
        yield media
        return
    name = os.fspath(cast("str", media))
    if options.get("uri") is None:
        options["uri"] = shown(name)
    if not remote and options.get("captions") is None:
        options["captions"] = captions_with(name)
    if options.get("workers", 1) > 1:
        # Processes open media by its path; this is open already.
        kind = "an address" if remote else "a package"
        _LOGGER.warning("%s: %s is read by one process", options["uri"], kind)
        options["workers"] = 1
    with resolved(media, allowed_hosts) as source:
        yield source


def instants(
    media: MediaLike, start: float | str | None, end: float | str | None
) -> tuple[float | None, float | None]:
    """Returns two instants in seconds; timecodes are read with the asset's own rate and start.

    Raises:
        InvalidParameterError: One of them is no instant.
        MediaError: The media cannot be opened, where a timecode needs it.
    """
    stream = None
    if is_timecode(start) or is_timecode(end):
        with open_media(resolve(media)) as reader:
            stream = reader.info
    first = None if start is None else seconds_of(start, stream)
    last = None if end is None else seconds_of(end, stream)
    return first, last


def sha256_of(media: MediaLike) -> str | None:
    """Returns the hash by which waivers and redeliveries know a file; None for anything else."""
    if isinstance(media, bytes | bytearray):
        return hashlib.sha256(media).hexdigest()
    if not isinstance(media, str | os.PathLike) or not os.path.isfile(media) or is_package(media):
        return None
    with Path(media).open("rb") as file:
        return hashlib.file_digest(file, "sha256", _bufsize=_HASHED_BYTES).hexdigest()


def chosen_detectors(detectors: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Returns names of detectors from one name, `a,b` or a sequence; None stays None."""
    if detectors is None:
        return None
    if isinstance(detectors, str):
        detectors = [name.strip() for name in detectors.split(",") if name.strip()]
    if not detectors:
        raise InvalidParameterError("no detector was asked for")
    return tuple(dict.fromkeys(detectors))


def loaded(profile: str | os.PathLike[str] | Profile | None) -> Profile | None:
    """Returns a profile by name, path or as it is.

    Raises:
        ProfileError: There is none of that name, or the file is broken.
    """
    if profile is None or isinstance(profile, Profile):
        return profile
    return load_profile(os.fspath(profile))
