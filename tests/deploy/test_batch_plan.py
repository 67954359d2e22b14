"""Catalogues planned, collected and shown, without a network."""

from __future__ import annotations

import json
import random
import re
from array import array
from dataclasses import replace

import pytest

from defectscope.deploy import catalogue, catalogue_page, collect
from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Finding, Report
from defectscope.measurements import Measurements, Table


def report(uri: str, *severities: str, measured: bool = False) -> Report:
    findings = tuple(
        Finding("freeze", "freeze", float(i), i + 1.0, 0.9, severity)
        for i, severity in enumerate(severities)
    )
    table = Table((25, 1), {"frame": array("q", [0])})
    return Report(
        asset={"uri": uri, "duration_s": 3600.0},
        findings=findings,
        verdicts={"freeze": {"verdict": "fail" if findings else "pass", "peak_score": {}}},
        curves={},
        detectors={"freeze": {"version": "1"}},
        timing={},
        measurements=(Measurements("freeze", {"t": table}),) if measured else (),
        stream={"x": 1} if measured else None,
    )


def assets(count: int) -> list[catalogue.Asset]:
    rng = random.Random(3)
    return [
        catalogue.Asset(f"s3://b/{i}.mp4", rng.uniform(30, 9000), rng.choice([None, 5e7, 4e8]))
        for i in range(count)
    ]


def test_files_are_balanced_and_hold_everything_once() -> None:
    plan = catalogue.plan(assets(60), segment_s=600, max_payload_mb=50)
    work = [pair for asset in plan.assets for pair in plan.records(asset)]
    cost = {fields["id"]: spent for fields, spent in work}
    files = catalogue.balanced(work, 8)
    ids = [[json.loads(line)["id"] for line in body.splitlines()] for body in files]
    assert sorted(i for group in ids for i in group) == sorted(cost)
    loads = [sum(cost[i] for i in group) for group in ids]
    assert max(loads) <= 1.02 * sum(loads) / len(loads)


def test_pieces_cover_an_asset_and_ask_for_measurements() -> None:
    plan = catalogue.plan([catalogue.Asset("s3://b/a", 1500.0)], segment_s=600, max_payload_mb=50)
    fields = [f for f, _ in plan.records(plan.assets[0])]
    assert [(f["start_s"], f.get("end_s")) for f in fields] == [(0, 600), (600, 1200), (1200, None)]
    assert all(f["measurements"] for f in fields)


def test_one_piece_is_a_plain_record() -> None:
    plan = catalogue.plan([catalogue.Asset("s3://b/a")], detectors=["freeze"])
    ((fields, _),) = plan.records(plan.assets[0])
    assert set(fields) == {"uri", "detectors", "id"}


def test_answers_that_could_not_fit_are_refused_with_what_fits() -> None:
    with pytest.raises(InvalidParameterError, match="at most 288 s"):
        catalogue.plan(assets(1), segment_s=600, max_payload_mb=6, detector_count=20)


def test_a_plan_survives_its_file() -> None:
    plan = catalogue.plan(assets(5), max_payload_mb=50, parameters={"freeze": {"x": 1}})
    assert catalogue.Plan.from_json(plan.to_json()) == plan
    with pytest.raises(MalformedRequestError):
        catalogue.Plan.from_json("{}")


def test_lists_have_addresses_or_objects() -> None:
    text = '# titles\ns3://b/1.mp4\n\n{"uri": "s3://b/2.mp4", "title": "Two", "duration_s": 60}\n'
    one, two = catalogue.read_assets(text)
    assert one.uri == "s3://b/1.mp4"
    assert (two.title, two.duration_s) == ("Two", 60)
    with pytest.raises(MalformedRequestError, match="line 1"):
        catalogue.read_assets('{"url": "x"}')


def _answer(plan: catalogue.Plan, asset: catalogue.Asset, index: int) -> bytes:
    body = report(asset.uri, "major", measured=True).to_dict()
    return json.dumps({"id": f"{asset.id}/{index}", **body}).encode()


def _failed(asset: catalogue.Asset, index: int, code: str) -> bytes:
    error = {"code": code, "message": "why", "request_id": "r"}
    return json.dumps({"id": f"{asset.id}/{index}", "error": error}).encode()


