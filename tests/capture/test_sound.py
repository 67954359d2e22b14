"""Sound is captured beside the picture, in its place, and what is missing of it is told."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.capture.attribution import cause_of
from defectscope.capture.health import health_of
from defectscope.capture.jumps import Jump
from defectscope.capture.reading import read_captured
from defectscope.capture.recording import Recording
from defectscope.capture.session import Session
from defectscope.capture.sound_track import SoundTrack
from defectscope.capture.sound_waits import STEP_S, measure_sound
from defectscope.capture.waits import Stall, Waits
from defectscope.errors import InvalidParameterError
from defectscope.findings import Finding, Interval
from defectscope.media.grabbing import Grab, GrabberError, GrabSpec
from defectscope.media.sound_grabbing import SoundGrab, SoundSpec, grab_sound
from defectscope.release.sound_shown import missing_sound
from defectscope.simulate.synthetic.material import Footage

RATE_HZ = 48_000
BEGAN_AT = 1_795_947_904.0
SPEC = GrabSpec("x11grab", ":99.0", 320, 180, Fraction(30))
SOUND = SoundSpec("hw:1,0")
RUN = 1024


class Together:
    """A made-up screen and card, that give three seconds without waiting and end together."""

    def __init__(self, silent: Interval) -> None:
        self._silent = silent
        self._end = threading.Barrier(2)

    def pictures(self, spec: GrabSpec) -> Generator[Grab]:
        yield from pictures(spec)
        self._end.wait(60)

    def sound(self, spec: SoundSpec) -> Generator[SoundGrab]:
        yield from tones(spec, self._silent)
        self._end.wait(60)


def pictures(spec: GrabSpec) -> Generator[Grab]:
    for k, frame in enumerate(Footage(seed=5, width=spec.width, height=spec.height, frames=90)):
        yield Grab(BEGAN_AT + k / 30, 100.0 + k / 30, frame, repeated=False)


def tones(spec: SoundSpec, silent: Interval) -> Generator[SoundGrab]:
    """A tone from half a second before the first picture on, silent in between."""
    for k in range(round(3.5 * spec.rate_hz / RUN)):
        at_s = k * RUN / spec.rate_hz - 0.5 + np.arange(RUN) / spec.rate_hz
        tone = 0.2 * np.sin(2 * np.pi * 440 * at_s)
        tone[(at_s >= silent.start_s) & (at_s < silent.end_s)] = 0.0
        data = np.repeat(tone[:, None], spec.channels, axis=1).astype(np.float32)
        yield SoundGrab(BEGAN_AT + float(at_s[0]), 100.0 + float(at_s[-1]), data)


def recorded(path: Path, silent: Interval, *, mark: str = "switch", at_s: float = 0.9) -> Session:
    source = Together(silent)
    with Recording(
        path, SPEC, sound=SOUND, grabbing=source.pictures, sound_grabbing=source.sound
    ) as recording:
        recording.mark(mark, BEGAN_AT + at_s)
        while recording.running:
            time.sleep(0.01)
    assert recording.session is not None
    return recording.session


def test_sound_is_kept_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "run.session.json"
    session = recorded(path, Interval(1.0, 2.0))
    assert session.sound is not None
    assert (session.sound.source, session.sound.gaps_us) == ("alsa:hw:1,0", ())
    found = read_captured(path, detectors=[])
    assert found.sound is not None
    assert found.sound.first_sound_s == 0.0
    (silence,) = found.sound.silences
    assert silence.interval.start_s == pytest.approx(1.0, abs=2 * STEP_S)
    assert silence.interval.end_s == pytest.approx(2.0, abs=2 * STEP_S)
    assert found.to_dict()["sound"]["jumps"][0]["lost"] is False


def test_sound_that_stays_away_after_a_switch_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "run.session.json"
    recorded(path, Interval(0.8, 9.0), at_s=0.6)
    found = read_captured(path, detectors=[])
    assert found.sound is not None
    (jump,) = found.sound.jumps
    assert (jump.lost, jump.sounds_s) == (True, None)
    assert found.sound.lost == 1


def test_a_recording_without_sound_says_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "run.session.json"
    with Recording(path, SPEC, grabbing=pictures) as recording:
        while recording.running:
            time.sleep(0.01)
    found = read_captured(path, detectors=[])
    assert found.session.sound is None
    assert found.to_dict()["sound"] is None


def test_a_sound_grabber_that_fails_ends_the_recording_before_it_begins(tmp_path: Path) -> None:
    def gone(spec: SoundSpec) -> Generator[SoundGrab]:
        raise GrabberError("the card is gone")
        yield

    def nothing(spec: SoundSpec) -> Iterator[SoundGrab]:
        return (one for one in ())

    for grabbing, why in ((gone, "gone"), (nothing, "hw:1,0: gives nothing")):
        with (
            pytest.raises(GrabberError, match=why),
            Recording(
                tmp_path / "a.session.json",
                SPEC,
                sound=SOUND,
                grabbing=pictures,
                sound_grabbing=grabbing,  # type: ignore[arg-type]
            ),
        ):
            pytest.fail("there is nothing to record")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "source", ["pulse", "v4l2:/dev/video0", "alsa:", "alsa:/etc/passwd", "alsa:hw:{a}", "alsa:a b"]
)
def test_sources_of_sound_that_are_none_are_refused(source: str) -> None:
    with pytest.raises(InvalidParameterError, match="a source of sound is"):
        SoundSpec.parse(source)


@pytest.mark.parametrize(("rate_hz", "channels"), [(100, 2), (48_000, 0), (48_000, 3)])
def test_rates_and_channels_out_of_range_are_refused(rate_hz: int, channels: int) -> None:
    with pytest.raises(InvalidParameterError):
        SoundSpec("default", rate_hz, channels)


def test_a_card_that_is_not_there_is_an_error() -> None:
    with pytest.raises(GrabberError, match="hw:77"):
        next(grab_sound(SoundSpec("hw:77")))


def laid(runs: list[tuple[float, int]], clock_ppm: float = 0.0) -> tuple[SoundTrack, int]:
    """Lays runs that begin at times of the capture; returns the track and its end, samples."""
    track, end = SoundTrack(RATE_HZ, 1000.0), 0
    for at_s, samples in runs:
        data = np.zeros((samples, 2), np.float32)
        at = 1000.0 + at_s * (1 + 1e-6 * clock_ppm)
        laid_run = track.take(SoundGrab(at, 50.0 + at, data))
        if laid_run is not None:
            assert laid_run.start == end or not end or track.gaps
            end = laid_run.start + len(laid_run.data)
    return track, end


def test_jitter_of_time_stamps_moves_no_sample() -> None:
    rng = np.random.default_rng(3)
    runs = [(k * RUN / RATE_HZ + rng.normal(0, 0.0005), RUN) for k in range(500)]
    track, end = laid(runs)
    assert track.gaps == []
    assert end == pytest.approx(500 * RUN, abs=2 * 0.002 * RATE_HZ)


def test_a_clock_that_is_off_is_followed_without_a_gap() -> None:
    runs = [(k * RUN / RATE_HZ, RUN) for k in range(12_000)]
    # The card is slow: its samples take longer by Unix time, so there are too few of them.
    track, end = laid(runs, clock_ppm=80.0)
    assert track.gaps == []
    assert end / RATE_HZ == pytest.approx(12_000 * RUN / RATE_HZ * (1 + 80e-6), abs=0.004)
    assert track.drift_ppm == pytest.approx(-80.0, abs=5.0)


def test_lost_sound_is_a_gap_of_its_own_length() -> None:
    runs = [(k * RUN / RATE_HZ, RUN) for k in range(100)]
    after_s = runs[-1][0] + RUN / RATE_HZ + 0.4
    track, end = laid(runs + [(after_s + k * RUN / RATE_HZ, RUN) for k in range(50)])
    (gap,) = track.gaps
    assert gap.duration_s == pytest.approx(0.4, abs=1e-3)
    assert end == pytest.approx(150 * RUN + 0.4 * RATE_HZ, abs=2)


def levels_of(*parts: tuple[float, float]) -> np.ndarray:
    """(seconds, dBFS) parts in a row, as levels."""
    return np.concatenate([np.full(round(s / STEP_S), level) for s, level in parts])


SWITCH = Jump("switch", 4.0, 4.2)


@pytest.mark.parametrize(
    ("levels", "lost", "sounds_s"),
    [
        (levels_of((4.1, -20.0), (5.9, -90.0)), True, None),
        (levels_of((4.1, -20.0), (3.0, -90.0), (2.9, -20.0)), True, 7.1),
        (levels_of((4.1, -20.0), (1.0, -90.0), (4.9, -20.0)), False, 5.1),
        (levels_of((10.0, -20.0)), False, 4.2),
        # Quiet, not silent; and hiss of an analogue way that is silence.
        (levels_of((4.1, -20.0), (5.9, -45.0)), False, 4.2),
        (levels_of((4.1, -20.0), (5.9, -62.0)), True, None),
        # It was silent before the switch: not lost by it.
        (levels_of((2.0, -20.0), (8.0, -90.0)), False, None),
    ],
)
def test_sound_after_a_switch(levels: np.ndarray, lost: bool, sounds_s: float | None) -> None:
    found = measure_sound(levels, Waits(0.0, None, jumps=(SWITCH,)), end_s=10.0)
    (jump,) = found.jumps
    assert jump.lost is lost
    assert jump.sounds_s == (None if sounds_s is None else pytest.approx(sounds_s, abs=STEP_S))


def test_silence_of_a_stall_is_the_stall_s() -> None:
    stall = Stall(Interval(3.0, 5.0), "rebuffering")
    levels = levels_of((0.6, -90.0), (2.5, -20.0), (2.0, -90.0), (2.0, -20.0), (2.9, -90.0))
    # The title ends at 7.1 s: what is silent after that is nobody's fault.
    found = measure_sound(
        levels, Waits(0.5, 0.3, stalls=(stall,), rests_s=7.1), end_s=7.1, launched_s=0.2
    )
    assert [silence.cause for silence in found.silences] == ["stall"]
    assert found.first_sound_s == pytest.approx(0.6, abs=STEP_S)
    assert found.startup_s == pytest.approx(0.4, abs=STEP_S)


def test_a_session_that_never_sounds() -> None:
    found = measure_sound(levels_of((10.0, -90.0)), Waits(0.0, None, jumps=(SWITCH,)), end_s=10.0)
    assert (found.first_sound_s, found.lost, found.silences) == (None, 0, ())
    assert measure_sound(np.zeros(0), Waits(None, None), end_s=0.0).first_sound_s is None


def test_a_dropout_where_the_capture_lost_sound_is_the_capture_s() -> None:
    times_s = [k / 30 for k in range(300)]
    finding = Finding("audio_dropout", "audio_dropout", 4.0, 4.4, 0.9, "major")
    waits = Waits(0.0, None)
    gap = (Interval(3.95, 4.45),)
    for gaps, cause in ((gap, "capture"), ((), "device")):
        assert cause_of(finding, waits, health_of(times_s, 30.0, sound_gaps=gaps), 25.0) == cause


def test_sound_that_the_master_has_and_the_capture_has_not() -> None:
    master = levels_of((4.0, -20.0), (2.0, -90.0), (4.0, -20.0))
    # Two seconds late, silent where the master is and from 8 s of the capture on.
    capture = levels_of((2.0, -90.0), (4.0, -20.0), (2.0, -90.0), (2.0, -20.0), (2.0, -90.0))
    times_s = np.arange(2.0, 12.0, 0.04)
    found = missing_sound(capture, master, times_s, times_s - 2.0)
    (missing,) = found
    assert missing.start_s == pytest.approx(10.0, abs=0.1)
    assert missing.end_s == pytest.approx(12.0, abs=0.1)
    assert missing_sound(capture, np.zeros(0), times_s, times_s) == ()


def test_a_picture_that_stands_takes_no_part_in_missing_sound() -> None:
    levels = levels_of((2.0, -20.0), (2.0, -90.0), (2.0, -20.0))
    times_s = np.array(list(itertools.chain(np.arange(0, 2.05, 0.04), np.arange(4, 6, 0.04))))
    master_s = np.concatenate([times_s[times_s < 3], times_s[times_s > 3] - 2.0])
    assert missing_sound(levels, levels_of((4.0, -20.0)), times_s, master_s) == ()
