"""Merges the answers of transform jobs to one report per asset; finished assets are skipped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from defectscope.client.faults import record_error
from defectscope.deploy.catalogue import Asset, Plan
from defectscope.errors import DefectscopeError
from defectscope.findings import Report

Merge = Callable[[list[Mapping[str, Any]]], Report]

# Faults of the media or of the request stay the same however often they are tried.
_FINAL = frozenset(
    {
        "body_too_large",
        "invalid_parameter",
        "malformed_request",
        "media_error",
        "media_not_found",
        "media_refused",
        "media_too_large",
        "media_too_long",
        "object_too_large",
        "time_limit_exceeded",
        "too_many_pixels",
        "too_many_streams",
        "unknown_detector",
        "unreadable_captions",
        "unreadable_media",
    }
)


@dataclass(slots=True)
class Collection:
    """How far a catalogue is.

    Attributes:
        done: Assets with a report, by id.
        failed: Assets that cannot be analyzed: why, by id.
        missing: Records that gave no answer, or one that a repetition may cure, by asset id.
    """

    done: set[str] = field(default_factory=set[str])
    failed: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    missing: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def retry(self, plan: Plan) -> list[tuple[dict[str, Any], float]]:
        """Returns the records to run again, with their costs."""
        by_id = {asset.id: asset for asset in plan.assets}
        work: list[tuple[dict[str, Any], float]] = []
        for asset_id, indices in self.missing.items():
            records = plan.records(by_id[asset_id])
            work += [records[index] for index in indices]
        return work


def collect(plan: Plan, answers: Iterable[bytes], folder: Path, merge: Merge) -> Collection:
    """Writes a report for every asset whose records are all answered.

    Answers may come in any order, from any number of jobs, and more than once. Parts of an asset
    are kept in `folder`/parts until it is whole, so memory holds one asset's at a time, and a
    later call goes on from there.

    Args:
        plan: What was asked for.
        answers: Lines of the jobs' outputs.
        folder: Gets reports/<id>.json, failures.json and parts/.
        merge: Returns one report from the parts of an asset.
    """
    reports, parts = folder / "reports", folder / "parts"
    reports.mkdir(parents=True, exist_ok=True)
    parts.mkdir(exist_ok=True)
    known = {asset.id: asset for asset in plan.assets}
    collection = Collection()
    transient: set[tuple[str, int]] = set()
    for asset_id, index, body in _placed(answers, plan):
        if (reports / f"{asset_id}.json").exists():
            continue
        path = parts / f"{asset_id}-{index}.json"
        if "error" in body:
            error = record_error(body)
            if error.code in _FINAL:
                collection.failed[asset_id] = _failure(known[asset_id], error)
            else:
                transient.add((asset_id, index))
        else:
            _write(path, json.dumps(body))
    for asset in plan.assets:
        report = reports / f"{asset.id}.json"
        if report.exists():
            collection.done.add(asset.id)
            collection.failed.pop(asset.id, None)
            continue
        if asset.id in collection.failed:
            continue
        count = plan.segments[asset.id]
        paths = [parts / f"{asset.id}-{index}.json" for index in range(count)]
        absent = [index for index, path in enumerate(paths) if not path.exists()]
        if absent:
            collection.missing[asset.id] = absent
            continue
        try:
            _write(report, _whole(paths, merge).to_json())
        except DefectscopeError as error:
            collection.failed[asset.id] = _failure(asset, error)
            continue
        collection.done.add(asset.id)
        for path in paths:
            path.unlink()
    _write(folder / "failures.json", json.dumps(list(collection.failed.values()), indent=1))
    return collection


def read_reports(plan: Plan, folder: Path) -> list[tuple[Asset, Report]]:
    """Returns the reports there are, with their assets, in the plan's order."""
    found: list[tuple[Asset, Report]] = []
    for asset in plan.assets:
        path = folder / "reports" / f"{asset.id}.json"
        if path.exists():
            found.append((asset, Report.from_dict(json.loads(path.read_text("utf-8")))))
    return found


def write_pairs(plan: Plan, folder: Path) -> tuple[int, int]:
    """Writes the reports of pairs by title, for `defectscope compare`; returns whole and all pairs.

    Args:
        plan: What was asked for.
        folder: What `collect` wrote to; gets pairs/baseline/ and pairs/candidate/.
    """
    whole = 0
    for title, ids in plan.pairs.items():
        reports = [folder / "reports" / f"{asset_id}.json" for asset_id in ids]
        if not all(path.exists() for path in reports):
            continue
        whole += 1
        for side, report in zip(("baseline", "candidate"), reports, strict=True):
            path = folder / "pairs" / side / f"{title}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, report.read_text("utf-8"))
    return whole, len(plan.pairs)


def _placed(answers: Iterable[bytes], plan: Plan) -> Iterable[tuple[str, int, dict[str, Any]]]:
    for line in answers:
        try:
            body = json.loads(line)
        except ValueError:
            continue
        if not isinstance(body, dict):
            continue
        fields = cast("dict[str, Any]", body)
        asset_id, _, number = str(fields.get("id", "")).partition("/")
        count = plan.segments.get(asset_id, 0)
        if number.isdecimal() and int(number) < count:
            yield asset_id, int(number), fields


def _whole(paths: list[Path], merge: Merge) -> Report:
    bodies = [cast("dict[str, Any]", json.loads(path.read_text("utf-8"))) for path in paths]
    for body in bodies:
        body.pop("id", None)
    return Report.from_dict(bodies[0]) if len(bodies) == 1 else merge(list(bodies))


def _failure(asset: Asset, error: DefectscopeError) -> dict[str, Any]:
    return {
        "id": asset.id,
        "uri": asset.uri,
        "title": asset.title,
        "code": error.code,
        "message": error.message,
        "request_id": error.request_id,
    }


def _write(path: Path, text: str) -> None:
    """Writes all or nothing: a file that is there is whole."""
    draft = path.with_suffix(".new")
    draft.write_text(text, "utf-8")
    draft.replace(path)
