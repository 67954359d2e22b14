"""Drift by class and period, its page and metric lines; audits of production."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.cli.main import main
from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Report
from defectscope.learning import health, queue_folder
from defectscope.learning.audit import audit, stratified
from defectscope.learning.health_page import page
from defectscope.learning.items import by_id, read_items
from defectscope.learning.labels import Label, LabelFile, now

HISS, DETECTOR = "audio_hiss", "audio_artifacts"
Maker = Callable[..., Report]


def month(folder: Path, title: Maker, seed: int, *, lift: float = 0.0, count: int = 60) -> Path:
    """Reports of a month: scores and one measured column, both lifted."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for k in range(count):
        own = title(f"t{k}.wav", seed * 1000 + k)
        score = float(np.clip(rng.beta(2, 8) + lift, 0, 1))
        verdicts = {DETECTOR: {"verdict": "pass", "peak_score": {HISS: score}}}
        asset = {**own.asset, "video": {"height": 1080}} if k % 6 == 0 else own.asset
        body = replace(own, verdicts=verdicts, asset=asset)
        (folder / f"{k}.json").write_text(body.to_json(), "utf-8")
    return folder


@pytest.fixture
def months(tmp_path: Path, title: Maker) -> list[Path]:
    return [
        month(tmp_path / "reference", title, 1),
        month(tmp_path / "october", title, 2),
        month(tmp_path / "november", title, 3, lift=0.3),
    ]


