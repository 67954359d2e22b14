"""Labels become a version of the detector, or a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from defectscope.engine.artifacts import artifact_folder, own_artifacts, tuned
from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Interval, Report
from defectscope.learning import audio_decision, evaluation, retrain
from defectscope.learning.evaluation import Hits
from defectscope.learning.held_out import HeldOut, read_held_out
from defectscope.learning.items import read_items
from defectscope.learning.labels import Label, LabelFile, now
from defectscope.learning.manifest import manifest

HISS = "audio_hiss"
Maker = Callable[..., Report]


def answer_all(queue: Path, *, turned: bool = False) -> None:
    """Answers by the truth of the queue's titles: the even ones hiss."""
    labels = LabelFile(queue)
    for item in read_items(queue):
        there = (int(item.title[1:3]) % 2 == 0) != turned
        asked = item.interval.intersection_s(Interval(3.0, 7.0)) > 0
        answer = "true" if there and asked else "false"
        labels.add([Label(item.id, answer, HISS if there else "", item.start_s, item.end_s,
                          "kn", now())])  # fmt: skip


def held_out(title: Maker) -> list[HeldOut]:
    out: list[HeldOut] = []
    for k in range(40):
        (measurements,) = title("x", 100 + k, hiss=k % 2 == 0).measurements
        truth = {HISS: (Interval(3.0, 7.0),)} if k % 2 == 0 else {}
        out.append(HeldOut(f"held{k}.wav", measurements, 10.0, truth))
    return out


def test_labels_make_a_version_that_loads_and_says_where_it_came_from(
    queue: Path, title: Maker, tmp_path: Path
) -> None:
    answer_all(queue)
    base, labels = tuned("audio_artifacts").artifact, manifest([queue], "audio_artifacts")
    outcome = retrain.retrain(base, labels, held_out(title))
    assert outcome.is_accepted
    assert set(outcome.left) == {"audio_hum", "audio_distortion", "audio_clicks"}
    assert outcome.events[HISS] == 20
    folder = retrain.write_version(
        artifact_folder("audio_artifacts"), tmp_path / "models", base, outcome, labels
    )
    assert folder is not None
    assert own_artifacts(tmp_path / "models") == {"audio_artifacts": folder}
    document = tuned("audio_artifacts", tmp_path / "models").artifact
    assert document["version"] == f"{base['version']}+labels.1"
    assert document["learning"]["manifest"] == labels.sha256
    assert document["decision"]["out"] != base["decision"]["out"]
    # What nothing held out can evaluate stays as it was.
    place = ("audio_hum", HISS, "audio_distortion", "audio_clicks").index("audio_hum")
    assert [row[place] for row in document["decision"]["out"]] == [
        row[place] for row in base["decision"]["out"]
    ]
    assert "Not changed" in (folder / "CARD.md").read_text()


def test_a_worse_candidate_is_refused_and_nothing_of_it_can_be_loaded(
    queue: Path, title: Maker, tmp_path: Path
) -> None:
    answer_all(queue, turned=True)
    base, labels = tuned("audio_artifacts").artifact, manifest([queue], "audio_artifacts")
    # The same wrong labels of many titles: enough of them to be believed.
    outcome = retrain.retrain(base, labels, held_out(title))
    wrecked = {**base, "decision": {**base["decision"], "out_bias": [-9.0] * 4}}
    hits = (audio_decision.found(held_out(title), a) for a in (base, wrecked))
    before, after = (h[HISS] for h in hits)
    comparison = {HISS: evaluation.compare(before, after, (0.5, 0.5))}
    assert f"{HISS} average_precision" in evaluation.worse(comparison)
    refused = retrain.Outcome(wrecked, comparison, outcome.events, ("audio_hiss f1",), (), 3, 0)
    made = retrain.write_version(
        artifact_folder("audio_artifacts"), tmp_path / "models", base, refused, labels
    )
    assert made is None
    assert not list((tmp_path / "models").rglob("detector.json"))
    assert not json.loads((tmp_path / "models" / "comparison.json").read_text())["accepted"]


def test_no_label_may_be_about_a_title_held_out(queue: Path, title: Maker) -> None:
    answer_all(queue)
    labels = manifest([queue], "audio_artifacts")
    (measured,) = title("x", 1).measurements
    own = HeldOut(labels.examples[0].item.title, measured, 10.0, {})
    with pytest.raises(InvalidParameterError, match="held out"):
        retrain.retrain(tuned("audio_artifacts").artifact, labels, [own])


def test_labels_alone_decide_the_digest_of_a_manifest(queue: Path) -> None:
    with pytest.raises(InvalidParameterError, match="no settled label"):
        manifest([queue], "audio_artifacts")
    answer_all(queue)
    first = manifest([queue], "audio_artifacts", 1)
    assert manifest([queue], "audio_artifacts", 2).sha256 == first.sha256
    LabelFile(queue).add([Label(first.examples[0].item.id, "unsure", "", 0, 1, "kn", now())])
    assert manifest([queue], "audio_artifacts").sha256 != first.sha256


def test_truth_beside_media_is_required_and_read_strictly(tmp_path: Path, title: Maker) -> None:
    def analyze(media: Path, detector: str) -> Report:
        return title(media.name, 1)

    with pytest.raises(InvalidParameterError, match="truth"):
        read_held_out(tmp_path, "audio_artifacts", analyze, tmp_path / "kept")
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "a.wav.truth.json").write_text('{"defects": [{"defect": "audio_hum"}]}')
    with pytest.raises(MalformedRequestError, match="truth"):
        read_held_out(tmp_path, "audio_artifacts", analyze, tmp_path / "kept")
    (tmp_path / "a.wav.truth.json").write_text('{"defects": []}')
    (own,) = read_held_out(tmp_path, "audio_artifacts", analyze, tmp_path / "kept")
    assert own.truth == {}

    def never(media: Path, detector: str) -> Report:
        raise AssertionError("measured twice")

    (again,) = read_held_out(tmp_path, "audio_artifacts", never, tmp_path / "kept")
    assert again.measurements == own.measurements


def test_average_precision_and_f1_by_hand() -> None:
    titles = [Hits((3.0, 0.0), (2.0,)), Hits((1.0,), ())]
    # Ranked: right, wrong, right; one of three events is never found.
    assert evaluation.average_precision(titles) == pytest.approx((1.0 + 2 / 3) / 3)
    assert evaluation.f1(titles, 1.5) == pytest.approx(2 / (2 + 1 + 2))
    runs = [(4.0, Interval(0, 1)), (2.0, Interval(5, 6)), (1.0, Interval(8, 9))]
    found = evaluation.hits(runs, [Interval(0.5, 2)], [Interval(5, 5.5)])
    assert found == Hits((4.0,), (1.0,))
