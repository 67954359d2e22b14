"""The report on a terminal: findings in time order, then what every detector said."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from defectscope.findings import SEVERITIES, Finding, Report
from defectscope.report.layout import open_table
from defectscope.report.rules import rules_table, verdict_line
from defectscope.report.text import clean
from defectscope.report.units import format_number, format_quantity, label_and_unit

_STYLES = {
    "warn": "yellow",
    "critical": "bold red",
    "major": "yellow",
    "minor": "cyan",
    "fail": "red",
    "pass": "green",
    "inconclusive": "magenta",
    "not_judged": "magenta",
    "not_applicable": "dim",
}
_VERDICTS = ("fail", "warn", "inconclusive", "not_judged", "pass", "not_applicable")
_MARKS = {
    "fail": "✗",
    "warn": "!",
    "inconclusive": "?",
    "not_judged": "○",
    "pass": "✓",
    "not_applicable": "–",
}
_PLAIN_MARKS = {
    "fail": "x", "warn": "!", "inconclusive": "?", "not_judged": "o", "pass": "+",
    "not_applicable": "-",
}  # fmt: skip
# Wider than any line we print: a file or pipe must not be cut to the 80 columns of no terminal.
_PIPE_WIDTH = 400
_EVIDENCE_SHOWN = 3
_NARROW_COLUMNS = 100
# What all columns but the defect and its evidence take, and what a defect's name wants beside them.
_TIMES_COLUMNS, _DEFECT_COLUMNS = 60, 22


def print_report(report: Report, console: Console | None = None, *, limit: int = 100) -> None:
    """Prints a report for a person to read.

    On a terminal: colours, rules and widths that fit. In a pipe or file: the same words without
    colour or rules, one finding a line, never cut.

    Args:
        report: What to print.
        console: Where; standard output when None.
        limit: Findings shown, the most severe where there are more.
    """
    console = console or Console()
    plain = not console.is_terminal
    unicode = (console.encoding or "utf-8").lower().startswith("utf")
    shown = _most_severe(report.findings, limit)
    parts: list[RenderableType] = [_heading(report), verdict_line(report)]
    if report.rules:
        parts.append(rules_table(report, _MARKS if unicode else _PLAIN_MARKS, plain=plain))
    if shown:
        parts.append(_findings_table(shown, console.width, plain=plain))
    hidden = len(report.findings) - len(shown)
    if hidden:
        parts.append(Text(f"{hidden} more of lesser or equal severity are in the JSON report"))
    parts.append(_verdicts_table(report, _MARKS if unicode else _PLAIN_MARKS, plain=plain))
    parts += [Text(line) for line in _own_artifacts(report)]
    if report.tracks:
        parts.append(_tracks_table(report, plain=plain))
    if not plain:
        console.print(Group(*parts))
        return
    text = io.StringIO()
    # A console of its own: the caller's may have been told to colour whatever it writes to.
    sheet = Console(file=text, width=_PIPE_WIDTH, color_system=None, force_terminal=False)
    sheet.print(Group(*parts), no_wrap=True, crop=False)
    lines = "\n".join(line.rstrip() for line in text.getvalue().splitlines())
    if not unicode:
        lines = lines.replace("−", "-").encode("ascii", "replace").decode("ascii")
    console.file.write(lines + "\n")


def _own_artifacts(report: Report) -> list[str]:
    """Returns which detectors went by artifacts of the user's own."""
    return [
        f"{name}: own artifact {entry['version']}, SHA-256 {entry['artifact_sha256'][:12]}"
        for name, entry in report.detectors.items()
        if entry.get("artifact_sha256")
    ]


def _most_severe(findings: Sequence[Finding], limit: int) -> list[Finding]:
    ranked = sorted(
        range(len(findings)),
        key=lambda i: (-SEVERITIES.index(findings[i].severity), -findings[i].confidence, i),
    )
    return [findings[i] for i in sorted(ranked[:limit])]


def _heading(report: Report) -> Text:
    asset, timing = report.asset, report.timing
    facts = [_clock(float(asset.get("duration_s", 0.0)))]
    video: Mapping[str, Any] | None = asset.get("video")
    audio: Mapping[str, Any] | None = asset.get("audio")
    if video:
        facts.append(f"{video.get('width')}x{video.get('height')}")
        facts.append(f"{_rate(str(video.get('frame_rate', '')))} fps")
        facts.append(str(video.get("codec", "")))
    if audio:
        facts.append(f"{audio.get('rate_hz')} Hz, {audio.get('channels')} ch")
    if timing.get("realtime_factor"):
        facts.append(f"analyzed at {timing['realtime_factor']:.1f}x real time")
    heading = Text()
    heading.append(clean(str(asset.get("uri", ""))), style="bold")
    heading.append("  " + clean(", ".join(fact for fact in facts if fact)), style="dim")
    heading.append("\n")
    counts = Counter(finding.severity for finding in report.findings)
    if not counts:
        heading.append("No findings", style="green")
        return heading
    total = len(report.findings)
    heading.append(f"{total} finding{'s' if total != 1 else ''}: ")
    present = [s for s in reversed(SEVERITIES) if counts[s]]
    for place, severity in enumerate(present):
        heading.append(", " if place else "")
        heading.append(f"{counts[severity]} {severity}", style=_STYLES[severity])
    return heading


