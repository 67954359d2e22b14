"""The sessions of one build: a folder of them, by device and title, each as a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from defectscope.capture.reading import SessionReading
from defectscope.capture.session import SUFFIX
from defectscope.errors import DefectscopeError, InvalidParameterError

_MAX_SESSIONS = 10_000


@dataclass(frozen=True)
class Measure:
    """What is compared of sessions.

    Attributes:
        name: Its name in reports.
        unit: Its unit; empty for counts.
        least: A difference of means below this is of no consequence, whatever its probability.
    """

    name: str
    unit: str
    least: float


# Times below a captured frame at 30 a second cannot be seen; counts have no such bound.
MEASURES = (
    Measure("startup_s", "s", 0.034),
    Measure("stalls", "", 0.0),
    Measure("stalled_s", "s", 0.034),
    Measure("seek_s", "s", 0.034),
    Measure("holds", "", 0.0),
    Measure("black", "", 0.0),
    Measure("sound_startup_s", "s", 0.034),
    Measure("sound_lost", "", 0.0),
    Measure("silences", "", 0.0),
    Measure("findings", "", 0.0),
)


@dataclass(frozen=True)
class Run:
    """One session as it is compared.

    Attributes:
        name: The session file within the folder.
        device: Class or id of the device.
        title: What was played.
        build: The application's build.
        values: By measure; those that the session does not tell are missing.
        left_out: Why it is not counted; empty where it is.
    """

    name: str
    device: str
    title: str
    build: str
    values: dict[str, float]
    left_out: str = ""

    @property
    def cell(self) -> str:
        """Its place in the matrix."""
        return f"{self.device or 'device'} / {self.title or 'title'}"


def has_sessions(folder: Path) -> bool:
    """Tells whether a folder holds sessions."""
    return next(folder.rglob(f"*{SUFFIX}"), None) is not None


def read_runs(folder: Path, read: Callable[[Path], SessionReading]) -> list[Run]:
    """Returns the sessions of a folder, in the order of their names.

    One that cannot be read, that never played or whose capture is bad is left out with its reason.

    Args:
        folder: Searched with all folders in it.
        read: Reads one session file.

    Raises:
        InvalidParameterError: It holds no session, or too many.
    """
    paths = sorted(folder.rglob(f"*{SUFFIX}"))
    if not paths:
        raise InvalidParameterError(f"{folder} holds no session (NAME{SUFFIX})")
    if len(paths) > _MAX_SESSIONS:
        raise InvalidParameterError(f"{folder} holds more than {_MAX_SESSIONS} sessions")
    return [_run(path, folder, read) for path in paths]


def counted(runs: Iterable[Run]) -> list[Run]:
    """Returns those that are compared."""
    return [run for run in runs if not run.left_out]


def _run(path: Path, folder: Path, read: Callable[[Path], SessionReading]) -> Run:
    name = path.relative_to(folder).as_posix()
    try:
        reading = read(path)
    except DefectscopeError as error:
        return Run(name, "", "", "", {}, f"{error.code}: {error.message}")
    device = reading.session.device
    waits = reading.waits
    values: dict[str, float] = {
        "stalls": len(waits.stalls),
        "stalled_s": waits.stalled_s,
        "holds": len(waits.holds),
        "black": len(waits.black),
    }
    if reading.report is not None:
        values["findings"] = len(reading.of_device())
    if waits.startup_s is not None:
        values["startup_s"] = waits.startup_s
    values |= _of_sound(reading)
    seeks_s = [jump.took_s for jump in waits.jumps if jump.took_s is not None]
    if seeks_s:
        values["seek_s"] = sum(seeks_s) / len(seeks_s)
    return Run(name, device.name, device.title, device.app_build, values, _unfit(reading))


def _of_sound(reading: SessionReading) -> dict[str, float]:
    sound = reading.sound
    if sound is None:
        return {}
    own = sum(silence.cause == "device" for silence in sound.silences)
    # What was lost after a switch is counted as that alone.
    values: dict[str, float] = {"sound_lost": sound.lost, "silences": max(own - sound.lost, 0)}
    if sound.startup_s is not None:
        values["sound_startup_s"] = sound.startup_s
    return values


def _unfit(reading: SessionReading) -> str:
    if reading.health.verdict == "bad":
        return f"capture is bad: {reading.health.bad_share:.0%} of it"
    if reading.waits.first_frame_s is None:
        # A build that never plays must not vanish from the comparison: it is told as a failure.
        return NEVER_PLAYED
    return ""


NEVER_PLAYED = "never played"
