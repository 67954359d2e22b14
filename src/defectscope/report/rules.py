"""The verdict and the profile's rules on a terminal: measured beside the limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from defectscope.findings import Report
from defectscope.profiles.values import format_value
from defectscope.report.layout import open_table
from defectscope.report.text import clean, shouted

_STYLES = {"pass": "bold green", "warn": "bold yellow", "fail": "bold red"}
_TIMECODE_COLUMNS = len("00:00:00:00")
_ORDER = ("fail", "not_judged", "warn", "pass", "not_applicable")


def verdict_line(report: Report) -> Text:
    """Returns the asset's verdict with the profile and what decided it."""
    line = Text()
    line.append(shouted(report.verdict), style=_STYLES.get(report.verdict, "bold magenta"))
    if report.profile is not None:
        line.append(clean(f" by {report.profile.get('id', '')}"))
    if report.reason:
        line.append(clean(f": {report.reason}"), style="dim")
    return line


def rules_table(report: Report, marks: Mapping[str, str], *, plain: bool) -> Table:
    """Returns every rule, the broken ones first."""
    table = open_table(plain=plain)
    table.add_column("Rule", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    # Timecodes and fractions of a rate stay whole.
    table.add_column("Measured", justify="right", overflow="fold", min_width=_TIMECODE_COLUMNS)
    table.add_column("Limit", overflow="fold", min_width=_TIMECODE_COLUMNS)
    table.add_column("Code", overflow="fold")
    table.add_column(
        "Source" if plain else "What and source", overflow="fold", ratio=None if plain else 1
    )
    for rule in sorted(report.rules, key=lambda r: _ORDER.index(r["verdict"])):
        verdict = str(rule["verdict"])
        unit = str(rule.get("unit", ""))
        reason = str(rule.get("reason", "")) if verdict in ("not_judged", "not_applicable") else ""
        table.add_row(
            Text(clean(str(rule["id"]))),
            Text(
                f"{marks.get(verdict, '?')} {shouted(verdict)}", style=_STYLES.get(verdict, "dim")
            ),
            Text(clean(_measured(rule, unit))),
            Text(clean(f"{rule['limit']} {unit}".strip() if rule["limit"] != "none" else "none")),
            Text(clean(str(rule.get("code", "")))),
            Text(clean(reason or f"{rule['title']}; {rule['source']}"), style="dim"),
        )
    return table


def _measured(rule: Mapping[str, Any], unit: str) -> str:
    if rule.get("measured") is None and rule["verdict"] in ("not_judged", "not_applicable"):
        return ""
    return f"{format_value(rule.get('measured'))} {unit}".strip()
