"""AnalysisRequest bodies in, response bodies out: the endpoint's contract, free of TorchServe.

video/*, audio/*, application/octet-stream, application/mxf   the media itself
application/json                                     one record, or {"merge": [reports]}
application/jsonlines                                one record a line, one answer a line
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from defectscope.errors import (
    BodyTooLargeError,
    DefectscopeError,
    MalformedRequestError,
    UnsupportedContentTypeError,
)
from defectscope.findings import Report
from defectscope.serving import fields
from defectscope.serving.settings import ServingSettings

JSON = "application/json"
JSON_LINES = "application/jsonlines"
_LINES = frozenset({JSON_LINES, "application/x-jsonlines", "application/x-ndjson"})
# Source: Amazon S3 API reference, PutObject: binary/octet-stream is what an object is called that
# was stored without a type.
_MEDIA = frozenset(
    {"application/octet-stream", "application/mxf", "application/mp4", "binary/octet-stream"}
)
_ENCODER = msgspec.json.Encoder()
_WITH_MERGE = {"merge", "id", "profile", "measurements"}

Body = bytes | bytearray | str | Path | None
"""What a request carries: bytes, text, or the file that holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRequest:
    """One asset to analyze, or segments to merge: exactly one of `media`, `uri`, `merge` is set.

    Attributes:
        media: The uploaded bytes, or the file that holds them.
        uri: Address of the media, not yet checked against the policy.
        start_s: First instant to analyze, seconds from the first frame.
        end_s: First instant not to analyze; None analyzes to the end.
        captions_uri: Address of side-car captions.
        detectors: Detectors to run; None runs all that the endpoint serves.
        parameters: Physical parameters by detector.
        audio_layout: Which channels of the sound tracks are heard together; None guesses.
        program: Number of the programme of a transport stream; None takes the frame's.
        id: The caller's own name for the record, given back with the answer.
        profile: Name of a delivery profile that ships.
        measurements: Whether the report carries what merging needs.
        merge: Reports of consecutive segments, with measurements.
    """

    media: bytes | Path | None = None
    uri: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    captions_uri: str | None = None
    detectors: tuple[str, ...] | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Any])
    audio_layout: str | None = None
    program: int | None = None
    id: str | None = None
    profile: str | None = None
    measurements: bool = False
    merge: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What goes back over HTTP."""

    status: int
    content_type: str
    body: str


def media_type(content_type: str | None) -> str:
    """Returns a Content-Type without its parameters, in lower case."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_lines(content_type: str | None) -> bool:
    """Says whether a body of this type holds one record a line."""
    return media_type(content_type) in _LINES


def read_request(
    body: Body | Mapping[str, Any],
    content_type: str | None,
    options: str | None,
    settings: ServingSettings,
) -> AnalysisRequest:
    """Reads a body that holds one asset.

    Args:
        body: The raw bytes or the file that holds them; text or an object where the server has
            decoded JSON already.
        content_type: The Content-Type header.
        options: JSON object that stands beside an upload, the SageMaker custom attributes:
            the fields of a record without `uri`.
        settings: Limits.

    Raises:
        UnsupportedContentTypeError: The body is of another kind.
        BodyTooLargeError: It has more bytes than the limit.
        MalformedRequestError: It cannot be understood.
    """
    kind = media_type(content_type)
    if isinstance(body, Mapping):
        return _record(body)
    _check_size(body, settings)
    if kind == JSON:
        return _record(parse_json(_bytes_of(body)))
    if kind in _MEDIA or kind.startswith(("video/", "audio/")):
        record = parse_json(options.encode()) if options and options.strip() else {}
        if not isinstance(record, Mapping):
            raise MalformedRequestError("the custom attributes must be a JSON object")
        media = body if isinstance(body, Path) else _bytes_of(body)
        return _record(cast("Mapping[str, Any]", record), media=media)
    raise UnsupportedContentTypeError(
        f"content type {kind or 'missing'!r}: send video/*, audio/*, application/octet-stream, "
        f"{JSON} or {JSON_LINES}"
    )


def split_lines(body: Body, settings: ServingSettings) -> list[bytes]:
    """Splits an application/jsonlines body into its records; blank lines hold none.

    Raises:
        BodyTooLargeError: More bytes than the limit.
        MalformedRequestError: No record at all, or more than the limit.
    """
    _check_size(body, settings)
    lines = [line for line in _bytes_of(body).split(b"\n") if line.strip()]
    if not lines:
        raise MalformedRequestError("the body holds no record")
    if len(lines) > settings.max_records:
        raise MalformedRequestError(
            f"the body holds {len(lines)} records, the limit is {settings.max_records}"
        )
    return lines


