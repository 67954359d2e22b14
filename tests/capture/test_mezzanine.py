"""A mezzanine goes round: what a device did to it is read exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.capture import MezzanineSpec, observe
from defectscope.capture.marks import FrameMark, parse, read_marks
from defectscope.capture.mezzanine import RATE_HZ, marked_frames, reference_sound
from defectscope.capture.observation import NoMarksError
from defectscope.cli.main import main
from defectscope.errors import InvalidParameterError
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import runs_of

SPEC = MezzanineSpec("T1", 320, 180, Fraction(25), 4.0)
DROPPED = (20, 47, 48)
LATE = (31, 70)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return list(marked_frames(SPEC))


def captured(frames: list[Frame]) -> Iterator[Frame]:
    """A capture at twice the rate: three frames never come, two come one capture later."""
    shown = 1
    for tick in range(2 * len(frames)):
        due = tick // 2 + 1
        if due not in DROPPED and not (due in LATE and tick % 2 == 0):
            shown = due
        yield replace(frames[shown - 1], pts=tick)


def test_dropped_and_late_frames_and_the_sound_are_exact(
    tmp_path: Path, frames: list[Frame]
) -> None:
    sound = reference_sound(4.0)
    late = np.concatenate([np.zeros(round(0.06 * RATE_HZ), np.float32), sound])
    path = tmp_path / "capture.mp4"
    write_clip(
        path,
        frames=captured(frames),
        runs=runs_of(np.repeat(late[:, None], 2, axis=1)),
        video=VideoEncoding(320, 180, Fraction(50)),
        audio=AudioEncoding(),
    )
    found = observe(path)
    assert found.content == "T1"
    assert (found.first, found.last) == (1, 100)
    assert found.dropped == DROPPED
    assert tuple(found.late) == LATE
    assert list(found.late.values()) == pytest.approx([20.0, 20.0], abs=0.1)
    # The frame before a missing one stands in its place.
    assert found.doubled == (19, 46)
    assert found.av_offset_ms == pytest.approx(60.0, abs=0.5)
    assert found.captured == (200, 200)


def test_a_mezzanine_itself_has_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "title.mp4"
    assert main(["mezzanine", "make", str(path), "--size", "320x180", "--seconds", "2"]) == 0
    capsys.readouterr()
    assert main(["mezzanine", "read", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["first_frame"], found["last_frame"]) == (1, 50)
    assert (found["dropped"], found["doubled"], found["late"]) == ([], [], [])
    assert found["av_offset_ms"] == pytest.approx(0.0, abs=0.5)


def test_marks_are_those_of_the_framework() -> None:
    mark = FrameMark("B3", 761, Fraction(60000, 1001))
    assert mark.text() == "B3;00:00:12.679;0000761;59.9401"
    assert parse("B3;00:00:12.679;0000761;59.94") == mark
    assert parse('{"s": "playing"}') is None
    assert parse("B3;00:00:12.679;0000000;59.94") is None
    assert parse("B3;00:00:12.679;0000761;0") is None


def test_two_frames_at_once_are_both_read(frames: list[Frame]) -> None:
    one, other = (frames[k].planes[0].pixels.astype(np.int32) for k in (10, 11))
    blended = np.clip(np.minimum(one, other), 0, 255).astype(np.uint8)
    seen = {mark.frame for k in (10, 11) for mark in read_marks(frames[k].planes[0].pixels)}
    assert seen == {11, 12}
    assert {mark.frame for mark in read_marks(blended)} <= {11, 12}


def test_a_film_without_marks_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    footage = Footage(seed=3, width=320, height=180, frames=10)
    write_clip(path, frames=iter(footage), video=VideoEncoding(320, 180, Fraction(25)))
    with pytest.raises(NoMarksError, match="none of 10 frames"):
        observe(path)
    assert main(["mezzanine", "read", str(path)]) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"content": "a;b"},
        {"width": 321},
        {"height": 100},
        {"rate": Fraction(0)},
        {"duration_s": float("nan")},
    ],
)
def test_values_out_of_range_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidParameterError):
        replace(SPEC, **changes)
