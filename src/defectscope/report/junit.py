"""JUnit XML, which build servers read: what a suite and its cases are, and those of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

from defectscope.findings import Finding, Report
from defectscope.profiles.values import format_value
from defectscope.report.text import base_name, clean, finding_line, shouted

State = Literal["passed", "warned", "skipped", "failure", "error"]
_MOST_LISTED = 50
_STATES: Mapping[str, State] = {
    "pass": "passed",
    "warn": "warned",
    "fail": "failure",
    "not_judged": "skipped",
    "inconclusive": "skipped",
    "not_applicable": "skipped",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        name: Its name.
        state: What became of it.
        message: Why, in a line.
        listed: Further lines.
        kind: Type of a failure or an error; empty for none.
    """

    name: str
    state: State
    message: str = ""
    listed: Sequence[str] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that belong together.

    Attributes:
        name: Its name, which is the class of its cases too.
        cases: In order.
        wall_s: How long it took, seconds; None where that is not known.
    """

    name: str
    cases: Sequence[Case]
    wall_s: float | None = None


def document(suites: Sequence[Suite]) -> str:
    """Returns suites as JUnit XML, with their counts."""
    root = ElementTree.Element("testsuites", {"name": "defectscope", **_counts(suites)})
    for suite in suites:
        entry = ElementTree.SubElement(
            root, "testsuite", {"name": clean(suite.name), **_counts([suite])}
        )
        if suite.wall_s is not None:
            entry.set("time", f"{suite.wall_s:.3f}")
        for case in suite.cases:
            _add(entry, case, clean(suite.name))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _counts(suites: Sequence[Suite]) -> dict[str, str]:
    states = [case.state for suite in suites for case in suite.cases]
    counted: dict[str, State] = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(states))} | {n: str(states.count(s)) for n, s in counted.items()}


def _add(suite: ElementTree.Element, case: Case, classname: str) -> None:
    entry = ElementTree.SubElement(suite, "testcase", name=clean(case.name), classname=classname)
    lines = "\n".join(case.listed)
    if case.state == "passed":
        return
    if case.state == "warned":
        ElementTree.SubElement(entry, "system-out").text = clean(case.message) + "\n" + lines
        return
    found = ElementTree.SubElement(entry, case.state, message=clean(case.message))
    if case.kind:
        found.set("type", case.kind)
    if lines:
        found.text = lines


def junit(reports: Sequence[Report]) -> str:
    """Returns reports as JUnit XML: a suite per asset, a case per rule or detector.

    Broken rules are failures, what was not analyzed is skipped.
    """
    return document([_suite(report) for report in reports])


def _suite(report: Report) -> Suite:
    cases = _rule_cases(report) if report.profile is not None else _detector_cases(report)
    name = base_name(str(report.asset.get("uri", "")))
    return Suite(name, cases, float(report.timing.get("wall_s", 0.0)))


def _case(name: str, verdict: str, message: str, found: Sequence[Finding]) -> Case:
    state = _STATES.get(verdict, "passed")
    listed = [] if state == "skipped" else [finding_line(f) for f in found[:_MOST_LISTED]]
    return Case(name, state, message, listed)


def _rule_cases(report: Report) -> list[Case]:
    cases: list[Case] = []
    for rule in report.rules:
        found = [report.findings[index] for index in rule.get("findings", ())]
        cases.append(_case(str(rule["id"]), str(rule["verdict"]), _reason(rule), found))
    return cases


def _reason(rule: Mapping[str, Any]) -> str:
    if rule.get("reason") and rule["verdict"] in ("not_judged", "not_applicable"):
        return f"{shouted(rule['verdict'])}: {rule['reason']}"
    unit = rule.get("unit", "")
    code = f" [{rule['code']}]" if rule.get("code") else ""
    return f"{rule['title']}{code}: {format_value(rule['measured'])} {unit}, limit {rule['limit']}"


def _detector_cases(report: Report) -> list[Case]:
    cases: list[Case] = []
    for name, entry in report.verdicts.items():
        found = [finding for finding in report.findings if finding.detector == name]
        count = f"{len(found)} finding{'' if len(found) == 1 else 's'}"
        message = str(entry.get("reason", "")) or count
        cases.append(_case(name, str(entry.get("verdict")), message, found))
    return cases
