"""One verdict for an asset out of those of its rules and detectors, and the exit status it means.

Standard library only: clients read verdicts too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from defectscope.errors import EXIT_FAIL_ON, EXIT_NOT_JUDGED, EXIT_OK

AssetVerdict = Literal["pass", "warn", "fail", "not_judged"]
# The gravest first: what was not evaluated could hide a failure, so it outranks a warning.
_GRAVEST: tuple[AssetVerdict, ...] = ("fail", "not_judged", "warn", "pass")
# Exit statuses from harmless to grave; where several media ran, the gravest is the command's.
_STATUS_RANK = (EXIT_OK, EXIT_NOT_JUDGED, EXIT_FAIL_ON)


def asset_verdict(
    verdicts: Mapping[str, Mapping[str, Any]], rules: Iterable[Mapping[str, Any]] | None
) -> tuple[AssetVerdict, str]:
    """Returns the verdict of an asset and, in a few words, why.

    Without a profile the detectors decide: `fail`, then `not_judged`, then `warn`, then `pass`; one
    that is `inconclusive` is named and decides nothing. With a profile its rules decide in the same
    order; a detector that fails and that no rule names makes a pass a warning.

    Args:
        verdicts: By detector, as in a report.
        rules: Results of the profile's rules; None where there was no profile.
    """
    if rules is None:
        return _by_detectors(verdicts)
    results = list(rules)
    for verdict in _GRAVEST[:3]:
        named = [str(rule["id"]) for rule in results if rule["verdict"] == verdict]
        if named:
            return verdict, _listed(named)
    covered = {str(rule.get("detector", "")) for rule in results}
    others = [name for name in _named(verdicts, "fail") if name not in covered]
    if others:
        return "warn", f"outside the profile's rules: {_listed(others)}"
    if any(rule["verdict"] == "pass" for rule in results):
        return "pass", ""
    return "not_judged", "no rule of the profile applies to this asset"


def _by_detectors(verdicts: Mapping[str, Mapping[str, Any]]) -> tuple[AssetVerdict, str]:
    for verdict in _GRAVEST[:3]:
        named = _named(verdicts, verdict)
        if named:
            reason = str(verdicts[named[0]].get("reason", "")) if verdict == "not_judged" else ""
            return verdict, _listed(named) + (f": {reason}" if reason else "")
    unsure = _named(verdicts, "inconclusive")
    if _named(verdicts, "pass"):
        return "pass", f"inconclusive: {_listed(unsure)}" if unsure else ""
    return "not_judged", _listed(unsure) or "no detector applies to this asset"


def _named(verdicts: Mapping[str, Mapping[str, Any]], verdict: str) -> list[str]:
    return [name for name, entry in verdicts.items() if entry.get("verdict") == verdict]


def _listed(names: list[str], most: int = 6) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def exit_status(verdict: AssetVerdict, *, profile: bool) -> int:
    """Returns the exit status that an asset's verdict means.

    Without a profile nothing was promised, so nothing fails: `--fail-on` draws the line then.
    """
    if not profile:
        return EXIT_OK
    return {"fail": EXIT_FAIL_ON, "not_judged": EXIT_NOT_JUDGED}.get(verdict, EXIT_OK)


def graver_status(one: int, other: int) -> int:
    """Returns the graver of two exit statuses: 0, 5 (not analyzed), 1 (fail), 2, 3, 4, 70."""
    return max(one, other, key=_rank)


def _rank(status: int) -> int:
    return _STATUS_RANK.index(status) if status in _STATUS_RANK else len(_STATUS_RANK) + status
