"""From a request to a rendering: what the steps of the handler of spatial audio are made of."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from defectscope.errors import (
    InvalidParameterError,
    MalformedRequestError,
    MediaTooLongError,
    ServingError,
    TimeLimitError,
    UnknownDetectorError,
)
from defectscope.media import Limits
from defectscope.media.ranged import RangedFile
from defectscope.serving.assets import open_uri, uploaded
from defectscope.serving.base import Handler
from defectscope.serving.codec import AnalysisRequest
from defectscope.serving.settings import ServingSettings
from defectscope.spatial.chain import RenderSettings, settings_from
from defectscope.spatial.device import device_names, load_device
from defectscope.spatial.render import Format, Rendering, render_file

SCHEMA = "defectscope/rendering/1"
NAME = "spatial_audio"
# Formats by what a request calls them.
_FORMATS: Mapping[str, Format] = {"flac": "flac", "wav": "wav"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """What to render, opened and checked.

    Attributes:
        media: The upload, or a file that reads the object in ranges.
        settings: What the rendering shall be.
        container: Format of the files that come out.
        together: One file with all channels.
        start_s: First instant to render, seconds.
        end_s: First instant not to render; None renders to the end.
        limits: What decoding may cost.
        max_answer_bytes: Largest sum of the files that come out.
        deadline_s: When to give up, on the clock of `time.monotonic`.
    """

    media: bytes | BinaryIO | RangedFile
    settings: RenderSettings
    container: Format
    together: bool
    start_s: float
    end_s: float | None
    limits: Limits
    max_answer_bytes: int
    deadline_s: float

    def close(self) -> None:
        """Drops the file and its cache."""
        if not isinstance(self.media, bytes):
            self.media.close()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendering with its files' bytes.

    Attributes:
        rendering: What was written.
        files: Names of the files and their bytes.
        container: Their format.
    """

    rendering: Rendering
    files: Mapping[str, bytes]
    container: Format


class RenderingHandler(Handler[RenderJob, Rendered]):
    """Base of handlers whose answer is sound."""

    def prove(self, status: int, answer: Mapping[str, Any]) -> None:
        """Checks the answer to a trial request.

        Raises:
            ServingError: It is no rendering with sound.
        """
        sound = answer.get("audio")
        if status != 200 or answer.get("schema") != SCHEMA or not sound:
            raise ServingError(f"{NAME}: the trial was answered with {status}: {answer}"[:400])


def open_render_job(request: AnalysisRequest, settings: ServingSettings) -> RenderJob:
    """Checks a request for a rendering and opens its media.

    Args:
        request: What was asked for; `parameters.spatial_audio` holds the settings, `format`
            (`flac` or `wav`) and `together`.
        settings: The operator's bounds and permissions.

    Raises:
        UnknownDetectorError: Another model was named.
        MalformedRequestError: The request merges, names captions or asks for measurements.
        InvalidParameterError: A setting makes no sense, or names a file of the container.
        MediaRefusedError: The address may not be fetched.
        MediaNotFoundError: There is nothing there, or it may not be read.
        ObjectTooLargeError: It has more bytes than the limit.
    """
    for name in (*(request.detectors or ()), *request.parameters):
        if name != NAME:
            raise UnknownDetectorError(f"no {name[:64]!r} here; this endpoint has {NAME}")
    for field in ("merge", "captions_uri", "measurements", "audio_layout", "program"):
        if getattr(request, field):
            raise MalformedRequestError(f"{NAME} takes no {field}")
    given = dict(request.parameters.get(NAME, {}))
    container = given.pop("format", "flac")
    together = given.pop("together", False)
    if not isinstance(container, str) or container not in _FORMATS:
        raise InvalidParameterError(f"format must be one of {', '.join(_FORMATS)}")
    if not isinstance(together, bool):
        raise InvalidParameterError("together must be true or false")
    device = given.get("device", "two_narrow")
    # Paths are the operator's: a request names a device that ships, or describes its own.
    if isinstance(device, str) and device not in device_names():
        raise InvalidParameterError(
            f"no device {device[:64]!r}; there are {', '.join(device_names())}, or describe one"
        )
    if "head" in given:
        raise InvalidParameterError("head names a file: the endpoint has its own")
    wanted = settings_from(given)
    load_device(wanted.device)
    media = open_uri(request.uri, settings) if request.uri else uploaded(request.media)
    return RenderJob(
        media=media,
        settings=wanted,
        container=_FORMATS[container],
        together=together,
        start_s=request.start_s or 0.0,
        end_s=request.end_s,
        limits=settings.limits(),
        max_answer_bytes=settings.max_body_bytes,
        deadline_s=time.monotonic() + settings.time_limit_s,
    )


def render(job: RenderJob) -> Rendered:
    """Renders a job.

    Raises:
        MediaError: The media cannot be rendered, not within the time limit, or what comes out is
            larger than an answer may be.
        UsageError: A setting is out of range.
    """

    def check(_: float) -> None:
        if time.monotonic() > job.deadline_s:
            raise TimeLimitError("rendering this takes longer than the endpoint allows")
        size = sum(path.stat().st_size for path in folder.iterdir())
        if size > job.max_answer_bytes:
            raise MediaTooLongError(
                f"the rendering exceeds {job.max_answer_bytes} bytes: ask for a shorter interval"
            )

    with tempfile.TemporaryDirectory(prefix="defectscope-render-") as scratch:
        folder = Path(scratch)
        rendering = render_file(
            job.media,
            folder,
            job.settings,
            container=job.container,
            together=job.together,
            start_s=job.start_s,
            end_s=job.end_s,
            limits=job.limits,
            progress=check,
        )
        if isinstance(job.media, RangedFile) and job.media.failure is not None:
            raise job.media.failure
        files = {Path(file).name: Path(file).read_bytes() for file in rendering.files}
    return Rendered(rendering, files, job.container)


def encode_rendering(rendered: Rendered, record_id: str | None) -> dict[str, Any]:
    """Returns the answer's object: what was rendered, and the sound as base64."""
    head = {} if record_id is None else {"id": record_id}
    facts = asdict(rendered.rendering)
    del facts["files"]
    facts["names"] = list(rendered.rendering.names)
    sound = [
        {
            "name": name,
            "content_type": f"audio/{rendered.container}",
            "data_base64": base64.b64encode(data).decode(),
        }
        for name, data in rendered.files.items()
    ]
    return {**head, "schema": SCHEMA, "rendering": facts, "audio": sound}
