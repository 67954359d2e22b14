"""Requests as the endpoint reads them, and reports as it answers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from defectscope.errors import EndpointError, UsageError
from defectscope.findings import Report

try:
    # All extras bring it; the base install, which is boto3 alone, does without.
    import msgspec
except ImportError:
    msgspec = None


@dataclass(frozen=True, slots=True)
class Options:
    """What to look for, in whatever media.

    Attributes:
        detectors: Names of the detectors to run; None runs all that the endpoint serves.
        captions_uri: Address of side-car captions.
        parameters: Detector parameters by detector.
        audio_layout: Which channels of the sound tracks are heard together.
        program: Number of the programme of a transport stream.
        profile: Name of a delivery profile that ships.
    """

    detectors: Sequence[str] | None = None
    captions_uri: str | None = None
    parameters: Mapping[str, Any] | None = None
    audio_layout: str | None = None
    program: int | None = None
    profile: str | None = None


def record(
    uri: str | None,
    options: Options,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    measurements: bool = False,
    id: str | None = None,
) -> dict[str, Any]:
    """Returns one request record, its absent fields left out; `uri` is None beside a body."""
    fields: dict[str, Any] = {
        "uri": uri,
        "start_s": start_s,
        "end_s": end_s,
        "captions_uri": options.captions_uri,
        "detectors": None if options.detectors is None else list(options.detectors),
        "parameters": dict(options.parameters) if options.parameters else None,
        "audio_layout": options.audio_layout,
        "program": options.program,
        "profile": options.profile,
        "id": id,
        "measurements": measurements or None,
    }
    return {k: v for k, v in fields.items() if v is not None}


def encode(body: Any, *, ascii_only: bool = False) -> bytes:
    """Returns compact JSON, in UTF-8."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=ascii_only).encode()


def read_report(body: bytes, *, request_id: str | None = None) -> Report:
    """Returns the report in an answer.

    Raises:
        EndpointError: The answer is none, so something else than defectscope answered.
    """
    try:
        return Report.from_dict(_parsed(body))
    except (ValueError, RecursionError):
        problem = "no JSON"
    except UsageError as error:
        problem = error.message
    raise EndpointError(f"the endpoint's answer is no report: {problem}", request_id=request_id)


def _parsed(body: bytes) -> Any:
    """Reads JSON, a millisecond sooner where msgspec is: curves are thousands of numbers."""
    if msgspec is not None:
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.json.decode(body)
    # What msgspec refuses, the standard library decides: it knows other encodings, and NaN.
    return json.loads(body)


def named(report: Report, label: str) -> Report:
    """Returns the report with its asset named, for media that the endpoint saw only as bytes."""
    return replace(report, asset={**report.asset, "uri": label})


@dataclass(frozen=True, slots=True)
class Span:
    """The programme that one request analyzes, [start_s, end_s); end_s None is the end."""

    start_s: float
    end_s: float | None


def spans(duration_s: float, segment_s: float) -> list[Span]:
    """Returns equal intervals of at most `segment_s` seconds that cover the whole programme.

    The last one is open, so that a duration which the container states too short loses nothing.
    """
    if not (segment_s > 0.0 and duration_s >= 0.0):
        raise UsageError("segment_s must be positive")
    count = max(1, int(-(-duration_s // segment_s)))
    cuts = [round(index * segment_s, 6) for index in range(count)]
    return [
        Span(start, cuts[index + 1] if index + 1 < count else None)
        for index, start in enumerate(cuts)
    ]


def merge_bodies(
    parts: Sequence[Mapping[str, Any]], limit_bytes: int, profile: str | None = None
) -> list[bytes]:
    """Returns the merge requests for a film's segments, each within the body limit.

    Detectors decide independently, so when everything together is too large, groups of detectors
    go in requests of their own; a single detector too large comes as a request over the limit.

    Raises:
        EndpointError: A profile's rules need all detectors in one request, which is too large.
    """
    held = {} if profile is None else {"profile": profile}
    whole = encode({"merge": [slim(part) for part in parts], **held})
    if len(whole) <= limit_bytes:
        return [whole]
    if profile is not None:
        raise EndpointError(
            f"its {len(whole)} bytes of measurements are too many for one request, which rules of "
            "a profile need: call without profile, and apply it to the report"
        )
    names = sorted(parts[0]["detectors"])
    bodies: list[bytes] = []
    group: list[str] = []
    for name in names:
        candidate = encode({"merge": [slim(part, (*group, name)) for part in parts]})
        if len(candidate) > limit_bytes and group:
            bodies.append(encode({"merge": [slim(part, group) for part in parts]}))
            group = [name]
        else:
            group.append(name)
    bodies.append(encode({"merge": [slim(part, group) for part in parts]}))
    return bodies


def slim(part: Mapping[str, Any], only: Iterable[str] | None = None) -> dict[str, Any]:
    """Returns a segment's report without what merging computes anew, for some detectors or all."""
    wanted = None if only is None else frozenset(only)

    def chosen(fields: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in fields.items() if wanted is None or k in wanted}

    return {
        **part,
        "findings": [],
        "curves": {},
        "verdicts": chosen(part["verdicts"]),
        "detectors": chosen(part["detectors"]),
        "measurements": [
            m for m in part.get("measurements", ()) if wanted is None or m["detector"] in wanted
        ],
    }


def united(reports: Sequence[Report]) -> Report:
    """Returns the reports of disjoint groups of detectors on one asset as a single report."""
    head = reports[0]
    if len(reports) == 1:
        return head
    findings = [finding for report in reports for finding in report.findings]
    findings.sort(key=lambda finding: (finding.start_s, finding.detector, finding.end_s))
    return replace(
        head,
        findings=tuple(findings),
        verdicts={k: v for report in reports for k, v in report.verdicts.items()},
        curves={k: v for report in reports for k, v in report.curves.items()},
        detectors={k: v for report in reports for k, v in report.detectors.items()},
        measurements=tuple(m for report in reports for m in report.measurements),
    )
