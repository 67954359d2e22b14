"""What an interval's surroundings do to what is found in it."""

from __future__ import annotations

from defectscope.engine.surroundings import Surroundings
from defectscope.findings import Curve, DetectorResult, Finding

INSIDE = Surroundings(10.0, 20.0, {})
CURVES = {"freeze": Curve(1.0, (0.0,), (1.0,))}


def finding(start_s: float, end_s: float) -> Finding:
    return Finding("freeze", "freeze", start_s, end_s, 0.9, "major")


def result(*findings: Finding) -> DetectorResult:
    verdict = "fail" if findings else "pass"
    return DetectorResult(verdict, findings, {"freeze": 0.9 if findings else 0.0}, CURVES)


def test_what_reaches_in_is_kept_with_its_true_ends() -> None:
    reaching = [finding(8.0, 10.5), finding(10.0, 10.0), finding(12.0, 13.0), finding(19.9, 22.0)]
    beside = [finding(5.0, 10.0), finding(20.0, 21.0)]
    among = result(*sorted(reaching + beside, key=lambda f: f.start_s))
    found = INSIDE.completed(result(), among)
    assert list(found.findings) == reaching
    assert (found.verdict, found.peak_score) == ("fail", {"freeze": 0.9})


def test_what_lies_beside_decides_nothing() -> None:
    alone = DetectorResult("inconclusive", (), {}, CURVES, reason="too short")
    assert INSIDE.completed(alone, result(finding(5.0, 10.0))) == alone


def test_what_its_surroundings_explain_is_no_finding() -> None:
    found = INSIDE.completed(result(finding(10.0, 12.0)), result(finding(21.0, 22.0)))
    assert (found.verdict, found.findings, found.peak_score) == ("pass", (), {})
    assert found.curves == CURVES


def test_an_open_side_takes_all_of_it() -> None:
    open_ended = Surroundings(10.0, None, {})
    assert open_ended.completed(result(), result(finding(30.0, 31.0))).findings
    assert Surroundings(None, 20.0, {}).completed(result(), result(finding(0.0, 1.0))).findings
