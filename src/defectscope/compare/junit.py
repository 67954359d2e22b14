"""Comparisons as JUnit XML: a case per title, for the pipeline of a release."""

from __future__ import annotations

from collections.abc import Mapping

from defectscope.compare.pair import Comparison
from defectscope.errors import DefectscopeError
from defectscope.report.junit import Case, Suite, document


def junit_of(compared: Mapping[str, Comparison], failed: Mapping[str, DefectscopeError]) -> str:
    """Returns a suite in which a worse title fails and one not comparable is an error.

    Args:
        compared: Comparisons by title.
        failed: Why others could not be compared.
    """
    cases: list[Case] = []
    for title in sorted({*compared, *failed}):
        if title in failed:
            error = failed[title]
            cases.append(Case(title, "error", error.message, kind=error.code))
        elif compared[title].verdict == "worse":
            reasons = "; ".join(compared[title].reasons)
            cases.append(Case(title, "failure", reasons, kind="worse"))
        else:
            cases.append(Case(title, "passed"))
    return document([Suite("compare", cases)])
