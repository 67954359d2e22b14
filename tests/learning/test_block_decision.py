"""Labels refit the decision of block_corruption: what it learns, leaves and refuses."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.detectors.block_corruption.analysis import AREA_STEPS, LOGIT_STEPS
from defectscope.engine.artifacts import artifact_folder, tuned
from defectscope.errors import MalformedRequestError
from defectscope.findings import Curve, Finding, Interval, Report
from defectscope.learning import block_decision, queue_folder, retrain
from defectscope.learning.anchored import Example
from defectscope.learning.held_out import HeldOut
from defectscope.learning.items import read_items
from defectscope.learning.labels import Label, LabelFile, now
from defectscope.learning.manifest import manifest
from defectscope.measurements import Measurements, Table

NAME = "block_corruption"
WHERE = Interval(4.0, 8.0)
FRAMES, EVERY = 300, 6


def measured(seed: int, logit: float | None) -> Measurements:
    """Twelve seconds of 25 frames; from 4 to 8 s the network says `logit`, else about -4."""
    rng = np.random.default_rng(seed)
    at = np.arange(EVERY, FRAMES, EVERY)
    logits, area = rng.normal(-4, 0.4, len(at)), np.full(len(at), 0.001)
    begins, ends = np.full(len(at), -3.0), np.full(len(at), -3.0)
    if logit is not None:
        inside = (at >= 100) & (at < 200)
        logits[inside], area[inside] = rng.normal(logit, 0.4, inside.sum()), 0.05
        # Enough for an event that the network sees, too little to make one without it.
        begins[np.flatnonzero(inside)[0]], ends[np.flatnonzero(inside)[-1] + 1] = 3.2, 3.2

    def short(values: Any, steps: float = LOGIT_STEPS) -> array[int]:
        return array("h", np.rint(values * steps).astype(int).tolist())

    def wide(values: Any) -> array[int]:
        return array("H", np.rint(values).astype(int).tolist())

    count = len(at)
    samples = {
        "pts": array("q", at.tolist()),
        "logit": short(logits), "previous_logit": short(logits - 0.1),
        "begins": short(begins), "ends": short(ends), "area": wide(area * AREA_STEPS),
        "previous_area": wide(area * AREA_STEPS), "peak": array("B", [9] * count),
        "peak_x_px": wide(np.zeros(count)), "peak_y_px": wide(np.zeros(count)),
    }  # fmt: skip
    frames = {
        "pts": array("q", range(FRAMES)), "jump": wide(rng.uniform(0, 9, FRAMES)),
        "corrupt": array("B", [0] * FRAMES), "confounded": array("B", [0] * FRAMES),
        "cut": array("B", [0] * FRAMES),
        "grey": array("B", [0] * FRAMES),
    }  # fmt: skip
    maps = {"pts": array("q"), "place": array("B"), "probability": array("B")}
    tables = {"samples": samples, "frames": frames, "maps": maps}
    return Measurements(NAME, {name: Table((25, 1), own) for name, own in tables.items()})


def artifact() -> dict[str, Any]:
    return dict(tuned(NAME).artifact)


def log_odds(fit: dict[str, Any], own: Measurements) -> float:
    """The mean log odds from 4 to 8 s."""
    names = [name for name in fit if name != "offset"]
    inputs = vars(block_decision)["_inputs"](names, own, WHERE)
    return float((inputs @ [fit[name] for name in names]).mean() + fit["offset"])


def taught(logit: float, there: bool, count: int = 60) -> dict[str, Any]:
    """The calibration after as many labels of titles whose middle says `logit`."""
    titles = [measured(k, logit) for k in range(count)]
    examples = [Example(m, WHERE, {NAME: there}) for m in titles]
    return block_decision.refit(artifact(), examples, titles)


def titles(logit: float, count: int = 20, first: int = 500) -> list[HeldOut]:
    return [
        HeldOut(f"held{k}.mp4", measured(first + k, logit if k % 2 else None), 12.0,
                {NAME: (WHERE,)} if k % 2 else {})
        for k in range(count)
    ]  # fmt: skip


def test_what_was_missed_is_said_more_surely_and_false_findings_less() -> None:
    before, faint, plain = artifact()["calibration"], measured(900, -1.5), measured(901, 3.0)
    assert log_odds(before, faint) < 0 < log_odds(before, plain)
    assert log_odds(taught(-1.5, there=True), faint) > log_odds(before, faint) + 0.3
    assert log_odds(taught(3.0, there=False), plain) < log_odds(before, plain) - 0.3


def test_agreement_moves_little_and_no_label_moves_nothing() -> None:
    before, plain = artifact()["calibration"], measured(901, 3.0)
    assert log_odds(taught(3.0, there=True), plain) == pytest.approx(
        log_odds(before, plain), abs=0.3
    )
    assert block_decision.refit(artifact(), [], [plain]) == before
    other = Example(plain, WHERE, {"audio_hum": True})
    assert block_decision.refit(artifact(), [other], [plain]) == before


def test_events_are_found_as_the_detector_finds_them_and_sensitivities_rank_them() -> None:
    (hits,) = block_decision.found(titles(4.0), artifact()).values()
    normal = block_decision.threshold(artifact(), NAME)
    assert all(h.events[0] >= normal for h in hits[1::2])
    assert not any(h.events for h in hits[::2])
    assert not any(run >= normal for h in hits for run in h.false_runs)
    # Nothing is found of what the network does not see.
    (unseen,) = block_decision.found(titles(-4.0), artifact()).values()
    assert all(h.events == (0.0,) for h in unseen[1::2])


def report(name: str, own: Measurements) -> Report:
    curve = Curve(0.24, tuple(np.full(49, 0.4)), tuple(np.full(49, 0.4)))
    finding = Finding(NAME, NAME, 4.0, 8.0, 0.6, "major", {"corrupted_area": 0.05})
    return Report(
        asset={"uri": name, "duration_s": 12.0},
        findings=(finding,),
        verdicts={NAME: {"verdict": "fail", "peak_score": {NAME: 0.6}}},
        curves={NAME: {NAME: curve}},
        detectors={NAME: {"version": "0.5.0", "parameters": {}}},
        timing={},
        measurements=(own,),
    )


def queue_of(folder: Path, logit: float, answer: str, count: int = 40) -> Path:
    reports = [report(f"t{k}.mp4", measured(k, logit)) for k in range(count)]
    queue_folder.add_round(folder, reports, count=count)
    labels = LabelFile(folder)
    for item in read_items(folder):
        over = item.interval.intersection_s(WHERE) > 0
        given = answer if over else "false"
        labels.add([Label(item.id, given, NAME if given == "true" else "", item.start_s, item.end_s,
                          "kn", now())])  # fmt: skip
    return folder


def test_labels_become_a_version_that_the_detector_loads(tmp_path: Path) -> None:
    labels = manifest([queue_of(tmp_path / "queue", -1.0, "true")], NAME)
    outcome = retrain.retrain(artifact(), labels, titles(4.0))
    assert outcome.is_accepted
    assert outcome.events == {NAME: 10}
    made = retrain.write_version(artifact_folder(NAME), tmp_path / "models", artifact(), outcome,
                                 labels)  # fmt: skip
    assert made is not None
    document = tuned(NAME, tmp_path / "models").artifact
    assert document["version"].endswith("+labels.1")
    assert document["calibration"] != artifact()["calibration"]
    assert document["learning"]["origin"] == artifact()["calibration"]
    assert (made / "heads.safetensors").exists()


def test_without_an_event_held_out_nothing_changes(tmp_path: Path) -> None:
    labels = manifest([queue_of(tmp_path / "queue", -1.0, "true")], NAME)
    outcome = retrain.retrain(artifact(), labels, titles(4.0)[::2])
    assert outcome.left == (NAME,)
    assert outcome.artifact["calibration"] == artifact()["calibration"]


def test_a_candidate_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    labels = manifest([queue_of(tmp_path / "queue", 4.0, "false")], NAME)
    fitted = retrain.fit(artifact(), labels, titles(4.0))
    wrecked = {**artifact(), "calibration": {**artifact()["calibration"], "offset": -40.0}}
    outcome = retrain.held_against(
        artifact(), retrain.Fit(wrecked, fitted.used, 0, ()), titles(4.0)
    )
    assert outcome.worse == (f"{NAME} average_precision", f"{NAME} f1")


def test_measurements_of_another_detector_are_refused() -> None:
    foreign = Measurements("freeze", {})
    with pytest.raises(MalformedRequestError, match="block_corruption"):
        block_decision.refit(artifact(), [Example(foreign, WHERE, {NAME: True})], [])