def test_collecting_goes_on_where_it_was(tmp_path) -> None:
    long = [catalogue.Asset(f"s3://b/{i}", 1000.0) for i in range(3)]
    plan = catalogue.plan(long, segment_s=600, max_payload_mb=50)
    merged: list[int] = []

    def merge(parts):
        assert all("id" not in part for part in parts)
        merged.append(len(parts))
        return report("s3://merged", "major")

    first = [_answer(plan, long[0], i) for i in (1, 0)]
    first += [_answer(plan, long[1], 0), _failed(long[1], 1, "internal_error")]
    first += [_failed(long[2], 0, "unreadable_media"), b"noise", b"[]", b'{"id": "other/0"}']
    found = collect.collect(plan, first, tmp_path, merge)
    assert found.done == {long[0].id}
    assert found.failed[long[2].id]["code"] == "unreadable_media"
    assert found.missing == {long[1].id: [1]}
    ((retry, _),) = found.retry(plan)
    assert retry["id"] == f"{long[1].id}/1"
    # The next round brings only what was missing; what is done is not merged again.
    again = collect.collect(plan, [*first, _answer(plan, long[1], 1)], tmp_path, merge)
    assert again.done == {long[0].id, long[1].id}
    assert again.missing == {}
    assert merged == [2, 2]
    assert list((tmp_path / "parts").iterdir()) == []
    assert len(collect.read_reports(plan, tmp_path)) == 2


def test_a_success_after_a_failure_counts(tmp_path) -> None:
    plan = catalogue.plan([catalogue.Asset("s3://b/a")])
    (asset,) = plan.assets
    lines = [_failed(asset, 0, "internal_error"), _answer(plan, asset, 0)]
    assert collect.collect(plan, lines, tmp_path, lambda _p: report("x")).done == {asset.id}


def test_the_page_has_the_worst_first_and_hostile_names_inert() -> None:
    hostile = "</script><script>alert(1)</script>"
    decided = [
        (catalogue.Asset("s3://b/fine", title="Fine"), report("a")),
        (catalogue.Asset("s3://b/bad", title=hostile), report("b", "critical", "minor")),
        (catalogue.Asset("s3://b/so", title="So so"), report("c", "major")),
    ]
    failures = [{"uri": "s3://b/x", "title": None, "code": "media_not_found", "message": "<b>"}]
    page = catalogue_page.render(decided, failures, 4)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))
    assert [row["title"] for row in data["rows"]] == [hostile, "So so", "Fine"]
    assert data["rows"][0]["per_hour"] == 2.0
    assert data["waiting"] == 4
    assert page.count("<script") == 2
    assert "http" not in page.replace("http-equiv", "")


def _versions(*names: str) -> list[catalogue.Asset]:
    return [catalogue.Asset(f"s3://m/{name}", 10.0) for name in names]


def test_pairs_are_planned_and_their_reports_stored_by_title(tmp_path) -> None:
    own = _versions("h264/show/1.mp4", "h264/show/2.mp4", "av1/show/1.webm", "av1/show/3.webm")
    pairs = catalogue.paired("s3://m/h264/", "s3://m/av1", own)
    assert pairs == {"show/1": (own[0].id, own[2].id)}
    plan = catalogue.Plan.from_json(replace(catalogue.plan(own), pairs=pairs).to_json())
    assert collect.write_pairs(plan, tmp_path) == (0, 1)
    lines = [_answer(plan, asset, 0) for asset in own]
    collect.collect(plan, lines, tmp_path, lambda _p: report("x"))
    assert collect.write_pairs(plan, tmp_path) == (1, 1)
    stored = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "pairs").rglob("*.json")}
    assert stored == {"pairs/baseline/show/1.json", "pairs/candidate/show/1.json"}


@pytest.mark.parametrize(
    ("prefixes", "names", "why"),
    [
        (("s3://m/a", "s3://m/a/b"), ("a/x.mp4", "a/b/x.mp4"), "side by side"),
        (("s3://m/a", "s3://m/b"), ("a/x.mp4", "a/x.mov", "b/x.mp4"), "two files of the title x"),
        (("s3://m/a", "s3://m/b"), ("a/x.mp4", "b/y.mp4"), "no title in common"),
        (("s3://m/a", "s3://m/b"), ("a/../x.mp4", "b/../x.mp4"), "no name for a file"),
    ],
)
def test_prefixes_that_are_no_pairs_are_refused(prefixes, names, why) -> None:
    with pytest.raises(InvalidParameterError, match=why):
        catalogue.paired(*prefixes, _versions(*names))


@pytest.mark.parametrize("title", ["../../etc/x", "/x", "a//b", ""])
def test_a_plan_whose_titles_leave_the_folder_is_refused(title) -> None:
    own = _versions("a/x.mp4", "b/x.mp4")
    text = replace(catalogue.plan(own), pairs={title: [a.id for a in own]}).to_json()
    with pytest.raises(MalformedRequestError, match="no pair"):
        catalogue.Plan.from_json(text)
