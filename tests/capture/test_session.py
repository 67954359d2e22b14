"""A recording leaves a session file; a session file that lies is refused."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from defectscope.capture.dictation import take_marks
from defectscope.capture.recording import Recording
from defectscope.capture.session import DeviceFacts, Session, SessionError, read_session
from defectscope.cli.main import main
from defectscope.errors import InvalidParameterError, MediaNotFoundError
from defectscope.media import open_media
from defectscope.media.grabbing import Grab, GrabberError, GrabSpec, grab
from defectscope.simulate.synthetic.material import Footage

SPEC = GrabSpec("x11grab", ":99.0", 320, 180, Fraction(30))
BEGAN_AT = 1_795_947_904.0


def grabbing(frames: int, missing: tuple[int, ...] = ()) -> Any:
    """A grabber of a made-up screen, without waiting."""

    def captures(spec: GrabSpec) -> Generator[Grab]:
        footage = Footage(seed=5, width=spec.width, height=spec.height, frames=frames)
        for k, frame in enumerate(footage):
            if k not in missing:
                yield Grab(BEGAN_AT + k / 30, 100.0 + k / 30, frame, repeated=k == 7)

    return captures


def recorded(path: Path, frames: int = 60, missing: tuple[int, ...] = ()) -> Session:
    facts = DeviceFacts(name="tv", app_build="8.4.0", title_fps=25)
    with Recording(path, SPEC, facts, grabbing=grabbing(frames, missing)) as recording:
        take_marks(
            [
                "play\n",
                '{"mark": "launch", "at": 1795947903.5}',
                "",
                '{"event": "waiting"}',
                "stop",
            ],
            recording,
        )
        while recording.running:
            time.sleep(0.01)
    assert recording.session is not None
    return recording.session


def test_a_recording_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.session.json"
    made = recorded(path, missing=(20, 21))
    found = read_session(path)
    assert found == made
    assert found.device.app_build == "8.4.0"
    assert [mark.name for mark in found.marks] == ["launch", "play"]
    assert found.when_s("launch") == [pytest.approx(-0.5)]
    assert len(found.when_s("waiting", events=True)) == 1
    assert (found.health().missed, found.repeated, len(found.times_us)) == (2, 1, 58)
    with open_media(tmp_path / "run.mkv") as reader:
        assert reader.info.duration_s == pytest.approx(2.0, abs=0.05)


def test_a_grabber_that_fails_says_so(tmp_path: Path) -> None:
    def broken(spec: GrabSpec) -> Generator[Grab]:
        raise GrabberError("the card is gone")
        yield

    with (
        pytest.raises(GrabberError, match="gone"),
        Recording(tmp_path / "a.session.json", SPEC, grabbing=broken),
    ):
        pytest.fail("there is nothing to record")
    assert list(tmp_path.iterdir()) == []


def test_a_grabber_that_gives_one_capture_leaves_no_session(tmp_path: Path) -> None:
    path = tmp_path / "a.session.json"
    with (
        pytest.raises(GrabberError, match="fewer than two"),
        Recording(path, SPEC, grabbing=grabbing(1)),
    ):
        pass
    assert not path.exists()


@pytest.mark.parametrize(
    "line",
    ["Play it", "{", '{"mark": "a", "event": "b"}', '{"mark": "a", "at": "now"}', "[]", "{}"],
)
def test_lines_that_mark_nothing_are_refused(tmp_path: Path, line: str) -> None:
    with (
        pytest.raises(InvalidParameterError, match="line 1"),
        Recording(tmp_path / "a.session.json", SPEC, grabbing=slow) as recording,
    ):
        take_marks([line], recording)


def slow(spec: GrabSpec) -> Generator[Grab]:
    for each in grabbing(1000)(spec):
        time.sleep(0.01)
        yield each


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"capture": "../secret.mkv"}, "beside"),
        ({"capture": "/etc/passwd"}, "beside"),
        ({"times_us": [0, 5, 5]}, "do not increase"),
        ({"times_us": [0]}, "fewer than two"),
        ({"times_us": [0, -4]}, "no session file"),
        ({"schema": "defectscope/session/9"}, "no session file"),
        ({"began_at": "yesterday"}, "no session file"),
        ({"nominal_fps": 0}, "no session file"),
        ({"surprise": 1}, "no session file"),
        ({"sound": {"source": "alsa:hw:1", "rate_hz": 0, "channels": 2}}, "no session file"),
        (
            {"sound": {"source": "a", "rate_hz": 48000, "channels": 2, "gaps_us": [[5, 5]]}},
            "ends before",
        ),
        ({"marks": [{"name": "x" * 99, "at": 1.0}]}, "no session file"),
    ],
)
def test_files_that_are_no_sessions_are_refused(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    path = tmp_path / "run.session.json"
    recorded(path, frames=4)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(SessionError, match=why):
        read_session(path)
    assert main(["capture", "read", str(path)]) == 3


def test_files_that_are_not_there_or_not_json(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError):
        read_session(tmp_path / "none.session.json")
    deep = tmp_path / "deep.session.json"
    deep.write_text("[" * 100_000)
    with pytest.raises(SessionError):
        read_session(deep)


@pytest.mark.parametrize(
    "source", ["screen", "x11grab:/etc/passwd", "v4l2:/dev/../etc/passwd", "lavfi:testsrc", "v4l2:"]
)
def test_sources_that_are_none_are_refused(source: str) -> None:
    with pytest.raises(InvalidParameterError, match="a source is"):
        GrabSpec.parse(source, (320, 180), Fraction(30))


@pytest.mark.parametrize(("size", "rate"), [((321, 180), 30), ((0, 0), 30), ((320, 180), 0)])
def test_sizes_and_rates_out_of_range_are_refused(size: tuple[int, int], rate: int) -> None:
    with pytest.raises(InvalidParameterError):
        GrabSpec.parse("x11grab::99", size, Fraction(rate))


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A screen that nobody draws on; skips where Xvfb is not installed."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed (apt: xvfb)")
    from reference_device import screen

    with screen(320, 180) as display:
        yield display


def test_a_real_screen_is_recorded(
    tmp_path: Path, display: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.session.json"
    began_at = time.time()
    command = ["capture", "record", f"x11grab:{display}", str(path), "--size", "320x180"]
    assert main([*command, "--rate", "25", "--seconds", "2", "--device", "screen"]) == 0
    found = read_session(path)
    assert began_at <= found.began_at <= time.time()
    assert len(found.times_us) > 10
    # Nothing is drawn: each capture equals the one before.
    assert found.repeated == len(found.times_us) - 1
    assert found.device.name == "screen"
    capsys.readouterr()
    assert main(["capture", "read", str(path), "--detectors", "none"]) == 0
    assert json.loads(capsys.readouterr().out)["health"]["captures"] == len(found.times_us)


def test_a_screen_that_is_not_there_is_an_error() -> None:
    spec = GrabSpec("x11grab", ":9999", 320, 180, Fraction(25))
    with pytest.raises(GrabberError, match=":9999"):
        next(grab(spec))
