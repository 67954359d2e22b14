"""The test for photosensitive epilepsy as a text that goes with a delivery, with its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.findings import Report
from defectscope.report.text import base_name, clean, shouted

_FLASHES = {"general_flash": "luminance flashes", "red_flash": "red flashes"}
_LIMITS = """\
What this is: an automatic test by ITU-R BT.1702 for flashes of luminance and of saturated red.
What it is not: a certificate of the Harding test or of any other named instrument, nor medical
advice. Regular patterns (stripes) are not tested. The luminance on a viewer's screen is computed
from the signal for the nominal white below; a brighter screen flashes more strongly.
"""


def certificate(report: Report) -> str:
    """Returns the certificate of an asset.

    Raises:
        InvalidParameterError: The report holds nothing of `flicker`, which makes the test.
    """
    entry = report.verdicts.get("flicker")
    if entry is None:
        raise InvalidParameterError("a PSE certificate needs the detector `flicker` in the report")
    found = [
        finding
        for finding in report.findings
        if finding.detector == "flicker" and _kinds(finding.evidence)
    ]
    looked = entry.get("verdict") in ("pass", "warn", "fail")
    verdict = "fail" if found else "pass" if looked else "not_judged"
    described = report.detectors.get("flicker", {})
    parameters: Mapping[str, Any] = described.get("parameters", {})
    lines = [
        "Test for photosensitive epilepsy (PSE), ITU-R BT.1702",
        "",
        f"Asset       {base_name(str(report.asset.get('uri', '')))}",
        f"SHA-256     {report.asset.get('sha256', 'not computed')}",
        f"Length      {float(report.asset.get('duration_s', 0.0)):.3f} s",
        f"Instrument  defectscope, flicker {described.get('version', '')}",
        f"Result      {shouted(verdict)}",
        "",
        "Limits      a flash is a pair of opposing changes of at least "
        f"{parameters.get('flash_cd_m2', '?')} cd/m²",
        f"            whose darker image is below {parameters.get('dark_cd_m2', '?')} cd/m²,",
        f"            on more than {_percent(parameters)} % of the screen;",
        f"            more than {parameters.get('flashes_per_s', '?')} in a second are harmful",
        f"White       {parameters.get('white_cd_m2', '?')} cd/m²",
        "",
    ]
    for finding in found:
        start = finding.start_timecode or f"{finding.start_s:.3f} s"
        end = finding.end_timecode or f"{finding.end_s:.3f} s"
        rate = finding.evidence.get("flashes_hz")
        kinds = ", ".join(_FLASHES[kind] for kind in _kinds(finding.evidence))
        lines.append(
            clean(f"{start} to {end}  {kinds}") + (f", {rate} a second" if rate is not None else "")
        )
    if not found and looked:
        lines.append("No harmful flashes were found.")
    return "\n".join([*lines, "", _LIMITS])


def _kinds(evidence: Mapping[str, Any]) -> list[str]:
    return [kind for kind in evidence.get("kinds", ()) if kind in _FLASHES]


def _percent(parameters: Mapping[str, Any]) -> str:
    return f"{100 * float(parameters.get('area_share', 0.0)):g}"
