"""Reports as JUnit XML: what build servers read. A suite per asset, a case per rule or detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from defectscope.findings import Finding, Report
from defectscope.profiles.values import format_value
from defectscope.report.text import base_name, clean, finding_line, shouted

_MOST_LISTED = 50


def junit(reports: Sequence[Report]) -> str:
    """Returns JUnit XML: broken rules are failures, what was not analyzed is skipped."""
    root = ElementTree.Element("testsuites", name="defectscope")
    totals = {"tests": 0, "failures": 0, "skipped": 0}
    for report in reports:
        suite = ElementTree.SubElement(root, "testsuite", name=base_name(_uri(report)))
        cases = _rule_cases(report) if report.profile is not None else _detector_cases(report)
        counts = {"tests": len(cases), "failures": 0, "skipped": 0}
        for name, verdict, message, findings in cases:
            case = ElementTree.SubElement(
                suite, "testcase", name=clean(name), classname=base_name(_uri(report))
            )
            listed = "\n".join(finding_line(finding) for finding in findings[:_MOST_LISTED])
            if verdict == "fail":
                counts["failures"] += 1
                failure = ElementTree.SubElement(case, "failure", message=clean(message))
                failure.text = listed
            elif verdict in ("not_judged", "inconclusive", "not_applicable"):
                counts["skipped"] += 1
                ElementTree.SubElement(case, "skipped", message=clean(message))
            elif verdict == "warn":
                ElementTree.SubElement(case, "system-out").text = clean(message) + "\n" + listed
        for name, value in counts.items():
            suite.set(name, str(value))
            totals[name] += value
        suite.set("time", f"{float(report.timing.get('wall_s', 0.0)):.3f}")
    for name, value in totals.items():
        root.set(name, str(value))
    return as_xml(root)


def as_xml(root: ElementTree.Element) -> str:
    """Returns a document as text, indented."""
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _uri(report: Report) -> str:
    return str(report.asset.get("uri", ""))


Case = tuple[str, str, str, Sequence[Finding]]


def _rule_cases(report: Report) -> list[Case]:
    cases: list[Case] = []
    for rule in report.rules:
        found = [report.findings[index] for index in rule.get("findings", ())]
        cases.append((str(rule["id"]), str(rule["verdict"]), _reason(rule), found))
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
        verdict = str(entry.get("verdict"))
        count = f"{len(found)} finding{'' if len(found) == 1 else 's'}"
        cases.append((name, verdict, str(entry.get("reason", "")) or count, found))
    return cases