def _findings_table(findings: Sequence[Finding], width: int, *, plain: bool) -> Table:
    narrow = not plain and width < _NARROW_COLUMNS
    table = open_table(plain=plain)
    table.add_column("Severity", no_wrap=True)
    # Names give way, whatever their length: times are never cut.
    half = None if plain or narrow else max(_DEFECT_COLUMNS, (width - _TIMES_COLUMNS) // 2)
    table.add_column("Defect", no_wrap=plain, overflow="fold", max_width=half)
    table.add_column("Start", no_wrap=True)
    table.add_column("End", no_wrap=True)
    table.add_column("Length", justify="right", no_wrap=True)
    table.add_column("Conf.", justify="right", no_wrap=True)
    if not narrow:
        rest = None if half is None else max(1, width - _TIMES_COLUMNS - half)
        table.add_column("Evidence", overflow="ellipsis", no_wrap=True, max_width=rest)
    for finding in findings:
        style = _STYLES[finding.severity]
        defect = clean(finding.defect)
        if finding.defect != finding.detector and not narrow:
            defect = f"{defect} ({clean(finding.detector)})"
        if finding.track is not None:
            defect = f"{defect} track {finding.track}"
        cells = [
            Text(finding.severity, style=style),
            Text(defect),
            Text(clean(finding.start_timecode or _clock(finding.start_s))),
            Text(clean(finding.end_timecode or _clock(finding.end_s))),
            Text(_length(finding.end_s - finding.start_s)),
            Text(f"{finding.confidence:.2f}"),
        ]
        if not narrow:
            cells.append(Text(_evidence(finding.evidence), style="dim"))
        table.add_row(*cells)
    return table


def _verdicts_table(report: Report, marks: Mapping[str, str], *, plain: bool) -> Table:
    counts = Counter(finding.detector for finding in report.findings)
    table = open_table(plain=plain)
    table.add_column("Detector", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Findings", justify="right", no_wrap=True)
    table.add_column("Peak", overflow="fold")
    grouped: dict[str, list[str]] = {verdict: [] for verdict in _VERDICTS}
    for name, entry in report.verdicts.items():
        grouped.setdefault(str(entry.get("verdict")), []).append(name)
    for verdict, names in grouped.items():
        for name in names:
            peaks: Mapping[str, float] = report.verdicts[name].get("peak_score", {})
            reason = clean(str(report.verdicts[name].get("reason", "")))
            text = f"{marks.get(verdict, '?')} {verdict.replace('_', ' ')}"
            table.add_row(
                Text(clean(name)),
                Text(clean(text), style=_STYLES.get(verdict, "")),
                Text(str(counts[name]) if counts[name] else ""),
                Text(reason or _peaks(name, peaks), style="dim"),
            )
    return table


def _tracks_table(report: Report, *, plain: bool) -> Table:
    """What there was to look at, and what was looked at."""
    table = open_table(plain=plain)
    for heading in ("Track", "Medium", "Codec", "Declared", "Decoded", "Judged"):
        table.add_column(heading, no_wrap=heading != "Judged", overflow="fold")
    for track in report.tracks:
        lengths = [track.get("declared_s"), track.get("decoded_s")]
        evaluated = bool(track.get("judged"))
        units = "frames" if "frames" in track else "samples"
        text = f"{track[units]} {units}" if units in track else "yes"
        if track.get("layout"):
            text += f", {track['layout']}"
        table.add_row(
            Text(str(track.get("index", ""))),
            Text(clean(str(track.get("medium", "")))),
            Text(clean(str(track.get("codec", "")))),
            *(Text("" if value is None else _length(float(value))) for value in lengths),
            Text(
                clean(text if evaluated else f"not analyzed: {track.get('reason', '')}"),
                style="dim" if evaluated else "magenta",
            ),
        )
    return table


def _peaks(detector: str, peaks: Mapping[str, float]) -> str:
    text: list[str] = []
    for name, value in peaks.items():
        if name == detector:
            # A defect's own name carries no unit, though `black_frames` looks as if it did.
            text.append(format_number(value))
            continue
        label, unit = label_and_unit(name)
        text.append(f"{label} {format_number(value)} {unit}".strip())
    return clean(", ".join(text))


def _evidence(evidence: Mapping[str, Any]) -> str:
    scalars = (format_quantity(name, value) for name, value in evidence.items())
    return clean(", ".join([text for text in scalars if text][:_EVIDENCE_SHOWN]))


def _clock(time_s: float) -> str:
    milliseconds = round(abs(time_s) * 1000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if time_s < 0 else ""
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"


def _length(duration_s: float) -> str:
    return f"{duration_s:.2f} s" if duration_s < 60 else _clock(duration_s)[:-4]


def _rate(fraction: str) -> str:
    numerator, _, denominator = fraction.partition("/")
    try:
        return f"{int(numerator) / int(denominator or 1):.5g}"
    except (ValueError, ZeroDivisionError):
        return fraction
