"""What a report is written as, by suffix or by name: one place for files and the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.findings import Report
from defectscope.report.avid_aaf import avid_aaf
from defectscope.report.certificate import certificate
from defectscope.report.editing import avid_locators, avid_log, edl, final_cut_xml
from defectscope.report.html import render
from defectscope.report.junit import junit
from defectscope.rows import COLUMNS, rows_of

# A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(reports: Sequence[Report]) -> str:
    """Returns a table of all findings of some reports, a line each (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for report in reports:
        for row in rows_of(report):
            writer.writerow([_harmless(row[name]) for name in COLUMNS])
    return out.getvalue()


def json_lines(reports: Sequence[Report]) -> str:
    """Returns a line of JSON for each finding of some reports."""
    rows = (row for report in reports for row in rows_of(report))
    return "".join(json.dumps({**r, "evidence": json.loads(r["evidence"])}) + "\n" for r in rows)


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


Writer = Callable[[Sequence[Report]], str]
# Formats that hold findings of several assets, and those that hold one asset's.
_OF_MANY: Mapping[str, Writer] = {".csv": csv_text, ".jsonl": json_lines, ".xml": junit}
_OF_ONE: Mapping[str, Callable[[Report], str | bytes]] = {
    ".edl": edl,
    ".aaf": avid_aaf,
    ".ale": avid_log,
    ".txt": avid_locators,
    ".pse": certificate,
    ".html": render,
}
MARKER_SUFFIXES: Mapping[str, Callable[[Report], str | bytes]] = {
    ".aaf": avid_aaf,
    ".xml": final_cut_xml,
    ".txt": avid_locators,
    ".ale": avid_log,
    ".edl": edl,
}


def save(report: Report, path: str | PathLike[str]) -> None:
    """Writes a report as its path's suffix says.

    Suffixes: .html, .csv, .jsonl, .edl (Resolve), .aaf, .ale and .txt (Avid), .markers.xml (Final
    Cut 7 and Premiere), .xml (JUnit), .pse (certificate of photosensitive safety).

    Raises:
        InvalidParameterError: Nothing is written under that suffix, or not there.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    text: str | bytes
    if target.name.lower().endswith(".markers.xml"):
        text = final_cut_xml(report)
    elif suffix in _OF_MANY:
        text = _OF_MANY[suffix]([report])
    elif suffix in _OF_ONE:
        text = _OF_ONE[suffix](report)
    else:
        offered = ", ".join((".json", *_OF_MANY, *_OF_ONE))
        raise InvalidParameterError(f"{target}: a report is saved as {offered}")
    write_text(target, text)


def write_text(path: Path, text: str | bytes) -> None:
    """Writes a file, and the folders above it.

    Raises:
        InvalidParameterError: It cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text, "utf-8", newline="")
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise InvalidParameterError(f"{path}: {reason}") from None