def _check_size(body: Body, settings: ServingSettings) -> None:
    size = _size_of(body)
    if size > settings.max_body_bytes:
        raise BodyTooLargeError(
            f"the body has {size} bytes, the limit is {settings.max_body_bytes}"
        )


def _size_of(body: Body) -> int:
    if isinstance(body, Path):
        return body.stat().st_size
    return len(body.encode() if isinstance(body, str) else body or b"")


def _bytes_of(body: Body) -> bytes:
    if isinstance(body, Path):
        return body.read_bytes()
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def read_line(line: bytes) -> AnalysisRequest:
    """Reads one record of an application/jsonlines body.

    Raises:
        MalformedRequestError: It cannot be understood.
    """
    return _record(parse_json(line))


def parse_json(raw: bytes) -> Any:
    """Reads strict JSON: UTF-8, no NaN, bounded nesting.

    Raises:
        MalformedRequestError: It is not.
    """
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        # Decoder messages name positions; other errors may echo the input.
        where = str(error) if isinstance(error, json.JSONDecodeError) else "not valid JSON text"
        raise MalformedRequestError(f"malformed JSON: {where}") from None


def encode_report(report: Report, record_id: str | None) -> dict[str, Any]:
    """Returns the report's object, led by the caller's own `id` where there was one."""
    head = {} if record_id is None else {"id": record_id}
    return {**head, **report.to_dict()}


def encode_error(
    error: DefectscopeError, request_id: str | None, record_id: str | None
) -> dict[str, Any]:
    """Returns the error's object: `{"error": {"code", "message", "request_id"}}`."""
    head = {} if record_id is None else {"id": record_id}
    detail = {**error.as_dict(), "request_id": error.request_id or request_id}
    # One line, whatever an inner message held.
    detail["message"] = " ".join(str(detail["message"]).split())
    return {**head, "error": detail}


def to_text(answer: Mapping[str, Any]) -> str:
    """Returns an answer as one line of JSON, in ASCII.

    Raises:
        ValueError: A number in it is not finite.
    """
    # Five times as quick as the standard library, which has the last word: this one writes a number
    # that is not finite as null, letters as they are, and refuses half a surrogate pair.
    with contextlib.suppress(TypeError, UnicodeEncodeError):
        text = _ENCODER.encode(answer)
        if text.count(b"null") == _nones(answer) and text.isascii():
            return text.decode("ascii")
    return json.dumps(answer, allow_nan=False, separators=(",", ":"))


def _nones(value: Any) -> int:
    """Counts what JSON has to write as null; rather too few of it than too many."""
    if value is None:
        return 1
    if isinstance(value, dict):
        return sum(map(_nones, cast("dict[str, Any]", value).values()))
    if isinstance(value, list):
        held = cast("list[Any]", value)
        # Curves are nearly all of a report, and hold numbers alone.
        return 0 if held and type(held[0]) is float else sum(map(_nones, held))
    return 0


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _record(data: Any, media: bytes | Path | None = None) -> AnalysisRequest:
    if not isinstance(data, Mapping):
        raise MalformedRequestError("a record must be a JSON object")
    record = cast("Mapping[str, Any]", data)
    known = set(_READERS) - ({"uri", "merge"} if media is not None else set())
    unknown = sorted(str(key)[:64] for key in record if key not in known)
    if unknown:
        raise MalformedRequestError(
            f"unknown field {unknown[0]!r}; a record has {', '.join(sorted(known))}"
        )
    values = {key: _READERS[key](key, value) for key, value in record.items() if value is not None}
    request = AnalysisRequest(media=media, **values)
    if media is None and (request.uri is None) == (request.merge is None):
        raise MalformedRequestError("a record needs either uri or merge")
    if media is not None and not _size_of(media):
        raise MalformedRequestError("the body is empty")
    if request.merge is not None and set(values) - _WITH_MERGE:
        raise MalformedRequestError("merge goes with id, profile and measurements only")
    if request.end_s is not None and request.end_s <= (request.start_s or 0.0):
        raise MalformedRequestError("end_s must lie after start_s")
    return request


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "uri": fields.text,
    "start_s": fields.seconds,
    "end_s": fields.seconds,
    "captions_uri": fields.text,
    "detectors": fields.names,
    "parameters": fields.by_detector,
    "audio_layout": fields.text,
    "program": fields.number,
    "id": fields.identifier,
    "profile": fields.text,
    "measurements": fields.flag,
    "merge": fields.parts,
}
