"""What the page says of a defect, of its limits, and of captions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sample_reports import finding, full_report, report_of

from defectscope.detectors import detector_class, names
from defectscope.engine.artifacts import tuned
from defectscope.findings import Report
from defectscope.report.advice import advice
from defectscope.report.limits import limits_of
from defectscope.report.sounds import caption_texts


@pytest.mark.parametrize("detector", names())
def test_every_defect_is_explained_in_plain_sentences(detector: str) -> None:
    for defect in detector_class(detector).defects:
        said = advice()[defect]
        assert set(said) == {"wrong", "cause"}
        assert all(text[0].isupper() and text.endswith(".") for text in said.values())


def with_parameters(detector: str, version: str, **parameters: float) -> Report:
    report = full_report()
    entry = {"version": version, "parameters": parameters}
    curves = dict(report.curves)
    if detector == "loudness":
        curve = curves["loudness"]["loudness"]
        curves["loudness"] = {"loudness": curve, "true_peak": curve}
    return replace(report, detectors={**report.detectors, detector: entry}, curves=curves)


def test_limits_are_those_of_the_report() -> None:
    bounds = {"target_lufs": -24.0, "tolerance_lu": 2.0, "max_true_peak_dbtp": -2.0}
    lines = limits_of(with_parameters("loudness", "9", **bounds))["loudness"]
    assert [line["value"] for line in lines["loudness"]] == [-24.0, -22.0, -26.0]
    assert lines["true_peak"] == [{"value": -2.0, "label": "highest"}]
    assert "loudness" not in limits_of(with_parameters("loudness", "9"))


def test_a_released_threshold_is_drawn_for_its_own_version_alone() -> None:
    version = tuned("black_frames").version
    known = limits_of(with_parameters("black_frames", version))["black_frames"]["black_frames"]
    assert known[0]["value"] == tuned("black_frames").thresholds["dark_share"]
    assert "black_frames" not in limits_of(with_parameters("black_frames", "0.0.0"))


def test_captions_come_with_the_text_around_them(impaired_clip: Path, tmp_path: Path) -> None:
    side = tmp_path / "a.vtt"
    cues = ("00:01.000 --> 00:02.000\nOne", "00:03.000 --> 00:03.500\n<b>Two</b> & three")
    side.write_text("WEBVTT\n\n" + "\n\n".join(cues) + "\n", "utf-8")
    found = [finding("caption_quality", 3.0, 3.5, defect="caption_speed"), finding("freeze", 1, 2)]
    report = report_of(found)
    index = next(k for k, f in enumerate(report.findings) if f.detector == "caption_quality")
    texts = caption_texts(impaired_clip, report.findings, range(2), side)
    assert list(texts) == [index]
    assert [cue["text"] for cue in texts[index]] == ["One", "Two & three"]
