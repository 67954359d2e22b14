"""A catalogue, cut into request records whose work is spread evenly over files.

    assets -> segments -> files of JSON lines, balanced by decode cost -> plan.json

The plan says which records make up which asset; collecting reads it, so nothing has to be derived
from names of output objects.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast

from defectscope.client.records import Options, Span, encode, record, spans
from defectscope.errors import InvalidParameterError, MalformedRequestError

SCHEMA = "defectscope/plan/1"

# 1080p at 25 frames a second: the frame rate against which costs are told.
_REFERENCE_PX_HZ = 1920 * 1080 * 25
# Decoding is not all of the work: sound and the fixed share of each second cost something too.
_LEAST_COST = 0.05
# Measurements of one detector, by the contract of `defectscope.findings.Measurements`.
_MEASUREMENT_BYTES_PER_MINUTE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Asset:
    """One title of a catalogue.

    Attributes:
        uri: s3:// address of the media.
        duration_s: Length in seconds; None where nobody knows, then it is one record.
        px_hz: Pixels a second: width x height x frame rate; None counts as 1080p25.
        captions_uri: s3:// address of side-car captions.
        title: What to call it on the catalogue page.
        audio_layout: Which channels of its sound tracks are heard together; None guesses.
        program: Programme of a transport stream; None takes the first with video.
    """

    uri: str
    duration_s: float | None = None
    px_hz: float | None = None
    captions_uri: str | None = None
    title: str | None = None
    audio_layout: str | None = None
    program: int | None = None

    @property
    def id(self) -> str:
        """A short name that stays the same from run to run."""
        return hashlib.sha256(self.uri.encode()).hexdigest()[:16]

    @property
    def cost_per_s(self) -> float:
        """Work for one second of it, where one second of 1080p25 is 1."""
        return max(_LEAST_COST, (self.px_hz or _REFERENCE_PX_HZ) / _REFERENCE_PX_HZ)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be analyzed, in how many pieces, and how.

    Attributes:
        assets: Every title, in order.
        segments: Number of records by asset id; 1 means one record for the whole of it.
        segment_s: Length of a piece in seconds.
        options: Detectors, captions and parameters, as in a record.
        pairs: Titles in two versions: ids of the baseline and of the candidate.
    """

    assets: tuple[Asset, ...]
    segments: Mapping[str, int]
    segment_s: float
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    pairs: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def to_json(self) -> str:
        """Returns the plan as text."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1)

    @staticmethod
    def from_json(text: str | bytes) -> Plan:
        """Reads what `to_json` wrote.

        Raises:
            MalformedRequestError: It is no plan.
        """
        try:
            data = json.loads(text)
            if data.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            assets = tuple(Asset(**asset) for asset in data.pop("assets"))
            found = Plan(assets=assets, **data)
            known = found.segments.keys()
            for title, ids in found.pairs.items():
                if len(ids) != 2 or not known >= set(ids) or not _is_relative(title):
                    raise ValueError(f"{title} is no pair of its assets")
            return found
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedRequestError(f"this is no plan of a catalogue: {error}") from None

    def records(self, asset: Asset) -> list[tuple[dict[str, Any], float]]:
        """Returns the records of an asset, each with its cost."""
        options = Options(
            self.options.get("detectors"),
            asset.captions_uri,
            self.options.get("parameters"),
            asset.audio_layout,
            asset.program,
        )
        count = self.segments[asset.id]
        if count == 1:
            cost = asset.cost_per_s * (asset.duration_s or self.segment_s)
            return [(record(asset.uri, options, id=f"{asset.id}/0"), cost)]
        found: list[tuple[dict[str, Any], float]] = []
        for index, span in enumerate(spans(asset.duration_s or 0.0, self.segment_s)):
            fields = record(
                asset.uri,
                options,
                start_s=span.start_s,
                end_s=span.end_s,
                measurements=True,
                id=f"{asset.id}/{index}",
            )
            found.append((fields, asset.cost_per_s * _length_s(span, asset)))
        return found


def plan(
    assets: Sequence[Asset],
    *,
    segment_s: float = 600.0,
    max_payload_mb: int = 6,
    detectors: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    detector_count: int | None = None,
) -> Plan:
    """Returns the plan for a catalogue; the same asset named twice is analyzed once.

    Args:
        assets: The titles.
        segment_s: Pieces are at most so long.
        max_payload_mb: Largest answer that the job allows, in MB.
        detectors: Which to run; None for all.
        parameters: Detector parameters by detector.
        detector_count: How many detectors the model serves, when `detectors` is None.

    Raises:
        InvalidParameterError: A piece's measurements could be larger than an answer may be.
    """
    count = len(detectors) if detectors else detector_count or 1
    worst_bytes = segment_s / 60.0 * _MEASUREMENT_BYTES_PER_MINUTE * count
    if worst_bytes > max_payload_mb * 1024 * 1024:
        fits_s = int(60.0 * max_payload_mb * 1024 * 1024 / _MEASUREMENT_BYTES_PER_MINUTE / count)
        raise InvalidParameterError(
            f"{segment_s:g} s of measurements of {count} detectors may exceed an answer of "
            f"{max_payload_mb} MB: use segments of at most {fits_s} s, or a larger payload"
        )
    unique = tuple({asset.id: asset for asset in assets}.values())
    segments = {a.id: len(spans(a.duration_s or 0.0, segment_s)) for a in unique}
    options: dict[str, Any] = {}
    if detectors:
        options["detectors"] = list(detectors)
    if parameters:
        options["parameters"] = dict(parameters)
    return Plan(unique, segments, segment_s, options)


def paired(base: str, candidate: str, assets: Iterable[Asset]) -> dict[str, tuple[str, str]]:
    """Returns the titles that two prefixes share: ids of the baseline's and the candidate's asset.

    A title is the path below its prefix without the suffix: an encode may change the container.

    Args:
        base: s3:// prefix of the baselines.
        candidate: s3:// prefix of the candidates.
        assets: Of both.

    Raises:
        InvalidParameterError: A prefix lies within the other, holds two files of a title, or they
            share none.
    """
    roots = [prefix.rstrip("/") + "/" for prefix in (base, candidate)]
    if roots[0].startswith(roots[1]) or roots[1].startswith(roots[0]):
        raise InvalidParameterError(f"{base} and {candidate} are not two prefixes side by side")
    titles: list[dict[str, str]] = [{}, {}]
    for asset in assets:
        for root, own in zip(roots, titles, strict=True):
            if not asset.uri.startswith(root):
                continue
            title = str(PurePosixPath(asset.uri.removeprefix(root)).with_suffix(""))
            if not _is_relative(title):
                raise InvalidParameterError(f"{asset.uri}: no name for a file")
            if title in own:
                raise InvalidParameterError(f"{root} holds two files of the title {title}")
            own[title] = asset.id
    shared = sorted(titles[0].keys() & titles[1].keys())
    if not shared:
        raise InvalidParameterError(f"{base} and {candidate} have no title in common")
    return {title: (titles[0][title], titles[1][title]) for title in shared}


def _is_relative(title: str) -> bool:
    """Whether a title can be a path below a folder and nowhere else."""
    return bool(title) and "\\" not in title and not {"..", "", "."} & set(title.split("/"))


def balanced(work: Iterable[tuple[dict[str, Any], float]], files: int) -> list[bytes]:
    """Returns JSON-lines files of about equal cost: the dearest record to the emptiest file.

    Source: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969: the dearest file is
    at most 4/3 of the best possible.
    """
    if files < 1:
        raise InvalidParameterError("at least one file is needed")
    heap: list[tuple[float, int]] = [(0.0, index) for index in range(files)]
    lines: list[list[bytes]] = [[] for _ in range(files)]
    for fields, cost in sorted(work, key=lambda item: (-item[1], item[0]["id"])):
        load, index = heapq.heappop(heap)
        lines[index].append(encode(fields))
        heapq.heappush(heap, (load + cost, index))
    return [b"\n".join(group) + b"\n" for group in lines if group]


def read_assets(text: str) -> list[Asset]:
    """Reads a list of assets: one address a line, or one JSON object a line.

    Raises:
        MalformedRequestError: A line is neither.
    """
    found: list[Asset] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if not stripped.startswith("{"):
            found.append(Asset(stripped))
            continue
        try:
            fields = cast("dict[str, Any]", json.loads(stripped))
            found.append(Asset(**fields))
        except (ValueError, TypeError) as error:
            raise MalformedRequestError(f"line {number}: {error}") from None
    return found


def _length_s(span: Span, asset: Asset) -> float:
    end_s = span.end_s if span.end_s is not None else asset.duration_s or span.start_s
    return max(0.0, end_s - span.start_s)
