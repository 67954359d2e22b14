"""A real browser under capture: what the page logs is what the capture shows."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from defectscope.capture.reading import read_captured

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_a_stall_and_a_late_start_are_measured_as_the_page_logs_them(tmp_path: Path) -> None:
    for program in ("Xvfb", "chromium"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    pytest.importorskip("playwright", reason="playwright is not installed")
    device, sessions = map(importlib.import_module, ("reference_device", "capture_sessions"))
    device.make_title(tmp_path / device.TITLE, seconds=6.0)
    plan = device.Plan(0.8, 6.0, stalls=({"at_part": 2, "length_s": 1.5},))
    path = tmp_path / "run.session.json"
    with device.device(tmp_path) as player:
        session, log = player.run(plan, path)
    truth = sessions.truth_of(log, session.began_at)
    found = read_captured(path, detectors=[])
    # Two captured frames; more where a busy machine grabs late, which its health says.
    near_s = max(2 / 30, 2 * found.health.intervals_ms[3] / 1000)
    assert found.waits.first_frame_s == pytest.approx(truth.first_s, abs=near_s)
    (true,) = [gap for gap in truth.stalls if gap.duration_s > 1.0]
    (seen,) = [s for s in found.waits.stalls if s.interval.duration_s > 1.0]
    assert seen.kind == "rebuffering"
    assert seen.interval.start_s == pytest.approx(true.start_s, abs=near_s)
    assert seen.interval.end_s == pytest.approx(true.end_s, abs=near_s)
    told = next(c for c in found.claims if c.what == "stall" and c.seen == seen.interval)
    assert told.told is not None
