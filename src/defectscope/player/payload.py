"""What a player sends, checked: nothing is believed that strangers can write."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from defectscope.errors import MalformedRequestError
from defectscope.findings import SEVERITIES, Finding

SCHEMA = "defectscope/player/1"
MAX_BYTES = 65_536
MAX_FINDINGS = 40
_MAX_EVIDENCE = 16
_MAX_MEDIA_S = 7 * 24 * 3600.0
_SESSION = re.compile(r"[0-9a-f]{32}")
# Ids and versions, not sentences: nothing that could hold an address or a name with spaces.
_LABEL = re.compile(r"[A-Za-z0-9._:+-]{0,80}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_VARIANTS = ("wasm", "javascript")
_DETECTORS = ("black_frames", "freeze", "stutter", "compression_blockiness", "color_error")


T = TypeVar("T", bound=str)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one payload says.

    Attributes:
        session: Hash of the session, 32 hexadecimal digits.
        number: Which payload of the session it is, from 1.
        content: Id of the title, `` where the player named none.
        app: Version of the app.
        device: Class of device.
        variant: `wasm` or `javascript`.
        version: Version of the modules.
        asset: Duration in seconds, width and height in pixels.
        frames: Frames measured, skipped, missed and dropped so far.
        cost: 50th and 95th percentile of each cost so far, milliseconds.
        memory_bytes: Memory of the modules.
        events: How often each event came so far, and for how long altogether, milliseconds.
        findings: What was found.
        refused: Why findings of the payload were left out.
    """

    session: str
    number: int
    content: str
    app: str
    device: str
    variant: str
    version: str
    asset: Mapping[str, float]
    frames: Mapping[str, float]
    cost: Mapping[str, Mapping[str, float]]
    memory_bytes: float
    events: Mapping[str, Mapping[str, float]]
    findings: tuple[Finding, ...]
    refused: tuple[str, ...]


def parse(body: bytes) -> Batch:
    """Reads a payload; bad findings are left out one by one.

    Args:
        body: UTF-8 JSON as the player sends it.

    Raises:
        MalformedRequestError: It is too large, no JSON, or its session is not what players send.
    """
    if len(body) > MAX_BYTES:
        raise MalformedRequestError(f"a payload has at most {MAX_BYTES} bytes, not {len(body)}")
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedRequestError("a payload is a JSON object") from None
    if not isinstance(data, dict):
        raise MalformedRequestError("a payload is a JSON object")
    fields = cast("dict[str, Any]", data)
    if fields.get("schema") != SCHEMA:
        raise MalformedRequestError(f"the schema of a payload is {SCHEMA}")
    given: Any = fields.get("findings", [])
    if not isinstance(given, list):
        raise MalformedRequestError("findings are a list")
    findings: list[Finding] = []
    refused: list[str] = []
    for number, each in enumerate(cast("list[Any]", given)):
        if number >= MAX_FINDINGS:
            refused.append(f"finding {number}: there are more than {MAX_FINDINGS}")
            break
        try:
            findings.append(_finding(each))
        except MalformedRequestError as error:
            refused.append(f"finding {number}: {error}")
    return Batch(
        session=_text(fields, "session", _SESSION),
        number=int(_number(fields, "number", 1, 1e6)),
        content=_text(fields, "content", _LABEL),
        app=_text(fields, "app", _LABEL),
        device=_text(fields, "device", _LABEL),
        variant=_one_of(fields, "variant", _VARIANTS),
        version=_text(fields, "version", _LABEL),
        asset=_numbers(fields.get("asset"), 8),
        frames=_numbers(fields.get("frames"), 8),
        cost=_tables(fields.get("cost")),
        memory_bytes=_number(fields, "memory_bytes", 0, 1e9),
        events=_tables(fields.get("events")),
        findings=tuple(findings),
        refused=tuple(refused),
    )


def _finding(data: Any) -> Finding:
    fields = _object(data, "a finding")
    start_s = _number(fields, "start_s", 0, _MAX_MEDIA_S)
    end_s = _number(fields, "end_s", 0, _MAX_MEDIA_S)
    if end_s <= start_s:
        raise MalformedRequestError("a finding ends after it starts")
    detector = _one_of(fields, "detector", _DETECTORS)
    evidence: dict[str, Any] = {}
    for key, value in _object(fields.get("evidence"), "evidence").items():
        plain = isinstance(value, bool) or _is_finite(value)
        if not _NAME.fullmatch(key) or len(evidence) >= _MAX_EVIDENCE:
            raise MalformedRequestError("evidence is a few named quantities")
        if not plain and not (isinstance(value, str) and _NAME.fullmatch(value)):
            raise MalformedRequestError("evidence holds numbers, flags and names of kinds")
        evidence[key] = value
    return Finding(
        detector=detector,
        defect=_one_of(fields, "defect", (detector,)),
        start_s=start_s,
        end_s=end_s,
        confidence=_number(fields, "confidence", 0, 1),
        severity=_one_of(fields, "severity", SEVERITIES),
        evidence=evidence,
    )


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedRequestError(f"{what} is a JSON object")
    return cast("dict[str, Any]", value)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _number(fields: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not _is_finite(value):
        raise MalformedRequestError(f"{name} is a number")
    number = float(cast("float", value))
    if not low <= number <= high:
        raise MalformedRequestError(f"{name} is from {low} to {high}")
    return number


def _text(fields: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedRequestError(f"{name} does not look like one")
    return value


def _one_of(fields: Mapping[str, Any], name: str, known: tuple[T, ...]) -> T:
    value = fields.get(name)
    for each in known:
        if value == each:
            return each
    raise MalformedRequestError(f"{name} is one of {', '.join(known)}")


def _numbers(value: Any, most: int) -> dict[str, float]:
    found = _object(value, "a table of numbers")
    good = [
        _NAME.fullmatch(k) and not isinstance(v, bool) and _is_finite(v) for k, v in found.items()
    ]
    if len(found) > most or not all(good):
        raise MalformedRequestError("a table holds a few named numbers")
    return {key: float(each) for key, each in found.items()}


def _tables(value: Any) -> dict[str, dict[str, float]]:
    found = _object(value, "a table")
    if len(found) > 12 or not all(_NAME.fullmatch(key) for key in found):
        raise MalformedRequestError("a table holds a few named rows")
    return {key: _numbers(each, 4) for key, each in found.items()}
