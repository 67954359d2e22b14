"""Label Studio's own checks of what is exchanged, and drift."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from defectscope.errors import MalformedRequestError
from defectscope.learning import label_studio
from defectscope.learning.drift import drift, metric_data, stability_index
from defectscope.learning.items import by_id, read_items
from defectscope.learning.labels import Label, LabelFile, now

HISS = "audio_hiss"


def answers(queue: Path) -> list[Label]:
    first, second, third, *_ = read_items(queue)
    at = now()
    return [
        Label(first.id, "false", "", first.start_s, first.end_s, "kn", at, source="label_studio"),
        Label(second.id, "wrong_ends", HISS, 4.0, 5.5, "kn", at, source="label_studio"),
        Label(third.id, "true", HISS, third.start_s, third.end_s, "kn", at,
              source="label_studio", region=(0.1, 0.2, 0.3, 0.4)),
    ]  # fmt: skip


def exported(queue: Path) -> list[dict[str, object]]:
    own = answers(queue)
    made = label_studio.tasks(read_items(queue)[:3], "/data/local-files/?d=queue", 1.0)
    return [
        {**task, "annotations": [label_studio.annotation(label, task)]}
        for task, label in zip(made, own, strict=True)
    ]


def test_answers_come_back_as_they_went(queue: Path) -> None:
    back = label_studio.labels_of(exported(queue), by_id(read_items(queue)))
    for own, other in zip(answers(queue), back, strict=True):
        assert (own.item, own.answer, own.defect) == (other.item, other.answer, other.defect)
        assert (other.start_s, other.end_s) == pytest.approx((own.start_s, own.end_s))
        assert other.region == pytest.approx(own.region)
        assert other.source == "label_studio"
    text = str(label_studio.tasks(read_items(queue), "x", 1.0))
    assert "score" not in text
    assert "suspicious" not in text


@pytest.mark.slow
def test_label_studio_itself_accepts_tasks_and_annotations(queue: Path) -> None:
    interface = pytest.importorskip(
        "label_studio_sdk.label_interface", reason="label-studio-sdk is not installed"
    )
    config = label_studio.labeling_config([HISS, "audio_hum"])
    own = interface.LabelInterface(config)
    for task in exported(queue):
        assert own.validate_task({"data": task["data"]})
        for one in task["annotations"]:  # type: ignore[attr-defined]
            assert own.validate_annotation(one)
            one["result"][0]["value"]["choices"] = ["perhaps"]
            assert not own.validate_annotation(one)


@pytest.mark.parametrize("wrong", [{}, [3], [{"data": {"item": "x"}}], [{"annotations": []}]])
def test_an_export_of_something_else_is_refused(queue: Path, wrong: object) -> None:
    with pytest.raises(MalformedRequestError):
        label_studio.labels_of(wrong, by_id(read_items(queue)))


def test_drift_speaks_where_both_tests_do() -> None:
    rng = np.random.default_rng(1)
    usual = {
        name: rng.normal(0, 1, 600).tolist() for name in ("steady", "moved", "slightly", "few")
    }
    current = {
        "steady": rng.normal(0, 1, 600).tolist(),
        "moved": rng.normal(0.8, 1, 600).tolist(),
        "slightly": rng.normal(0.2, 1, 600).tolist(),
        "few": rng.normal(3, 1, 20).tolist(),
    }
    found = {d.name: d for d in drift(usual, current)}
    assert "few" not in found
    assert [name for name, d in found.items() if d.alarm] == ["moved"]
    assert {m["MetricName"] for m in metric_data(list(found.values()), "audio_artifacts")} == {
        "DriftIndex", "DriftAlarm",
    }  # fmt: skip


def test_the_stability_index_by_hand() -> None:
    reference = np.repeat(np.arange(10), 100).tolist()
    # Half of the values move from the lower five tenths into the upper five.
    current = np.repeat(np.arange(5, 10), 200).tolist()
    low, high = 0.5 / 1005, 200.5 / 1005
    base = 100.5 / 1005
    by_hand = 5 * (low - base) * np.log(low / base) + 5 * (high - base) * np.log(high / base)
    assert stability_index(reference, current) == pytest.approx(by_hand, rel=1e-6)


def test_the_python_of_the_page_runs_as_it_stands(
    queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    LabelFile(queue).add(answers(queue))
    shutil.move(queue, tmp_path / "review")
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).resolve().parents[2] / "docs" / "learning.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert len(snippets) == 2
    for snippet in snippets:
        exec(compile(snippet, "learning.md", "exec"), {})
    assert capsys.readouterr().out.count(" kn\n") == 3
