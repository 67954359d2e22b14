"""Waits are measured from tiles of captured frames; what is no wait is not made one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.capture.activity import Activity
from defectscope.capture.attribution import cause_of
from defectscope.capture.events import held_against
from defectscope.capture.health import health_of
from defectscope.capture.session import SCHEMA, DeviceFacts, Mark, Session
from defectscope.capture.waits import Stall, Waits, measure_waits
from defectscope.findings import Finding, Interval

FPS = 30
TITLE_FPS = 25.0
SPINNER = [41, 42]


class Screen:
    """Captures of a made-up programme that begins at 1 s, tile by tile, at 30 a second."""

    def __init__(self, seconds: float = 10.0) -> None:
        rng = np.random.default_rng(2)
        count = round(seconds * FPS)
        self.times_s = np.arange(count) / FPS
        self.change = rng.uniform(4.0, 8.0, (count, 96)).astype(np.float32)
        self.luma = np.full((count, 96), 90, np.float32)
        self.luma += rng.uniform(-0.3, 0.3, (count, 96)).astype(np.float32)
        # A title of 25 frames a second shows every sixth capture again.
        self.change[::6] = 0.05
        self.change[:FPS] = 0.0
        self.change[FPS] = 40.0

    def rows(self, start_s: float, end_s: float) -> NDArray[np.int64]:
        return np.flatnonzero((self.times_s >= start_s) & (self.times_s < end_s))

    def waits(self, *jumps: tuple[str, float]) -> Waits:
        activity = Activity(self.times_s, self.change, self.luma)
        return measure_waits(activity, launched_s=0.3, jumps_s=jumps, title_fps=TITLE_FPS)


def spinning(screen: Screen, start_s: float, end_s: float) -> None:
    rows = screen.rows(start_s, end_s)
    screen.change[rows] = 0.02
    screen.change[np.ix_(rows, SPINNER)] = 2.0


def test_a_programme_that_plays_has_no_waits_but_its_start() -> None:
    found = Screen().waits()
    assert found.first_frame_s == pytest.approx(1.0, abs=1 / FPS)
    assert found.startup_s == pytest.approx(0.7, abs=1 / FPS)
    assert (found.stalls, found.jumps, found.black, found.overlays, found.holds) == (
        (),
        (),
        (),
        (),
        (),
    )


@pytest.mark.parametrize("length_s", [0.5, 1.0, 3.0])
def test_stalls_are_found_within_two_captures(length_s: float) -> None:
    screen = Screen()
    spinning(screen, 4.0, 4.0 + length_s)
    (stall,) = screen.waits().stalls
    assert stall.kind == "rebuffering"
    assert stall.interval.start_s == pytest.approx(4.0, abs=2 / FPS)
    assert stall.interval.end_s == pytest.approx(4.0 + length_s, abs=2 / FPS)


def test_what_stands_without_a_spinner_is_not_called_rebuffering() -> None:
    screen = Screen()
    screen.change[screen.rows(4.0, 5.0)] = 0.02
    (stall,) = screen.waits().stalls
    assert stall.kind == "standing"


def test_a_spinner_before_the_programme_is_no_first_frame() -> None:
    screen = Screen()
    spinning(screen, 0.0, 1.0)
    found = screen.waits()
    assert found.first_frame_s == pytest.approx(1.0, abs=1 / FPS)
    assert found.stalls == ()


def test_one_flash_before_the_programme_is_no_first_frame() -> None:
    screen = Screen()
    screen.change[15] = 60.0
    assert screen.waits().first_frame_s == pytest.approx(1.0, abs=1 / FPS)


def test_a_seek_takes_the_standing_frame_that_it_makes() -> None:
    screen = Screen()
    spinning(screen, 4.1, 5.1)
    screen.luma[screen.rows(5.1, 10.0)] += 30
    found = screen.waits(("seek", 4.0))
    assert found.stalls == ()
    assert found.jumps[0].took_s == pytest.approx(1.1, abs=2 / FPS)


def test_a_seek_that_nothing_shows_is_not_told() -> None:
    found = Screen().waits(("seek", 4.0))
    assert found.jumps[0].shown_s is None


def test_black_is_told_as_black_and_not_as_a_stall() -> None:
    screen = Screen()
    rows = screen.rows(4.0, 5.0)
    screen.change[rows], screen.luma[rows] = 0.0, 16.0
    screen.change[[rows[0], rows[-1] + 1]] = 70.0
    found = screen.waits()
    assert found.stalls == ()
    assert found.black[0].start_s == pytest.approx(4.0, abs=1 / FPS)
    assert found.black[0].end_s == pytest.approx(5.0, abs=1 / FPS)


def test_a_control_bar_is_an_overlay_and_a_cut_is_none() -> None:
    screen = Screen()
    bar = np.arange(73, 83)
    rows = screen.rows(3.0, 4.5)
    screen.change[np.ix_(rows, bar)] = 0.1
    screen.change[np.ix_([rows[0], rows[-1] + 1], bar)] = 30.0
    (overlay,) = screen.waits().overlays
    assert overlay.interval.start_s == pytest.approx(3.0, abs=1 / FPS)
    assert overlay.interval.end_s == pytest.approx(4.5, abs=1 / FPS)
    assert overlay.box == pytest.approx((1 / 12, 0.75, 11 / 12, 0.875))
    # The same with the whole programme changing at both ends: a shot with a calm part.
    screen.change[[rows[0], rows[-1] + 1]] = 30.0
    assert screen.waits().overlays == ()


def test_a_screen_on_which_nothing_plays() -> None:
    screen = Screen()
    screen.change[:] = 0.0
    found = screen.waits(("seek", 4.0))
    assert (found.first_frame_s, found.startup_s, found.stalls) == (None, None, ())


def test_a_frame_held_for_longer_than_captures_explain() -> None:
    screen = Screen()
    screen.change[screen.rows(4.02, 4.15)] = 0.05
    (held,) = screen.waits().holds
    assert held.start_s == pytest.approx(4.0, abs=1 / FPS)
    assert held.duration_s == pytest.approx(0.167, abs=0.04)


def stutter(at_s: float, kind: str = "repeat") -> Finding:
    evidence = {"kind": kind, "events_s": [at_s], "longest_hold_frames": 1}
    return Finding("stutter", "stutter", at_s, at_s + 0.04, 0.9, "minor", evidence)


def test_what_the_capture_makes_is_the_captures() -> None:
    times = np.arange(300) / FPS
    good = health_of(times, FPS)
    gaps = health_of(np.delete(times, [150, 151, 152]), FPS)
    quiet = Waits(1.0, 0.7)
    held = Waits(1.0, 0.7, holds=(Interval(5.0, 5.2),))
    stalled = Waits(1.0, 0.7, stalls=(Stall(Interval(4.8, 5.5), "rebuffering"),))
    # A repeat that sampling explains, and one that the frame's standing bears out.
    assert cause_of(stutter(5.05), quiet, good, TITLE_FPS) == "capture"
    assert cause_of(stutter(5.05), held, good, TITLE_FPS) == "device"
    assert cause_of(stutter(5.05), held, gaps, TITLE_FPS) == "capture"
    assert cause_of(stutter(5.05), stalled, good, TITLE_FPS) == "stall"
    # A frame that is missing can be told at twice the title's rate alone.
    assert cause_of(stutter(5.05, "drop"), quiet, good, TITLE_FPS) == "capture"
    assert cause_of(stutter(5.05, "drop"), quiet, good, 12.5) == "device"
    assert cause_of(stutter(5.05, "drop"), quiet, gaps, 12.5) == "capture"
    blocks = Finding("block_corruption", "block_corruption", 7.0, 7.5, 0.9, "major")
    assert cause_of(blocks, quiet, gaps, TITLE_FPS) == "device"
    file = Finding("stream_integrity", "stream_integrity", 7.0, 7.5, 0.9, "major")
    assert cause_of(file, quiet, good, TITLE_FPS) == "capture"
    assert cause_of(stutter(0.4), quiet, good, TITLE_FPS) == "start"


def test_the_players_word_is_held_against_what_was_seen() -> None:
    waits = Waits(1.05, 0.75, stalls=(Stall(Interval(4.0, 5.0), "rebuffering"),))
    events = [("first_frame", 1.0), ("waiting", 4.05), ("playing", 4.95), ("waiting", 7.0)]
    events += [("playing", 7.6), ("seeking", 8.0), ("waiting", 8.0), ("playing", 8.4)]
    session = Session(
        SCHEMA,
        "a.mkv",
        "x11grab::1",
        30.0,
        100.0,
        DeviceFacts(),
        (),
        tuple(Mark(name, 100.0 + at_s) for name, at_s in events),
        (0, 33_333),
        0,
        0,
        None,
    )
    first, seen, silent = held_against(waits, session)
    assert (first.what, first.to_dict()["start_difference_s"]) == ("first_frame", 0.05)
    assert seen.to_dict()["told"] == [4.05, 4.95]
    # The player waited and nothing stood; what it says of a seek is no stall.
    assert silent.seen is None
    assert silent.to_dict()["told"] == [7.0, 7.6]
