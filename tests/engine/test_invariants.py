"""The invariants of the design, over every released detector on a clip with its own defect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from defectscope.analysis import analyze
from defectscope.detectors import names
from defectscope.findings import Report
from defectscope.measurements import Measurements
from defectscope.simulate.invariants import (
    INVARIANTS,
    Outcome,
    Subject,
    differences,
    row_count,
    takes,
)
from defectscope.simulate.positive_clips import positive_clip

# Networks look at suspicious seconds of a live channel, never at all of it.
LEARNED = {"audio_artifacts", "av_sync", "block_corruption"}


class Subjects(dict[str, Subject]):
    """A positive clip per detector, made when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __missing__(self, name: str) -> Subject:
        clip = positive_clip(name, self._folder)
        assert clip.truth, f"nothing was made in the clip of {name}"
        self[name] = Subject(name, clip.media, clip.captions)
        return self[name]


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Subjects:
    return Subjects(tmp_path_factory.mktemp("positive"))


@pytest.mark.parametrize("name", names())
def test_every_detector_measures_and_finds_its_defect(name: str, subjects: Subjects) -> None:
    subject = subjects[name]
    assert row_count(subject.whole) > 0
    assert subject.findings
    assert subject.report.verdicts[name]["verdict"] in ("warn", "fail")


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("invariant", INVARIANTS)
def test_invariant_holds(name: str, invariant: str, subjects: Subjects) -> None:
    outcome = INVARIANTS[invariant](subjects[name])
    assert outcome.held, outcome


@pytest.mark.parametrize("name", [n for n in names() if n not in LEARNED])
def test_what_is_taken_on_the_way_is_one_pass(name: str, subjects: Subjects) -> None:
    outcome = takes(subjects[name])
    assert outcome.held, outcome


def test_an_invariant_over_nothing_has_not_held() -> None:
    assert Outcome(3, 1).held
    assert not Outcome(0, 1).held
    assert not Outcome(3, 0).held
    assert not Outcome(3, 1, ("a difference",)).held


def test_a_difference_in_one_row_is_named(subjects: Subjects) -> None:
    whole = subjects["black_frames"].whole
    table = whole.tables["frames"]
    luma = table.columns["mean_luma"][:]
    luma[40] += 1
    other = replace(table, columns={**table.columns, "mean_luma": luma})
    assert differences(Measurements("black_frames", {"frames": other}), whole) == [
        "frames.mean_luma: differs by up to 1"
    ]
    assert differences(Measurements("black_frames", {}), whole)


def test_the_spine_defects_are_found_with_their_ends(impaired_clip: Path) -> None:
    report: Report = analyze(
        impaired_clip, detectors=["black_frames", "freeze", "audio_dropout", "stream_integrity"]
    )
    found = {f.defect: (f.start_s, f.end_s) for f in report.findings}
    assert len(report.findings) == len(found) == 3
    assert found["black_frames"] == pytest.approx((2.0, 2.6), abs=0.04)
    assert found["freeze"] == pytest.approx((5.0, 6.2), abs=0.04)
    assert found["audio_dropout"] == pytest.approx((8.0, 8.4), abs=0.02)


@pytest.mark.slow
def test_workers_change_nothing(impaired_clip: Path) -> None:
    spine = ["black_frames", "freeze", "audio_dropout", "loudness", "stream_integrity"]
    one = analyze(impaired_clip, detectors=spine)
    two = analyze(impaired_clip, detectors=spine, workers=2)
    assert [(f.defect, f.start_frame, f.end_frame) for f in two.findings] == [
        (f.defect, f.start_frame, f.end_frame) for f in one.findings
    ]
