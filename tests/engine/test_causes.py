"""One cause is one finding: what damage of the stream brings with it is named there."""

from __future__ import annotations

from typing import Any

from defectscope.causes import attributed
from defectscope.findings import DetectorResult, Finding


def found(detector: str, start_s: float, end_s: float, **evidence: Any) -> Finding:
    """Returns a finding of the only frame track."""
    track = evidence.pop("track", 0)
    return Finding(detector, detector, start_s, end_s, 0.9, "major", evidence, track=track)


def result(*findings: Finding) -> DetectorResult:
    """Returns what a detector says that found these."""
    verdict = "fail" if findings else "pass"
    return DetectorResult(verdict, findings, {findings[0].defect: 0.9} if findings else {})


def damage(start_s: float, end_s: float, **evidence: Any) -> DetectorResult:
    """Returns what `stream_integrity` says of one damaged interval."""
    return result(found("stream_integrity", start_s, end_s, **evidence))


def test_a_tear_inside_damage_is_named_by_it_and_not_counted() -> None:
    tear = result(found("tearing", 1.0, 2.0))
    after = attributed(
        {"stream_integrity": damage(0.5, 3.0, kind="corrupt_packet"), "tearing": tear}
    )
    assert after["tearing"].findings == ()
    assert after["tearing"].verdict == "pass"
    assert "damage" in after["tearing"].reason
    assert after["tearing"].peak_score == {"tearing": 0.9}
    assert after["stream_integrity"].findings[0].evidence["brings"] == {"tearing": 1}


def test_what_goes_on_outside_of_damage_stays() -> None:
    blocky = result(found("compression_blockiness", 0.0, 10.0))
    results = {
        "stream_integrity": damage(0.0, 3.0, kind="decode_error"),
        "compression_blockiness": blocky,
    }
    assert attributed(results) == results


def test_two_damaged_intervals_explain_together_what_spans_both() -> None:
    broken = result(
        found("stream_integrity", 0.0, 1.0, kind="corrupt_frame"),
        found("stream_integrity", 1.5, 3.0, kind="video_gap"),
    )
    after = attributed({"stream_integrity": broken, "stutter": result(found("stutter", 0.5, 3.0))})
    assert not after["stutter"].findings
    brings = [f.evidence.get("brings") for f in after["stream_integrity"].findings]
    assert brings == [None, {"stutter": 1}]


def test_faults_of_clocks_sound_and_other_tracks_explain_nothing() -> None:
    for cause in (
        damage(0.0, 5.0, kind="length_mismatch"),
        damage(0.0, 5.0, kind="audio_gap", track=1),
        damage(0.0, 5.0, kind="corrupt_packet", track=1),
    ):
        results = {"stream_integrity": cause, "tearing": result(found("tearing", 1.0, 2.0))}
        assert attributed(results) == results


def test_frozen_and_black_frames_inside_damage_stay_findings() -> None:
    results = {
        "stream_integrity": damage(0.0, 5.0, kind="corrupt_packet"),
        "freeze": result(found("freeze", 1.0, 2.0)),
        "black_frames": result(found("black_frames", 2.0, 3.0)),
    }
    assert attributed(results) == results


def test_one_of_two_findings_outside_keeps_the_verdict() -> None:
    two = result(found("stutter", 0.2, 0.4), found("stutter", 7.0, 7.2))
    after = attributed({"stutter": two, "stream_integrity": damage(0.0, 1.0, kind="decode_error")})
    assert [f.start_s for f in after["stutter"].findings] == [7.0]
    assert after["stutter"].verdict == "fail"


def test_steps_that_took_the_texture_are_banding_and_no_blur() -> None:
    results = {
        "banding": result(found("banding", 0.0, 4.0)),
        "blur": result(found("blur", 1.0, 4.0), found("blur", 6.0, 9.0)),
    }
    after = attributed(results)
    assert [f.start_s for f in after["blur"].findings] == [6.0]
    assert after["banding"].findings[0].evidence["brings"] == {"blur": 1}
    assert after["blur"].reason == "attributed to banding: 1 finding"


def test_banding_inside_damage_explains_nothing_further() -> None:
    results = {
        "stream_integrity": damage(0.0, 2.0, kind="decode_error"),
        "banding": result(found("banding", 0.5, 2.0)),
        "blur": result(found("blur", 1.5, 9.0)),
    }
    after = attributed(results)
    assert not after["banding"].findings
    assert after["blur"] == results["blur"]


def test_a_pattern_that_stands_is_no_freeze_besides() -> None:
    after = attributed(
        {
            "test_pattern": result(found("test_pattern", 1.5, 3.7)),
            "freeze": result(found("freeze", 1.5, 3.7), found("freeze", 6.0, 8.0)),
            "banding": result(found("banding", 2.0, 4.0)),
        }
    )
    assert [f.start_s for f in after["freeze"].findings] == [6.0]
    assert after["banding"].findings == ()
    (pattern,) = after["test_pattern"].findings
    assert pattern.evidence["brings"] == {"freeze": 1, "banding": 1}


def test_woven_fields_are_not_torn_besides_but_flagged_ones_explain_nothing() -> None:
    torn = result(found("tearing", 2.0, 3.0))
    woven = result(found("interlacing", 1.0, 4.0, pattern="interlaced"))
    assert not attributed({"interlacing": woven, "tearing": torn})["tearing"].findings
    flagged = {
        "interlacing": result(found("interlacing", 1.0, 4.0, pattern="flag_only")),
        "tearing": torn,
    }
    assert attributed(flagged) == flagged
