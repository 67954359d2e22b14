"""Many assets on one page and in one line: verdicts, findings, failures."""

from __future__ import annotations

import base64
import hashlib
import html
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from defectscope.findings import SEVERITIES, Report
from defectscope.report.text import clean, shouted

_ORDER = ("fail", "error", "not_judged", "warn", "pass")
_STYLE = """
:root { color-scheme: light dark; --rule: #d5dbe2; --muted: #535d69; --fail: #bd1521;
  --warn: #9a5200; --pass: #1b7235; --other: #6b3fc0; }
@media (prefers-color-scheme: dark) { :root { --rule: #2c3540; --muted: #9ba7b4; --fail: #ff7676;
  --warn: #ffb057; --pass: #56c774; --other: #bda2ff; } }
body { margin: 24px; font: 14px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 18px; } p { color: var(--muted); }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--rule); text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } th.n { text-align: right; }
.fail, .error { color: var(--fail); } .warn { color: var(--warn); } .pass { color: var(--pass); }
.not_judged { color: var(--other); } .muted { color: var(--muted); } strong { white-space: nowrap; }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one asset.

    Attributes:
        name: Its name in the run.
        report: Its report; None where it failed.
        message: Why it failed.
        links: What was written of it, by what it is.
    """

    name: str
    report: Report | None
    message: str = ""
    links: Mapping[str, Path] | None = None

    @property
    def verdict(self) -> str:
        """Its verdict, or `error`."""
        return "error" if self.report is None else self.report.verdict


def summary_line(rows: Sequence[Row], wall_s: float) -> str:
    """Returns the run in one line: `12 files: 7 PASS, 5 FAIL; 23 findings; 1:02:03 in 4:05`."""
    counts = Counter(row.verdict for row in rows)
    counted = [f"{counts[v]} {shouted(v)}" for v in reversed(_ORDER) if counts[v]]
    findings = sum(len(row.report.findings) for row in rows if row.report is not None)
    length_s = sum(
        float(row.report.asset.get("duration_s", 0.0)) for row in rows if row.report is not None
    )
    speed = f" ({length_s / wall_s:.1f}x)" if wall_s > 0 and length_s else ""
    return (
        f"{len(rows)} file{'' if len(rows) == 1 else 's'}: {', '.join(counted)}; "
        f"{findings} finding{'' if findings == 1 else 's'}; "
        f"{_clock(length_s)} in {_clock(wall_s)}{speed}"
    )


def index_page(rows: Sequence[Row], folder: Path, line: str) -> str:
    """Returns the page of a run: a row per asset, the worst first. No script, no network.

    Args:
        rows: What became of each asset.
        folder: Where the page will lie; links are relative to it.
        line: The run in one line.
    """
    ordered = sorted(rows, key=lambda row: (_ORDER.index(row.verdict), row.name))
    body = "\n".join(_row(row, folder) for row in ordered)
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    head = "".join(f'<th class="n">{severity}</th>' for severity in reversed(SEVERITIES))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>defectscope: {html.escape(line)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>QC run</h1>\n<p>{html.escape(line)}</p>\n<table>\n<thead><tr><th>Asset</th>"
        f"<th>Verdict</th>{head}<th>Why</th><th>Written</th></tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n</body>\n</html>\n"
    )


def _row(row: Row, folder: Path) -> str:
    name, verdict = html.escape(clean(row.name)), row.verdict
    counts = Counter(f.severity for f in row.report.findings) if row.report is not None else {}
    cells = "".join(f'<td class="n">{counts.get(s, 0) or ""}</td>' for s in reversed(SEVERITIES))
    why = row.message if row.report is None else row.report.reason
    links = " ".join(
        f'<a href="{html.escape(_relative(path, folder))}">{html.escape(kind)}</a>'
        for kind, path in (row.links or {}).items()
    )
    return (
        f'<tr><td>{name}</td><td><strong class="{verdict}">{shouted(verdict)}</strong></td>{cells}'
        f'<td class="muted">{html.escape(clean(why))}</td><td>{links}</td></tr>'
    )


def _relative(path: Path, folder: Path) -> str:
    from urllib.parse import quote

    # "./" so that no name is taken for a scheme.
    return "./" + quote(Path(os.path.relpath(path, folder)).as_posix())


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
