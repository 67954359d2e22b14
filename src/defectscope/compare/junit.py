"""Writes comparisons as JUnit XML: a test case per title, for the pipeline of a release."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

from defectscope.compare.pair import Comparison
from defectscope.errors import DefectscopeError
from defectscope.report.junit import as_xml
from defectscope.report.text import clean


def junit_of(compared: Mapping[str, Comparison], failed: Mapping[str, DefectscopeError]) -> str:
    """Returns a test suite in which a worse title fails and one not comparable is an error.

    Args:
        compared: Comparisons by title.
        failed: Why others could not be compared.
    """
    worse = {title: one for title, one in compared.items() if one.verdict == "worse"}
    suite = ElementTree.Element(
        "testsuite",
        name="defectscope compare",
        tests=str(len(compared) + len(failed)),
        failures=str(len(worse)),
        errors=str(len(failed)),
    )
    for title in sorted({*compared, *failed}):
        case = ElementTree.SubElement(suite, "testcase", classname="compare", name=clean(title))
        if title in failed:
            error = failed[title]
            ElementTree.SubElement(case, "error", type=error.code, message=clean(error.message))
        elif title in worse:
            reasons = "; ".join(worse[title].reasons)
            ElementTree.SubElement(case, "failure", type="worse", message=clean(reasons))
    return as_xml(suite)
