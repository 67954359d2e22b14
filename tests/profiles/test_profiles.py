"""Profiles as data, their rules on made-up reports, and one verdict for an asset."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from defectscope.cli.main import main
from defectscope.cli.profiles import explain
from defectscope.detectors import load, names
from defectscope.errors import InvalidParameterError, ProfileError
from defectscope.findings import Finding, Report, Severity
from defectscope.profiles import (
    Profile,
    apply_profile,
    load_profile,
    parameters_with,
    profile_names,
    read_profile,
    shipped_profile,
)
from defectscope.report import validate
from defectscope.verdicts import asset_verdict, exit_status, graver_status

HEAD = '[profile]\nid = "p"\ntitle = "P"\nedition = "1"\n[sources.s]\ntitle = "A contract"\n'


def profile_of(rule: str, head: str = HEAD) -> Profile:
    text = f'{head}\n[[rules]]\nid = "r"\ntitle = "R"\nsource = "s"\n{rule}\n'
    return read_profile(text.encode(), "p.toml")


def finding(start_s: float, end_s: float, severity: Severity = "major", **evidence: Any) -> Finding:
    return Finding(
        "black_frames", "black_frames", start_s, end_s, 0.9, severity, evidence,
        start_frame=round(start_s * 25), end_frame=round(end_s * 25),
    )  # fmt: skip


def report_of(*findings: Finding, verdict: str = "pass", **facts: Any) -> Report:
    entry = {"verdict": "fail" if findings else verdict, "peak_score": {"level_lufs": -22.0}}
    return Report(
        asset={"uri": "a.mov", "duration_s": 60.0,
               "video": {"width": 16, "height": 16, "frame_rate": "25/1", "codec": "h264"}},
        findings=findings,
        verdicts={"black_frames": entry},
        curves={},
        detectors={"black_frames": {"version": "1", "parameters": {}}},
        timing={"wall_s": 1.0, "realtime_factor": 1.0},
        facts=facts,
    )  # fmt: skip


def result(rule: str, report: Report, head: str = HEAD) -> dict[str, Any]:
    held = apply_profile(report, profile_of(rule, head))
    validate(held.to_dict())
    return dict(held.rules[0])


BLACK = 'detector = "black_frames"\nmeasure = "duration_s"\nmax = 2\nunit = "s"'


def test_every_profile_names_its_sources_and_runs_what_it_names() -> None:
    assert profile_names() == ("atsc-a85", "dpp", "ebu-r128", "netflix-branded", "prime-video")
    template = resources.files("defectscope.profiles").joinpath("house.toml").read_bytes()
    for profile in (*map(load_profile, profile_names()), read_profile(template, "house.toml")):
        for rule in profile.rules:
            assert rule.source.title
            assert rule.source.states
            assert not rule.detector or rule.detector in names()
        for detector, parameters in profile.parameters.items():
            load(detector, parameters)  # unknown names and wrong types are refused
        assert profile.title in explain(profile)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('detector = "black_frames"\nsource = "nobody"', "not TOML"),
        ('detector = "black_frames"\nmaximum = 2', "did you mean 'max'"),
        ('detector = "black_frames"\nmeasure = "duration_s"', "go together"),
        ('detector = "black_frames"\nfact = "width_px"\nmin = 1', "either a detector or a fact"),
        ('fact = "width_px"', "needs a bound"),
        ('detector = "black_frames"\nposition = "middle"', "position"),
        ('fact = "width_px"\nmax = "wide"', "number"),
        ('fact = "width_px"\ntolerance = 1', "needs a target"),
        ('fact = "width_px"\none_of = []', "list of values"),
    ],
)
def test_a_broken_rule_is_refused_with_its_place(rule: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        profile_of(rule)


def test_no_source_no_rule() -> None:
    text = f'{HEAD}[[rules]]\nid = "r"\ntitle = "R"\nsource = "memory"\ndetector = "freeze"\n'
    with pytest.raises(ProfileError, match="no source, no rule"):
        read_profile(text.encode(), "p.toml")


def test_a_wrong_name_is_answered_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="did you mean 'netflix-branded'"):
        load_profile("netflx-branded")
    with pytest.raises(ProfileError, match="no such file"):
        load_profile(str(tmp_path / "none.toml"))
    with pytest.raises(ProfileError, match="no profile"):
        shipped_profile("/etc/passwd")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="not TOML"):
        load_profile(str(tmp_path / "bad.toml"))


def test_findings_within_the_bound_keep_the_rule() -> None:
    assert result(BLACK, report_of(finding(10, 11.5)))["verdict"] == "pass"
    broken = result(BLACK, report_of(finding(10, 11.5), finding(20, 23)))
    assert (broken["verdict"], broken["measured"], broken["findings"]) == ("fail", 3.0, [1])
    assert broken["limit"] == "at most 2"


def test_a_rule_may_ask_for_a_place() -> None:
    report = report_of(finding(0, 3), finding(20, 23), finding(57, 60))
    for position, index in (("head", 0), ("programme", 1), ("tail", 2)):
        assert result(f'{BLACK}\nposition = "{position}"', report)["findings"] == [index]
    wide = HEAD.replace('edition = "1"', 'edition = "1"\nhead_s = 30')
    assert result(f'{BLACK}\nposition = "programme"', report, wide)["verdict"] == "pass"


def test_a_rule_may_ask_for_evidence() -> None:
    rule = 'detector = "black_frames"\nwhere = { kinds = ["a", "b"] }'
    assert result(rule, report_of(finding(1, 2, kinds=["b", "c"])))["verdict"] == "fail"
    assert result(rule, report_of(finding(1, 2, kinds=["c"])))["verdict"] == "pass"
    assert result(rule, report_of(finding(1, 2)))["verdict"] == "pass"


@pytest.mark.parametrize("verdict", ["not_judged", "inconclusive"])
def test_what_was_not_analyzed_never_passes(verdict: str) -> None:
    assert result(BLACK, report_of(verdict=verdict))["verdict"] == "not_judged"
    other = replace(report_of(), verdicts={})
    assert "did not run" in result(BLACK, other)["reason"]


def test_a_rule_may_rest_where_its_detector_is_unsure() -> None:
    rule = f'{BLACK}\nunsure = "skip"'
    assert result(rule, report_of(verdict="inconclusive"))["verdict"] == "not_applicable"
    assert result(rule, report_of(verdict="not_judged"))["verdict"] == "not_judged"


def test_quantities_are_held_against_any_of_their_bounds() -> None:
    rule = (
        'detector = "black_frames"\nscores = [\n'
        '{ name = "other_lufs", target = -27, tolerance = 1 },\n'
        '{ name = "level_lufs", target = -23, tolerance = 1 }]'
    )
    kept = result(rule, report_of())
    assert (kept["verdict"], kept["measured"]) == ("pass", -22.0)
    assert kept["limit"] == "-27 ±1 (other) or -23 ±1 (level)"
    far = rule.replace("-23", "-25")
    assert result(far, report_of())["verdict"] == "fail"
    missing = 'detector = "black_frames"\nscore = "loud_lufs"\nmax = 1'
    assert result(missing, report_of())["verdict"] == "not_judged"


@pytest.mark.parametrize(
    ("rule", "facts", "verdict"),
    [
        ('fact = "width_px"\none_of = [1920]', {"width_px": 1920}, "pass"),
        ('fact = "width_px"\none_of = [1920]', {"width_px": 1280}, "fail"),
        ('fact = "video_codec"\none_of = ["ProRes"]', {"video_codec": "prores"}, "pass"),
        ('fact = "primaries"\none_of = ["BT.709"]', {"primaries": None}, "not_judged"),
        ('fact = "primaries"\none_of = ["BT.709"]\nrequired = true', {"primaries": None}, "fail"),
        ('fact = "captions"\nrequired = true', {"captions": "none"}, "fail"),
        ('fact = "captions"\nrequired = true', {"captions": "subrip eng"}, "pass"),
        ('fact = "frame_rate"\nmin = 23.97\nmax = 24', {"frame_rate": "24000/1001"}, "pass"),
        ('fact = "length_difference_frames"\nmax = 2', {"length_difference_frames": -3.0}, "fail"),
        ('fact = "audio_rate_hz"\none_of = [48000]', {"width_px": 1}, "not_applicable"),
        ('fact = "max_cll_nits"\nmax = 1000', {"max_cll_nits": "many"}, "not_judged"),
    ],
)
def test_facts(rule: str, facts: dict[str, Any], verdict: str) -> None:
    assert result(rule, report_of(**facts))["verdict"] == verdict


def test_a_waived_finding_breaks_no_rule() -> None:
    waived = replace(finding(20, 23), waiver={"who": "qc", "reason": "credits"})
    kept = result(BLACK, report_of(waived))
    assert (kept["verdict"], kept["reason"]) == ("pass", "waived")


def test_what_a_user_sets_wins_over_the_profile() -> None:
    profile = load_profile("ebu-r128")
    merged = parameters_with(profile, {"loudness": {"tolerance_lu": 1.0}, "freeze": {}})
    assert merged["loudness"]["tolerance_lu"] == 1.0
    assert merged["loudness"]["target_lufs"] == -23.0
    assert parameters_with(profile, None, ("freeze",)) == {}


@pytest.mark.parametrize(
    ("detectors", "rules", "expected"),
    [
        ({"a": "pass", "b": "inconclusive"}, None, ("pass", "inconclusive: b")),
        ({"a": "pass", "b": "warn"}, None, ("warn", "b")),
        ({"a": "warn", "b": "not_judged"}, None, ("not_judged", "b")),
        ({"a": "fail", "b": "not_judged"}, None, ("fail", "a")),
        ({"a": "not_applicable"}, None, ("not_judged", "no detector applies to this asset")),
        ({"a": "inconclusive"}, None, ("not_judged", "a")),
        ({"a": "fail"}, [("x", "a", "pass")], ("pass", "")),
        ({"a": "pass", "b": "fail"}, [("x", "a", "pass")],
         ("warn", "outside the profile's rules: b")),
        ({"a": "pass"}, [("x", "a", "warn"), ("y", "a", "not_judged")], ("not_judged", "y")),
        ({"a": "pass"}, [("x", "a", "fail"), ("y", "a", "not_judged")], ("fail", "x")),
        ({}, [("x", "a", "not_applicable")],
         ("not_judged", "no rule of the profile applies to this asset")),
    ],
)  # fmt: skip
def test_one_verdict(detectors: dict[str, str], rules: Any, expected: tuple[str, str]) -> None:
    entries = {name: {"verdict": verdict} for name, verdict in detectors.items()}
    made = None
    if rules is not None:
        made = [{"id": i, "detector": d, "verdict": v} for i, d, v in rules]
    assert asset_verdict(entries, made) == expected


def test_exit_statuses() -> None:
    assert [exit_status(v, profile=True) for v in ("pass", "warn", "fail", "not_judged")] == [
        *(0, 0, 1, 5)
    ]
    assert exit_status("fail", profile=False) == 0
    ordered = [0, 5, 1, 2, 3, 4, 70]
    for lower, higher in pairwise(ordered):
        assert graver_status(lower, higher) == graver_status(higher, lower) == higher


def test_the_command_lists_explains_and_prints_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["profiles"]) == 0
    assert "netflix-branded" in capsys.readouterr().out
    assert main(["profiles", "netflix-branded"]) == 0
    out = capsys.readouterr().out
    assert "-27 ±3 (dialogue)" in out
    assert "sources:" in out
    assert main(["profiles", "--template"]) == 0
    read_profile(capsys.readouterr().out.encode(), "house.toml")
    assert main(["profiles", "netflix"]) == 2


def test_bounds_of_severity_are_parameters() -> None:
    detector: Any = load("stream_integrity", {"severity.stream_integrity.audio_gap.major": 0.2})
    rules = detector.tuned.severity["stream_integrity"]["audio_gap"]
    assert rules["major"] == 0.2
    assert (
        cast("Any", load("stream_integrity")).tuned.severity["stream_integrity"]["audio_gap"][
            "major"
        ]
        == 0.05
    )
    for wrong in ("severity.black_frames.minor", "severity.nothing.major", "severity.major"):
        with pytest.raises(InvalidParameterError, match=r"severity\.black_frames\.major"):
            load("black_frames", {wrong: 1.0})
    with pytest.raises(InvalidParameterError, match="number"):
        load("black_frames", {"severity.black_frames.major": "long"})
