"""A real browser that loses its sound after a switch, captured with picture and sound."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from defectscope.capture.reading import read_captured
from defectscope.media.sound_grabbing import SoundSpec

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_sound_that_a_browser_loses_after_a_switch_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("Xvfb", "chromium", "pulseaudio"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    pytest.importorskip("playwright", reason="playwright is not installed")
    device = importlib.import_module("reference_device")
    device.make_title(tmp_path / device.TITLE, seconds=16.0, sounds=True)
    plan = device.Plan(
        0.5,
        14.0,
        sounds=True,
        stalls=({"at_part": 2, "length_s": 1.5},),
        switches=(
            {"after_s": 6.0, "to_s": 9.0, "mute": False},
            {"after_s": 8.5, "to_s": 5.0, "mute": True},
        ),
    )
    path = tmp_path / "run.session.json"
    with device.speaker(tmp_path) as found:
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        with device.device(tmp_path, found) as player:
            player.run(plan, path, sound=SoundSpec("pulse"))
    sound = read_captured(path, detectors=[]).sound
    assert sound is not None
    assert sound.first_sound_s is not None
    assert [jump.lost for jump in sound.jumps] == [False, True]
    # A busy machine stalls of itself besides, more shortly.
    longest_s = max(s.interval.duration_s for s in sound.silences if s.cause == "stall")
    assert longest_s == pytest.approx(1.5, abs=0.5)
