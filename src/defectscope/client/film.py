"""Long media through a real-time endpoint: interval by interval, merged by the endpoint itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from defectscope.client import pool
from defectscope.client.records import Options, encode, merge_bodies, record, spans, united
from defectscope.client.retry import Deadline
from defectscope.errors import EndpointError
from defectscope.findings import Report

Call = Callable[[bytes, Deadline], Report]


def analyze(
    uri: str,
    options: Options,
    call: Call,
    *,
    segment_s: float,
    concurrency: int,
    max_body_bytes: int,
    deadline: Deadline,
) -> Report:
    """Returns the report on media of unknown length at an address.

    The first interval's report tells how long the media is; the others then run side by side.
    """
    first = call(
        encode(record(uri, options, start_s=0.0, end_s=segment_s, measurements=True)), deadline
    )
    duration_s = float(first.asset.get("duration_s") or 0.0)
    rest = spans(duration_s, segment_s)[1:]

    def analyze_item(index: int) -> Report:
        span = rest[index]
        request = record(uri, options, start_s=span.start_s, end_s=span.end_s, measurements=True)
        return call(encode(request), deadline)

    parts = [first.to_dict()]
    for outcome in pool.outcomes(analyze_item, range(len(rest)), concurrency=concurrency):
        if outcome.error is not None:
            raise outcome.error
        assert outcome.report is not None
        parts.append(outcome.report.to_dict())
    return merge(parts, call, max_body_bytes, deadline, options.profile)


def merge(
    parts: Sequence[Mapping[str, Any]],
    call: Call,
    max_body_bytes: int,
    deadline: Deadline,
    profile: str | None = None,
) -> Report:
    """Returns one report from the segments' reports, in as few calls as fit the body limit.

    Raises:
        EndpointError: The segments carry no measurements.
    """
    if not parts or any("measurements" not in part for part in parts):
        raise EndpointError("segments without measurements cannot be merged")
    return united([call(body, deadline) for body in merge_bodies(parts, max_body_bytes, profile)])
