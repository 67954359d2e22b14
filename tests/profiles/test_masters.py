"""Every profile on masters of its own making: the good one passes, each fault fails by its rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from masters import FAULTS, conforming

from defectscope import analyze
from defectscope.findings import Report
from defectscope.profiles import load_profile
from defectscope.verdicts import exit_status

pytestmark = pytest.mark.long

CASES = [
    pytest.param(
        profile,
        name,
        id=f"{profile}-{name}",
        # Networks: their first look takes seconds.
        marks=[pytest.mark.slow] if profile == "netflix-branded" or name == "distortion" else [],
    )
    for profile, (_, faults) in FAULTS.items()
    for name in ("conforming", *faults)
]
MEASURED = {"audio_artifacts", "av_sync"}


def decided(media: Path, profile: str, *, networks: bool) -> Report:
    """Runs the detectors that the profile's rules name, and so nothing needlessly."""
    wanted = {rule.detector for rule in load_profile(profile).rules if rule.detector}
    chosen = sorted(wanted if networks else wanted - MEASURED)
    return analyze(media, detectors=chosen, profile=profile)


@pytest.mark.parametrize(("profile", "name"), CASES)
def test_masters(profile: str, name: str, tmp_path: Path) -> None:
    lufs, faults = FAULTS[profile]
    master = conforming(lufs)
    if name != "conforming":
        faults[name].make(master)
    networks = profile == "netflix-branded" or name == "distortion"
    report = decided(master.write(tmp_path / "master.mov"), profile, networks=networks)
    failed = {rule["id"]: rule for rule in report.rules if rule["verdict"] == "fail"}
    if name == "conforming":
        unjudged = {r["id"] for r in report.rules if r["verdict"] == "not_judged"}
        assert not failed
        # The rule of the network that was left out, and no other.
        assert unjudged <= ({"distortion"} if profile == "dpp" else set())
        assert report.verdict == ("not_judged" if unjudged else "pass"), report.reason
        return
    fault = faults[name]
    assert fault.rule in failed, (report.rules, report.findings)
    assert set(failed) - {fault.rule} <= fault.also, failed
    assert failed[fault.rule]["code"] == fault.code
    assert report.verdict == "fail"
    assert exit_status(report.verdict, profile=True) == 1


def test_there_are_enough_faults() -> None:
    for profile, (_, faults) in FAULTS.items():
        least = 2 if profile in ("ebu-r128", "atsc-a85") else 6
        assert len(faults) >= least
        assert {f.rule for f in faults.values()} <= {r.id for r in load_profile(profile).rules}