def test_an_alarm_rings_for_what_moved_and_for_nothing_else(
    months: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, october, november = (str(m) for m in months)
    arguments = ["drift", october, november, "--reference", reference, "--fail-on-alarm"]
    out, shown, lines = tmp_path / "d.json", tmp_path / "d.html", tmp_path / "lines"
    files = ["--json", str(out), "--html", str(shown), "--metrics", str(lines)]
    assert main([*arguments, *files]) == 1
    rows = json.loads(out.read_bytes())["health"]
    ringing = {(row["period"], q["name"]) for row in rows for q in row["quantities"] if q["alarm"]}
    assert ringing == {("november", f"score {HISS}")}
    # Ten titles with frames are too few to say anything of them.
    assert [r["quantities"] for r in rows if r["title_class"] == "HD"] == [[], []]
    assert {r["title_class"] for r in rows} == {"sound", "HD"}
    assert "1 of " in capsys.readouterr().out
    parsed = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    for line in parsed:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert all(isinstance(line[m["Name"]], float) for m in directive["Metrics"])
        assert all(isinstance(line[k], str) for k in directive["Dimensions"][0])
    assert sum(line["DriftAlarm"] for line in parsed) == 1
    assert main(["drift", october, "--reference", reference, "--fail-on-alarm"]) == 0
    text = shown.read_text("utf-8")
    assert text.count("<figure class=alarm>") == 1
    assert text.index("class=alarm") < text.index("<figure>")
    assert "<script" not in text


def test_a_months_share_of_false_alarms(title: Maker) -> None:
    """Months that are drawn from one distribution: the alarm asks for more than chance gives."""
    rng = np.random.default_rng(5)
    reference = {("sound", "d"): {f"q{k}": rng.normal(size=300).tolist() for k in range(8)}}
    rung = 0
    for _ in range(60):
        values = {f"q{k}": rng.normal(size=100).tolist() for k in range(8)}
        (own,) = health.compare_periods(reference, {"m": {("sound", "d"): values}})
        rung += any(q.alarm for q in own.quantities)
    assert rung <= 2


def test_what_is_no_month_is_refused(tmp_path: Path, months: list[Path], title: Maker) -> None:
    with pytest.raises(InvalidParameterError, match="no reports"):
        health.read_period(tmp_path / "nothing")
    (months[1] / "bad.json").write_text("{}", "utf-8")
    with pytest.raises(MalformedRequestError, match=r"bad\.json"):
        health.read_period(months[1])
    twice = ["drift", str(months[0]), str(months[0]), "--reference", str(months[0])]
    assert main(twice) == 2


def test_names_cannot_break_the_page() -> None:
    hostile = "<script>alert(1)</script>"
    values: Any = {("sound", hostile): {hostile: [0.0, 1.0] * 40, "flat": [1.0] * 80}}
    found = health.compare_periods(values, {hostile: values})
    text = page(values, {hostile: values}, found)
    assert "<script" not in text
    assert text.count("<figure") == 2


@pytest.mark.parametrize("precision", [0.5, 0.8, 0.95])
def test_the_interval_of_an_audit_holds_the_truth(precision: float) -> None:
    """Two rounds of unlike size and precision: 95 % of intervals hold what is true of all."""
    rng = np.random.default_rng(3)
    sizes, drawn = (400, 100), (12, 30)
    held = 0
    means: list[float] = []
    for _ in range(400):
        rounds = [rng.uniform(size=n) < p for n, p in zip(sizes, (precision, 0.5), strict=True)]
        truth = sum(r.sum() for r in rounds) / sum(sizes)
        asked = [rng.choice(r, size=n, replace=False) for r, n in zip(rounds, drawn, strict=True)]
        share, (low, high) = stratified(
            [(n, len(a), int(a.sum())) for n, a in zip(sizes, asked, strict=True)]
        )
        means.append(share - truth)
        held += low <= truth <= high
    assert held / 400 >= 0.93
    assert abs(np.mean(means)) < 0.02


def test_an_audit_counts_the_random_share_alone(tmp_path: Path, title: Maker) -> None:
    reports = [
        title(f"t{k:02d}.wav", k, hiss=k % 2 == 0, confidence=0.5 + k / 90 if k % 4 else None)
        for k in range(40)
    ]
    folder = tmp_path / "queue"
    for number in (1, 2):
        queue_folder.add_round(folder, reports, count=24, seed=number)
    with pytest.raises(InvalidParameterError, match="drawn at random"):
        audit([folder])
    items = read_items(folder)
    labels = LabelFile(folder)
    for item in items:
        # Only what was drawn is right: who counts all finds another share.
        right = item.reason == "random"
        # Every piece without a finding has a defect after all.
        labels.add([Label(item.id, "true" if right else "false", item.defect or HISS, item.start_s,
                          item.end_s, "kn", now())])  # fmt: skip
    (own,) = audit([folder])
    facts = queue_folder.read_facts(folder)
    assert [d.findings for d in facts.draws] == [{DETECTOR: 30}] * 2
    known = by_id(items)
    expected = [
        known[name].reason == "random"
        for d in facts.draws
        for name in d.items
        if known[name].origin == "finding"
    ]
    assert (own.asked, own.right) == (len(expected), sum(expected))
    assert own.findings == 60
    assert own.missed == own.pieces > 0
    low, high = own.interval
    assert 0 <= low <= own.precision <= high <= 1


def test_an_audit_by_the_command_line(
    queue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(queue)]) == 2
    labels = LabelFile(queue)
    for item in read_items(queue):
        labels.add([Label(item.id, "false", "", item.start_s, item.end_s, "kn", now())])
    capsys.readouterr()
    assert main(["audit", str(queue), "--json", str(tmp_path / "a.json")]) == 0
    text = capsys.readouterr().out
    assert "0.000 of findings right" in text or "no finding that was drawn" in text
    (row,) = json.loads((tmp_path / "a.json").read_bytes())["audit"]
    assert row["detector"] == DETECTOR


def test_queues_made_before_draws_were_kept_can_be_audited(queue: Path) -> None:
    path = queue / queue_folder.DOCUMENT
    body = json.loads(path.read_bytes())
    del body["draws"]
    path.write_text(json.dumps(body), "utf-8")
    for item in read_items(queue):
        LabelFile(queue).add(
            [Label(item.id, "true", item.defect or HISS, item.start_s, item.end_s, "kn", now())]
        )
    (own,) = audit([queue])
    assert own.asked == own.right
