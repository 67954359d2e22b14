"""Adds entries to a file of waivers and takes them out; what else stands in it is left as it is."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from defectscope.errors import InvalidParameterError
from defectscope.findings import Finding, Report
from defectscope.waivers.files import Waiver, block_of, read_waivers


def entry_for(
    report: Report, finding: Finding, *, who: str, reason: str, until: date | None = None
) -> Waiver:
    """Returns the entry that covers one finding of one asset, known by its hash where it has one.

    Args:
        report: The report.
        finding: One of its findings.
        who: By whom it was decided.
        reason: Why.
        until: Last day on which it holds; None for ever.
    """
    sha256 = str(report.asset.get("sha256", ""))
    name = str(report.asset.get("uri", "")).rstrip("/").rsplit("/", 1)[-1]
    # A name is matched by itself, whatever pattern its characters would make.
    pattern = "".join(f"[{c}]" if c in "[*?" else c for c in name)
    return Waiver(
        defect=finding.defect,
        reason=reason,
        who=who,
        sha256=sha256,
        asset="" if sha256 else pattern,
        start=finding.start_timecode or f"{finding.start_s:.6g}",
        end=finding.end_timecode or f"{finding.end_s:.6g}",
        until=until,
    )


def add_entry(path: Path, entry: Waiver, table: str) -> None:
    """Adds an entry at the end of a file, which is made where there is none.

    Args:
        path: The file.
        entry: What was decided.
        table: `waivers` for what is accepted, `rejected` for a confirmed fault.

    Raises:
        InvalidParameterError: The file cannot be written.
    """
    text = path.read_text("utf-8") if path.exists() else ""
    gap = "\n" if text.endswith("\n") else "\n\n" if text else ""
    _replace(path, text + gap + block_of(entry, table))


def remove_entry(path: Path, entry: Waiver, table: str) -> None:
    """Takes an entry out that `add_entry` wrote.

    Raises:
        InvalidParameterError: It is written in another way, by hand, or the file cannot be written.
    """
    text, block = path.read_text("utf-8"), block_of(entry, table)
    for form in ("\n" + block, block):
        if form in text:
            _replace(path, text.replace(form, "", 1).lstrip("\n"))
            return
    raise InvalidParameterError(f"this entry was written by hand: take it out of {path.name}")


def _replace(path: Path, text: str) -> None:
    read_waivers(text.encode("utf-8"), path.name)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, "utf-8", newline="")
        partial.replace(path)
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise InvalidParameterError(f"{path}: {reason}") from None
    finally:
        partial.unlink(missing_ok=True)
