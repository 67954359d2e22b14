"""Text from outside made fit for terminals, XML and lists: names of files come from anywhere."""

from __future__ import annotations

import unicodedata

from defectscope.findings import Finding

# Unicode categories that act on a terminal instead of showing: controls, format marks such as
# bidirectional overrides, surrogates, line and paragraph separators. XML has no place for them.
_UNPRINTED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def clean(text: str) -> str:
    """Returns text in which nothing can move a cursor or end a line."""
    return "".join("\ufffd" if unicodedata.category(c) in _UNPRINTED else c for c in text)


def shouted(verdict: str) -> str:
    """Returns a verdict as operators read it: PASS, WARN, FAIL, NOT JUDGED."""
    return verdict.replace("_", " ").upper()


def base_name(uri: str) -> str:
    """Returns the last part of an asset's address, fit to be shown."""
    return clean(uri.rstrip("/").rsplit("/", 1)[-1]) or "asset"


def finding_line(finding: Finding) -> str:
    """Returns a finding in a line: severity, defect, from when to when."""
    start = finding.start_timecode or f"{finding.start_s:.3f} s"
    end = finding.end_timecode or f"{finding.end_s:.3f} s"
    return clean(f"{finding.severity} {finding.defect} {start} to {end}")
