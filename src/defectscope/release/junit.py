"""A comparison of builds as JUnit XML: a case for each measure, for the pipeline of a release."""

from __future__ import annotations

from defectscope.release.comparing import MeasureChange, ReleaseComparison
from defectscope.report.junit import Case, State, Suite, document


def junit_of(found: ReleaseComparison) -> str:
    """Returns suites for all cells together and for each one, regressions first.

    A measure that is worse fails; one with too little data is skipped.
    """
    broken = [
        Case(run.name, "error", run.left_out, kind="left_out")
        for run in found.candidate
        if run.left_out
    ]
    return document(
        [
            Suite("release", [_case(change) for change in found.whole]),
            Suite("release.cells", [_case(change) for change in found.cells]),
            Suite("release.candidate_sessions", broken),
        ]
    )


def _case(change: MeasureChange) -> Case:
    name = f"{change.cell}: {change.measure.name}" if change.cell else change.measure.name
    states: dict[str, State] = {"worse": "failure", "too little data": "skipped"}
    state = states.get(change.verdict, "passed")
    if change.found is None or state == "passed":
        return Case(name, state, change.verdict if state == "skipped" else "")
    message = (
        f"{change.verdict}: difference {change.found.mean:+.3g} "
        f"[{change.found.low:+.3g}, {change.found.high:+.3g}] {change.measure.unit}".rstrip()
    )
    return Case(name, state, message, kind="worse" if state == "failure" else "")
