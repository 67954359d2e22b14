"""The session file: what was captured of which device, when what was done to it, what it said."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from defectscope.capture.health import CaptureHealth, health_of
from defectscope.errors import MediaError, MediaNotFoundError
from defectscope.findings import Interval

SCHEMA = "defectscope/session/1"
SUFFIX = ".session.json"
# Two hours at 240 captures a second take 20 MB; this is more, and no bomb.
_MAX_BYTES = 64 * 1024 * 1024

Text = Annotated[str, Meta(max_length=200)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Count = Annotated[int, Meta(ge=0)]
# Unix time between 1970 and 2100.
Instant = Annotated[float, Meta(ge=0, le=4_102_444_800)]


class SessionError(MediaError):
    """A session file is none, or does not fit its capture."""

    code = "bad_session"


class DeviceFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was captured; texts of the operator's, empty where nobody said.

    Attributes:
        name: Class or id of the device.
        model: Maker's model.
        firmware: Version of the device's own software.
        app_build: Version of the application under test.
        network_profile: Name of the network condition it ran under.
        title: What was played.
        title_fps: Frames a second of the title; None where unknown.
    """

    name: Text = ""
    model: Text = ""
    firmware: Text = ""
    app_build: Text = ""
    network_profile: Text = ""
    title: Text = ""
    title_fps: Annotated[float, Meta(ge=1, le=240)] | None = None


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that happened at one instant.

    Attributes:
        name: A mark is what was done (`launch`, `play`, `seek`, `switch`, `background`, or a name
            of your own); an event is what the player said (`first_frame`, `waiting`, `playing`,
            ...).
        at: Unix time, seconds.
    """

    name: Name
    at: Instant


class SessionSound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sound of a session.

    Attributes:
        source: What was grabbed.
        rate_hz: Samples a second.
        channels: How many channels.
        gaps_us: Where sound was lost, microseconds after the first capture.
        drift_ppm: Sound card's clock against the recording machine's; None where not measured.
    """

    source: Text
    rate_hz: Annotated[int, Meta(ge=1, le=1_000_000)]
    channels: Annotated[int, Meta(ge=1, le=64)]
    gaps_us: tuple[tuple[Count, Count], ...] = ()
    drift_ppm: float | None = None

    @property
    def gaps(self) -> tuple[Interval, ...]:
        """Where sound was lost, seconds of the capture."""
        return tuple(Interval(start / 1e6, end / 1e6) for start, end in self.gaps_us)


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One captured run of a device.

    Attributes:
        schema: Which form this is.
        capture: Name of the video file beside the session file.
        source: What was grabbed.
        nominal_fps: Captures a second that were asked for.
        began_at: Unix time of the first capture by the grabber's clock, seconds.
        device: What was captured.
        marks: What was done, in order of time.
        events: What the player said, in order of time.
        times_us: When each capture was made, microseconds after the first.
        repeated: Captures that equal the one before.
        lost: Captures that came and could not be kept.
        drift_ppm: Grabber's clock against the recording machine's; None where not measured.
        sound: The sound; None where none was recorded.
    """

    schema: Literal["defectscope/session/1"]
    capture: Annotated[str, Meta(min_length=1, max_length=255)]
    source: Text
    nominal_fps: Annotated[float, Meta(ge=1, le=240)]
    began_at: Instant
    device: DeviceFacts
    marks: tuple[Mark, ...]
    events: tuple[Mark, ...]
    times_us: tuple[Count, ...]
    repeated: Count
    lost: Count
    drift_ppm: float | None
    sound: SessionSound | None = None

    @property
    def times_s(self) -> list[float]:
        """When each capture was made, seconds after the first."""
        return [us / 1e6 for us in self.times_us]

    def health(self) -> CaptureHealth:
        """Returns how good the capture is by itself."""
        return health_of(
            self.times_s,
            self.nominal_fps,
            repeated=self.repeated,
            lost=self.lost,
            drift_ppm=self.drift_ppm,
            sound_gaps=() if self.sound is None else self.sound.gaps,
        )

    def when_s(self, name: str, *, events: bool = False) -> list[float]:
        """Returns when marks or events of a name happened, seconds of the capture."""
        among = self.events if events else self.marks
        return [mark.at - self.began_at for mark in among if mark.name == name]


def read_session(path: str | os.PathLike[str]) -> Session:
    """Reads a session file.

    Raises:
        MediaNotFoundError: There is none.
        SessionError: It is not a session file, or contradicts itself.
    """
    place = Path(path)
    try:
        if place.stat().st_size > _MAX_BYTES:
            raise SessionError(f"{place}: a session file has at most {_MAX_BYTES} bytes")
        text = place.read_bytes()
    except OSError as error:
        raise MediaNotFoundError(f"{place}: {error.strerror or error}") from None
    try:
        session = msgspec.json.decode(text, type=Session)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SessionError(f"{place}: no session file ({error})") from None
    _check(session, place)
    return session


def write_session(path: str | os.PathLike[str], session: Session) -> None:
    """Writes a session file whole or not at all.

    Raises:
        SessionError: It cannot be written there.
    """
    place = Path(path)
    temporary = place.with_name(place.name + ".part")
    try:
        temporary.write_bytes(msgspec.json.encode(session) + b"\n")
        temporary.replace(place)
    except OSError as error:
        raise SessionError(f"{place}: cannot be written ({error.strerror or error})") from None


def capture_path(path: str | os.PathLike[str], session: Session) -> Path:
    """Returns where the capture of a session file lies: beside it, nowhere else."""
    return Path(path).parent / session.capture


def _check(session: Session, place: Path) -> None:
    name = session.capture
    if Path(name).name != name or name in (".", "..") or "\\" in name or "\0" in name:
        raise SessionError(f"{place}: the capture lies beside the session file, not at {name!r}")
    if len(session.times_us) < 2:
        raise SessionError(f"{place}: fewer than two captures")
    if any(b <= a for a, b in zip(session.times_us, session.times_us[1:], strict=False)):
        raise SessionError(f"{place}: times of captures do not increase")
    gaps_us = [] if session.sound is None else session.sound.gaps_us
    if any(end <= start for start, end in gaps_us):
        raise SessionError(f"{place}: a gap in the sound ends before it begins")
    if session.drift_ppm is not None and not math.isfinite(session.drift_ppm):
        raise SessionError(f"{place}: the drift is no number")
