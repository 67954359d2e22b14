"""What an operator decides of a report's findings: kept in waivers.toml, verdicts decided again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.findings import Finding, Report
from defectscope.profiles import Profile, apply_profile
from defectscope.waivers import (
    Waiver,
    Waivers,
    add_entry,
    apply_waivers,
    covers,
    entry_for,
    load_waivers,
    remove_entry,
    without_waivers,
)

_KINDS = {"accepted": "waivers", "rejected": "rejected"}
_LONGEST = 500


class Decisions:
    """A report, and the file of what was accepted and rejected."""

    def __init__(self, report: Report, path: Path, profile: Profile | None) -> None:
        """Reads what is decided already.

        Args:
            report: The report.
            path: `waivers.toml`; it need not exist.
            profile: Decides the rules again; None leaves them as they are.

        Raises:
            ProfileError: The file is broken.
        """
        self._report = without_waivers(report)
        self._path, self._profile = path, profile
        self.current()

    def _waivers(self) -> Waivers:
        return load_waivers(self._path) if self._path.exists() else Waivers()

    def current(self) -> Report:
        """Returns the report with what is accepted by now."""
        report = apply_waivers(self._report, self._waivers())
        return report if self._profile is None else apply_profile(report, self._profile)

    def rejected(self) -> dict[int, dict[str, Any]]:
        """Returns what was confirmed as a fault, by the index of its finding."""
        found: dict[int, dict[str, Any]] = {}
        for entry in self._waivers().rejected:
            for index, finding in enumerate(self._report.findings):
                if covers(entry, finding, self._report):
                    found[index] = {"reason": entry.reason, "who": entry.who}
        return found

    def decide(self, wanted: Mapping[str, Any]) -> Report:
        """Writes a decision, and returns the report with it.

        Args:
            wanted: `index` of the finding, `kind` (`accepted`, `rejected`, `open`), `who`,
                `reason`, and `until` as a day or empty.

        Raises:
            InvalidParameterError: It makes no sense, or the file cannot be written.
        """
        index, kind = wanted.get("index"), wanted.get("kind")
        if not isinstance(index, int) or not 0 <= index < len(self._report.findings):
            raise InvalidParameterError("there is no such finding")
        finding = self._report.findings[index]
        if kind == "open":
            self._take_back(finding)
        elif kind in _KINDS:
            self._take_back(finding, quietly=True)
            add_entry(self._path, self._entry(finding, wanted), _KINDS[kind])
        else:
            raise InvalidParameterError("a decision is accepted, rejected or open")
        return self.current()

    def _entry(self, finding: Finding, wanted: Mapping[str, Any]) -> Waiver:
        texts = {name: _text(wanted, name) for name in ("who", "reason")}
        until = str(wanted.get("until") or "")
        try:
            day = date.fromisoformat(until) if until else None
        except ValueError:
            raise InvalidParameterError("until is a day, as 2027-01-31") from None
        return entry_for(self._report, finding, until=day, **texts)

    def _take_back(self, finding: Finding, *, quietly: bool = False) -> None:
        kept = self._waivers()
        entries = [("waivers", e) for e in kept.entries] + [("rejected", e) for e in kept.rejected]
        ours = [(table, e) for table, e in entries if covers(e, finding, self._report)]
        for table, entry in ours:
            alone = [f for f in self._report.findings if covers(entry, f, self._report)]
            if len(alone) > 1 and not quietly:
                raise InvalidParameterError(
                    f"this waiver covers {len(alone)} findings: take it out of {self._path.name}"
                )
            if len(alone) == 1:
                remove_entry(self._path, entry, table)


def _text(wanted: Mapping[str, Any], name: str) -> str:
    value = wanted.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidParameterError(f"a decision needs {name}")
    return value.strip()[:_LONGEST]
