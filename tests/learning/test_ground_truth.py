"""SageMaker Ground Truth: manifests out, manifests of labeling jobs in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from defectscope.cli.main import main
from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.learning import ground_truth, ground_truth_schema
from defectscope.learning.exchange import export_queue, import_answers
from defectscope.learning.items import by_id, read_items
from defectscope.learning.labels import LabelFile
from defectscope.learning.queue_folder import read_facts

HISS, HUM = "audio_hiss", "audio_hum"
PREFIX = "s3://media/review"


@pytest.fixture
def shown(queue: Path) -> Path:
    """The queue, its items with a picture each; the last has none."""
    for item in read_items(queue)[:-1]:
        place = queue / "evidence" / item.id
        place.mkdir(parents=True)
        (place / "spectrogram.jpg").write_bytes(b"jpeg")
    return queue


def metadata(kind: str, **own: Any) -> dict[str, Any]:
    """Metadata as the developer guide shows it."""
    return {
        "type": f"groundtruth/{kind}",
        "job-name": "labeling-job/hiss-or-not",
        "human-annotated": "yes",
        "creation-date": "2026-11-28T22:18:13.527256",
        **own,
    }


def exported(queue: Path, out: Path) -> list[dict[str, Any]]:
    export_queue(queue, out, "ground_truth", PREFIX)
    return [json.loads(x) for x in (out / "input.manifest").read_text("utf-8").splitlines()]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def classified(row: dict[str, Any], name: str, **own: Any) -> dict[str, Any]:
    facts = {"class-name": name, "confidence": 0.83} | own
    return {**row, "defect": 3, "defect-metadata": metadata("image-classification", **facts)}


def test_a_manifest_holds_what_a_job_needs_and_nothing_that_leads(
    shown: Path, tmp_path: Path
) -> None:
    rows = exported(shown, tmp_path / "job")
    assert len(rows) == len(read_items(shown)) - 1
    for row in rows:
        ground_truth_schema.check("input", row, "row")
        assert row["source-ref"] == f"{PREFIX}/evidence/{row['item']}/spectrogram.jpg"
        # A job's own attributes may not be in its input.
        assert not any(k.endswith(("-metadata", "-ref")) for k in row if k != "source-ref")
    text = (tmp_path / "job" / "input.manifest").read_text("utf-8")
    assert "score" not in text
    assert "suspicious" not in text
    assert str(tmp_path) not in text
    document = json.loads((tmp_path / "job" / "label_categories.json").read_text())
    ground_truth_schema.check("categories", document, "categories")
    names = [
        label["label"]
        for label in json.loads((tmp_path / "job" / "label_categories.json").read_text())["labels"]
    ]
    assert names == [HISS, "nothing", "cannot_say"]


def test_answers_of_a_classification_come_back(shown: Path, tmp_path: Path) -> None:
    rows = exported(shown, tmp_path / "job")
    answers = [HISS, "nothing", "cannot_say"]
    back = [classified(row, name) for row, name in zip(rows, answers, strict=False)]
    back.append(classified(rows[3], HISS, **{"human-annotated": "no"}))
    failed = metadata("image-classification") | {"failure-reason": "ClientError: too large"}
    back.append({**rows[4], "defect-metadata": failed})
    # A line with its address alone is enough, whatever a tool on the way has left out.
    back.append(classified({"source-ref": rows[5]["source-ref"]}, "nothing", confidence=0.0))
    path = written(tmp_path / "output.manifest", back)
    taken = import_answers(shown, path, "ground_truth")
    assert (taken.added, taken.known, taken.by_machine, taken.failed) == (4, 0, 1, 1)
    labels = LabelFile(shown).current()
    assert [x.item for x in labels] == [rows[k]["item"] for k in (0, 1, 2, 5)]
    assert [x.answer for x in labels] == ["true", "false", "unsure", "false"]
    assert [x.defect for x in labels] == [HISS, "", "", ""]
    assert [x.trust for x in labels] == [0.83, 0.83, 0.83, 0.5]
    first = labels[0]
    assert (first.reviewer, first.source) == ("gt-hiss-or-not", "ground_truth")
    assert first.at == "2026-11-28T22:18:13.527256+00:00"
    again = import_answers(shown, path, "ground_truth")
    assert (again.added, again.known) == (0, 4)


def test_boxes_become_a_region(shown: Path, tmp_path: Path) -> None:
    rows = exported(shown, tmp_path / "job")
    facts = metadata(
        "object-detection", **{"class-map": {"0": HISS}, "objects": [{"confidence": 0.7}] * 2}
    )
    boxes = [
        {"class_id": 0, "left": 90, "top": 64, "width": 90, "height": 64},
        {"class_id": 0, "left": 450, "top": 128, "width": 900, "height": 64},
    ]
    size = [{"width": 900, "height": 256, "depth": 3}]
    back = [
        {**rows[0], "box": {"image_size": size, "annotations": boxes}, "box-metadata": facts},
        {**rows[1], "box": {"image_size": size, "annotations": []}, "box-metadata": facts},
    ]
    import_answers(shown, written(tmp_path / "o.manifest", back), "ground_truth")
    drawn, clean = LabelFile(shown).current()
    # Around both boxes, and within the picture where one leaves it.
    assert drawn.region == pytest.approx((0.1, 0.25, 0.9, 0.5))
    assert (drawn.answer, drawn.trust) == ("true", 0.7)
    assert (clean.answer, clean.region) == ("false", ())


def test_of_several_classes_the_one_asked_about_counts(shown: Path) -> None:
    items = [item for item in read_items(shown) if item.defect == HISS]
    facts = metadata(
        "image-classification-multilabel",
        **{"class-map": {"0": HUM, "1": HISS, "2": "nothing"}, "confidence-map": {"1": 0.6}},
    )
    lines = [
        json.dumps({"source-ref": "x", "item": item.id, "d": label, "d-metadata": facts})
        for item, label in zip(items, ([0, 1], [0], [2], []), strict=False)
    ]
    found = ground_truth.labels_of(lines, by_id(items)).labels
    assert [x.defect for x in found] == [HISS, HUM, "", ""]
    assert [x.trust for x in found] == [0.6, 0.5, 0.5, 0.5]


def test_chained_jobs_are_told_apart_by_their_attribute(shown: Path, tmp_path: Path) -> None:
    row = classified(exported(shown, tmp_path / "job")[0], HISS)
    other = metadata("image-classification", **{"class-name": "nothing", "confidence": 0.9})
    both = json.dumps({**row, "second": 0, "second-metadata": other})
    items = by_id(read_items(shown))
    assert ground_truth.labels_of([both], items, "second").labels[0].answer == "false"
    with pytest.raises(MalformedRequestError, match="2 jobs have answered"):
        ground_truth.labels_of([both], items)
    with pytest.raises(InvalidParameterError):
        ground_truth.labels_of([both], items, "second-metadata")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"item": "0" * 16}, "no item of this queue"),
        ({"item": ["x"]}, "no item of this queue"),
        ({"defect-metadata": 3}, "no defect-metadata"),
        ({"defect-metadata": metadata("point-cloud")}, "are not read"),
        ({"defect-metadata": metadata("image-classification")}, "class-name"),
        ({"defect": -1}, "label"),
        ({"defect": {}}, "label"),
    ],
)
def test_what_is_not_as_documented_is_refused(
    shown: Path, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    row = classified(exported(shown, tmp_path / "job")[0], HISS)
    with pytest.raises(MalformedRequestError, match=f"line 2.*{says}"):
        ground_truth.labels_of(["", json.dumps(row | change)], by_id(read_items(shown)))


@pytest.mark.parametrize("line", ["{", "3", "[]", '{"item": "x"}'])
def test_lines_that_are_no_manifest_are_refused(shown: Path, line: str) -> None:
    with pytest.raises(MalformedRequestError):
        ground_truth.labels_of([line], by_id(read_items(shown)))


def test_a_defect_that_the_detector_lacks_takes_nothing(shown: Path, tmp_path: Path) -> None:
    rows = exported(shown, tmp_path / "job")
    back = [classified(rows[0], HISS), classified(rows[1], "football")]
    with pytest.raises(MalformedRequestError, match="football"):
        import_answers(shown, written(tmp_path / "o", back), "ground_truth")
    assert LabelFile(shown).every() == []


def test_names_of_jobs_stay_apart() -> None:
    assert ground_truth.reviewer_of("labeling-job/a") == "gt-a"
    first, second = (ground_truth.reviewer_of("labeling-job/" + "x" * 40 + c) for c in "ab")
    assert first != second
    assert max(len(first), len(second)) <= 32


def test_both_ways_by_the_command_line(
    shown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job"
    common = ["--tool", "ground_truth"]
    arguments = ["labels", "export", str(shown), "--prefix", PREFIX, "--out", str(job)]
    assert main([*arguments, *common]) == 0
    count = len(read_items(shown))
    assert f"{count - 1} items; 1 left out" in capsys.readouterr().out
    rows = [json.loads(x) for x in (job / "input.manifest").read_text("utf-8").splitlines()]
    path = written(tmp_path / "o", [classified(row, HISS) for row in rows])
    assert main(["labels", "import", str(shown), str(path), *common]) == 0
    assert f"{count - 1} answers taken" in capsys.readouterr().out
    assert main([*arguments, *common, "--file", "clip.mp4"]) == 2
    assert main([*arguments, "--tool", "excel"]) == 2
    assert main(["labels", "import", str(shown), str(tmp_path / "none"), *common]) == 2


def test_label_studio_by_the_command_line(shown: Path, tmp_path: Path) -> None:
    out = tmp_path / "project"
    made = export_queue(shown, out, "label_studio", "/data/local-files/?d=review/")
    tasks = json.loads((out / "tasks_sound.json").read_text("utf-8"))
    assert made.items == len(tasks) == len(read_items(shown))
    assert HISS in (out / "labeling_config_sound.xml").read_text("utf-8")
    result = [{"from_name": "answer", "value": {"choices": ["false"]}}]
    export = [{**tasks[0], "annotations": [{"result": result, "completed_by": 7,
                                            "created_at": "2026-11-28T10:00:00Z"}]}]  # fmt: skip
    path = tmp_path / "export.json"
    path.write_text(json.dumps(export), "utf-8")
    assert import_answers(shown, path, "label_studio").added == 1
    assert read_facts(shown).defects["audio_artifacts"] == [HISS]
