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


@pytest.mark.parametrize("name", names())
def test_a_finding_is_found_where_only_it_is_analyzed(name: str, subjects: Subjects) -> None:
    subject = subjects[name]
    wanted = subject.findings[-1]
    report = analyze(
        subject.media,
        detectors=[name],
        captions=subject.captions,
        start_s=wanted.start_s,
        end_s=wanted.end_s,
    )
    found = [f for f in report.findings if f.defect == wanted.defect]
    assert len(found) == 1
    assert found[0].interval.iou(wanted.interval) > 0.9
    assert found[0].severity == wanted.severity
    assert report.verdicts[name]["verdict"] in ("warn", "fail")


@pytest.mark.usefixtures("shared_at_any_length")
@pytest.mark.slow
def test_workers_find_the_same_of_an_interval(impaired_clip: Path) -> None:
    spine = ["black_frames", "freeze", "audio_dropout", "loudness", "stream_integrity"]
    both = [
        analyze(impaired_clip, detectors=spine, workers=workers, start_s=5.0, end_s=8.2)
        for workers in (1, 2)
    ]
    found = [[(f.defect, f.start_s, f.end_s) for f in report.findings] for report in both]
    assert [defect for defect, *_ in found[0]] == ["freeze", "audio_dropout"]
    assert found[0] == found[1]
    # What reaches beyond keeps its true end; the black frames at 2 s do not reach in.
    assert found[0][1][2] == pytest.approx(8.4, abs=0.02)
    assert both[0].tracks == both[1].tracks
    loudness = [report.verdicts["loudness"] for report in both]
    assert loudness[0] == loudness[1]


def test_an_interval_has_its_own_loudness(impaired_clip: Path) -> None:
    reports = [
        analyze(
            impaired_clip, detectors=["loudness"], start_s=6.5, end_s=7.5, measurements=measurements
        )
        for measurements in (False, True)
    ]
    assert reports[0].verdicts == reports[1].verdicts


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


@pytest.mark.usefixtures("shared_at_any_length")
@pytest.mark.slow
def test_workers_change_nothing(impaired_clip: Path) -> None:
    spine = ["black_frames", "freeze", "audio_dropout", "loudness", "stream_integrity"]
    one = analyze(impaired_clip, detectors=spine)
    two = analyze(impaired_clip, detectors=spine, workers=2)
    assert [(f.defect, f.start_frame, f.end_frame) for f in two.findings] == [
        (f.defect, f.start_frame, f.end_frame) for f in one.findings
    ]
