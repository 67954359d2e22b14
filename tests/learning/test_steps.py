"""The steps of the pipeline from folder to folder, without media: reports are made as needed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.engine.artifacts import own_artifacts, tuned
from defectscope.errors import DeployError, InvalidParameterError, MalformedRequestError
from defectscope.findings import Interval, Report
from defectscope.learning import (
    agreement,
    audio_decision,
    pipeline_step,
    release_steps,
    retrain,
    steps,
)
from defectscope.learning.items import read_items
from defectscope.learning.labels import Label, LabelFile, now

HISS, DETECTOR = "audio_hiss", "audio_artifacts"
Maker = Callable[..., Report]


def answer_all(queue: Path) -> None:
    labels = LabelFile(queue)
    for item in read_items(queue):
        there = int(item.title[1:3]) % 2 == 0
        asked = item.interval.intersection_s(Interval(3.0, 7.0)) > 0
        answer = "true" if there and asked else "false"
        labels.add([Label(item.id, answer, HISS if there else "", item.start_s, item.end_s,
                          "kn", now())])  # fmt: skip


@pytest.fixture
def root(queue: Path, tmp_path: Path) -> Path:
    """Inputs of a first step: a queue that was answered, and forty titles held out."""
    answer_all(queue)
    folder = tmp_path / "processing"
    shutil.copytree(queue, folder / "queue")
    (folder / "held_out").mkdir()
    for k in range(40):
        (folder / "held_out" / f"held{k:02d}.wav").write_bytes(b"sound")
        where = [{"defect": HISS, "start_s": 3.0, "end_s": 7.0}] if k % 2 == 0 else []
        truth = folder / "held_out" / f"held{k:02d}.wav.truth.json"
        truth.write_text(json.dumps({"defects": where}), "utf-8")
    return folder


@pytest.fixture(name="measure")
def _measure(title: Maker) -> steps.Analyze:
    def measure(media: Path, detector: str, artifacts: Path | None) -> Report:
        assert detector == DETECTOR
        number = int(media.stem[4:])
        return title(media.name, 100 + number, hiss=number % 2 == 0)

    return measure


def through(root: Path, measure: steps.Analyze) -> bool:
    steps.prepare(root, DETECTOR, measure)
    # A job sees what it is given and nothing else.
    shutil.rmtree(root / "held_out")
    steps.train(root, DETECTOR)
    return steps.evaluate(root, DETECTOR)


def test_steps_give_what_one_command_gives(root: Path, measure: steps.Analyze) -> None:
    assert through(root, measure)
    document = tuned(DETECTOR, root / "evaluation" / "models").artifact
    base = tuned(DETECTOR).artifact
    labels = steps.manifest([root / "queue"], DETECTOR)
    whole = retrain.retrain(base, labels, list(steps._titles(root)))
    assert document["decision"] == whole.artifact["decision"]
    assert document["version"] == f"{base['version']}+labels.1"
    body = json.loads((root / "evaluation" / steps.COMPARISON).read_bytes())
    assert body["accepted"] is True
    assert body["labels"] == whole.used > 0
    assert own_artifacts(root / "evaluation" / "models").keys() == {DETECTOR}


def test_a_worse_candidate_goes_no_further(root: Path, measure: steps.Analyze) -> None:
    steps.prepare(root, DETECTOR, measure)
    steps.train(root, DETECTOR)
    path = root / "candidate" / steps.CANDIDATE
    body = json.loads(path.read_bytes())
    # A layer that is sure that nothing is ever there.
    body["artifact"]["decision"]["out_bias"] = [-9.0] * 4
    path.write_text(json.dumps(body), "utf-8")
    before = audio_decision.found(steps._titles(root), tuned(DETECTOR).artifact)[HISS]
    assert any(max(h.events, default=0) > 0 for h in before)
    assert not steps.evaluate(root, DETECTOR)
    assert not (root / "evaluation" / "models" / DETECTOR).exists()
    with pytest.raises(DeployError, match="no version was accepted"):
        release_steps.register_version(root, DETECTOR, "i", "s3://m/p", "g", account=None)  # type: ignore[arg-type]


def test_labels_that_changed_meanwhile_are_not_learned_from(
    root: Path, measure: steps.Analyze
) -> None:
    steps.prepare(root, DETECTOR, measure)
    first = read_items(root / "queue")[0]
    LabelFile(root / "queue").add(
        [Label(first.id, "unsure", "", first.start_s, first.end_s, "kn", now())]
    )
    with pytest.raises(InvalidParameterError, match="changed"):
        steps.train(root, DETECTOR)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_document_between_steps_is_named(
    root: Path, measure: steps.Analyze, text: str
) -> None:
    steps.prepare(root, DETECTOR, measure)
    steps.train(root, DETECTOR)
    (root / "candidate" / steps.CANDIDATE).write_text(text, "utf-8")
    with pytest.raises(MalformedRequestError, match=steps.CANDIDATE):
        steps.evaluate(root, DETECTOR)
    (root / "prepared" / "titles.jsonl").write_text("{}\n", "utf-8")
    with pytest.raises(MalformedRequestError, match=r"titles\.jsonl"):
        steps.train(root, DETECTOR)


def finding_report(title: Maker, name: str, count: int, verdict: str) -> Report:
    made = title(name, 1)
    findings = tuple(title(name, 1, confidence=0.9).findings) * count
    return Report(
        asset=made.asset, findings=findings, verdicts={DETECTOR: {"verdict": verdict}}, curves={},
        detectors=made.detectors, timing={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("after", "verdicts", "accepted"),
    [
        ([1] * 20, ["pass"] * 20, True),
        # Twice the findings on every title is what the paired test is for.
        ([2] * 20, ["pass"] * 20, False),
        ([1] * 20, ["fail"] * 2 + ["pass"] * 18, True),
        ([1] * 20, ["fail"] * 3 + ["pass"] * 17, False),
        # Fewer findings are no reason to refuse.
        ([0] * 20, ["pass"] * 20, True),
    ],
)
def test_the_shadow_refuses_what_callers_would_notice(
    tmp_path: Path, title: Maker, after: list[int], verdicts: list[str], accepted: bool
) -> None:
    (tmp_path / "media" / "deep").mkdir(parents=True)
    for k in range(20):
        (tmp_path / "media" / "deep" / f"m{k:02d}.wav").write_bytes(b"x")

    def measure(media: Path, detector: str, artifacts: Path | None) -> Report:
        number = int(media.stem[1:])
        if artifacts is None:
            return finding_report(title, media.name, 1, "pass")
        return finding_report(title, media.name, after[number], verdicts[number])

    assert steps.shadow(tmp_path, DETECTOR, 0.1, measure) is accepted
    body = json.loads((tmp_path / "shadow" / steps.SHADOW).read_bytes())
    assert (body["accepted"], body["titles"]) == (accepted, 20)
    assert len(body["verdicts_changed"]) == verdicts.count("fail")


def test_a_shadow_without_media_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="no media"):
        steps.shadow(tmp_path, DETECTOR)
    with pytest.raises(InvalidParameterError, match="share"):
        steps.shadow(tmp_path, DETECTOR, 2.0)


def test_a_step_says_what_is_wrong_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(pipeline_step.ROOT, str(tmp_path))
    assert pipeline_step.main(["prepare"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("prepare: ")
    assert said.count("\n") == 1
    assert pipeline_step.main(["prepare", "--detector", "blur"]) == 2
    assert "does not learn" in capsys.readouterr().err
    assert pipeline_step.main(["canary", "--endpoint", "qc"]) == 2
    assert "at least one" in capsys.readouterr().err


def test_kappa_is_that_of_a_library() -> None:
    library: Any = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    for _ in range(50):
        pairs = rng.random((int(rng.integers(2, 60)), 2)) < rng.uniform(0.1, 0.9)
        if len(np.unique(pairs)) == 1:
            continue
        own = agreement._kappa(pairs)
        expected = library.cohen_kappa_score(pairs[:, 0], pairs[:, 1], labels=[False, True])
        assert own == pytest.approx(expected)
