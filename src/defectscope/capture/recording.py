"""Records a device: grabs picture and sound on threads of their own, encodes, and takes marks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import msgspec

from defectscope.capture.grab_thread import GrabThread
from defectscope.capture.health import drift_of
from defectscope.capture.session import (
    SCHEMA,
    SUFFIX,
    DeviceFacts,
    Mark,
    Session,
    SessionSound,
    write_session,
)
from defectscope.capture.sound_track import SoundTrack
from defectscope.errors import DefectscopeError, InvalidParameterError
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.grabbing import PIXEL_FORMAT, Grab, GrabberError, GrabSpec, grab
from defectscope.media.sound_grabbing import SoundGrab, SoundSpec, grab_sound
from defectscope.media.writer import Writer

# Matroska's own tick: a capture that is cut off stays readable up to there.
_TICK_S = Fraction(1, 1000)
_CAPTURE_SUFFIX = ".mkv"
# Captures that wait for the encoder: two seconds at 60 a second, 370 MB at 1080p; and runs of
# sound: ten seconds.
_WAITING, _SOUND_WAITING = 120, 500
# A source that gives nothing for so long will not.
_FIRST_S = 10.0
# Lossless: what is measured is the device's.
_SOUND_CODEC = "flac"
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_MAX_MARKS = 100_000
_POLL_S = 0.1

Grabbing = Callable[[GrabSpec], Generator[Grab]]
SoundGrabbing = Callable[[SoundSpec], Generator[SoundGrab]]


class Recording:
    """A recording that runs from entry to exit; a context manager that leaves a session file.

        with Recording(Path("run.session.json"), spec, facts) as recording:
            recording.mark("launch")
            ...

    Args:
        path: The session file, `NAME.session.json`; the capture is `NAME.mkv` beside it.
        spec: What is grabbed.
        device: What is captured.
        sound: What sound is grabbed with it; None records none.
        crf: Constant quality of the encoder; low, since measures are taken of it.
        grabbing: How captures are made; `media.grabbing.grab`.
        sound_grabbing: How sound is; `media.sound_grabbing.grab_sound`.

    Attributes:
        session: The session; None until the recording has ended.
    """

    def __init__(
        self,
        path: Path,
        spec: GrabSpec,
        device: DeviceFacts | None = None,
        *,
        sound: SoundSpec | None = None,
        crf: float = 12.0,
        grabbing: Grabbing = grab,
        sound_grabbing: SoundGrabbing = grab_sound,
    ) -> None:
        if not path.name.endswith(SUFFIX) or path.name == SUFFIX:
            raise InvalidParameterError(f"a session file is called NAME{SUFFIX}, not {path.name}")
        self.session: Session | None = None
        self._path, self._spec, self._device = path, spec, device or DeviceFacts()
        self._capture = path.with_name(path.name[: -len(SUFFIX)] + _CAPTURE_SUFFIX)
        self._crf, self._sound = crf, sound
        self._frames = GrabThread(lambda: grabbing(spec), _WAITING)
        self._sounds = (
            None if sound is None else GrabThread(lambda: sound_grabbing(sound), _SOUND_WAITING)
        )
        self._marks: dict[str, list[Mark]] = {"mark": [], "event": []}
        self._kept: list[tuple[float, float]] = []
        self._track: SoundTrack | None = None
        self._repeated = self._misplaced = 0
        self._failure: BaseException | None = None
        self._encoder = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Recording:
        """Returns once the first capture, and the first sound, have come.

        Raises:
            GrabberError: A source gives nothing.
        """
        # Sound first: servers of sound take their time, and pictures cannot wait for long.
        if self._sound is not None and self._sounds is not None:
            self._begin(self._sounds, self._sound.source)
        self._begin(self._frames, self._spec.source)
        self._encoder.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish()

    @property
    def running(self) -> bool:
        """Whether captures still come."""
        own = [self._frames, *([self._sounds] if self._sounds is not None else [])]
        return self._failure is None and all(source.running for source in own)

    def mark(self, name: str, at: float | None = None) -> None:
        """Notes that something was done to the device.

        Args:
            name: `launch`, `play`, `seek`, `switch`, `background`, or another name.
            at: Unix time, seconds; None is now.

        Raises:
            InvalidParameterError: It is no name or time, or there are too many.
        """
        self._note("mark", name, at)

    def event(self, name: str, at: float | None = None) -> None:
        """Notes what the player said of itself; arguments and errors as those of `mark`."""
        self._note("event", name, at)

    def _note(self, kind: Literal["mark", "event"], name: str, at: float | None) -> None:
        if len(self._marks[kind]) >= _MAX_MARKS:
            raise InvalidParameterError(f"a session holds at most {_MAX_MARKS} of them")
        given = {"name": name, "at": time.time() if at is None else at}
        try:
            self._marks[kind].append(msgspec.convert(given, Mark))
        except msgspec.ValidationError as error:
            raise InvalidParameterError(f"no {kind}: {error}") from None

    def _begin(self, grabber: GrabThread[Any], source: str) -> None:
        grabber.start()
        if not grabber.has_begun(_FIRST_S):
            self._stop()
            self._raise()
            raise GrabberError(f"{source}: gives nothing")

    def _keep(self) -> None:
        spec, sound = self._spec, self._sound
        try:
            video = VideoEncoding(
                spec.width,
                spec.height,
                spec.rate,
                time_base=_TICK_S,
                pixel_format=PIXEL_FORMAT,
                crf=self._crf,
                preset="ultrafast",
            )
            audio = (
                None
                if sound is None
                else AudioEncoding(sound.rate_hz, _LAYOUTS[sound.channels], _SOUND_CODEC)
            )
            with Writer(self._capture, video=video, audio=audio) as writer:
                self._encode(writer)
        except BaseException as error:
            self._failure = error

    def _encode(self, writer: Writer) -> None:
        first_s: float | None = None
        tick = -1
        while not self._frames.drained or (self._sounds and not self._sounds.drained):
            if first_s is not None:
                self._encode_sound(writer, first_s)
            capture = self._frames.take(_POLL_S)
            if capture is None:
                continue
            first_s = capture.at_s if first_s is None else first_s
            due = round((capture.at_s - first_s) / _TICK_S)
            if due <= tick:
                # Two captures in one tick, or a clock that was set back: no place in the file.
                self._misplaced += 1
                continue
            tick = due
            writer.write_frame(replace(capture.frame, pts=tick))
            self._kept.append((capture.at_s, capture.arrived_s))
            self._repeated += capture.repeated

    def _encode_sound(self, writer: Writer, first_s: float) -> None:
        if self._sounds is None or self._sound is None:
            return
        if self._track is None:
            self._track = SoundTrack(self._sound.rate_hz, first_s)
        while (grabbed := self._sounds.take()) is not None:
            samples = self._track.take(grabbed)
            if samples is not None:
                writer.write_samples(samples)

    def _stop(self) -> None:
        self._frames.stop()
        if self._sounds is not None:
            self._sounds.stop()

    def _raise(self) -> None:
        """Raises what ended the recording before its time, if anything did."""
        sounds = self._sounds
        for failure, source in (
            (self._frames.failure, self._spec.source),
            (None if sounds is None else sounds.failure, self._sound and self._sound.source),
            (self._failure, self._capture.name),
        ):
            if isinstance(failure, DefectscopeError):
                raise failure
            if failure is not None:
                raise GrabberError(f"{source}: {failure}") from failure

    def _finish(self) -> None:
        """Ends the threads and writes the session file.

        Raises:
            DefectscopeError: What ended the recording before its time.
            GrabberError: Fewer than two captures came.
        """
        self._stop()
        self._encoder.join()
        self._raise()
        if len(self._kept) < 2:
            raise GrabberError(f"{self._spec.source}: gave fewer than two captures")
        times_s, arrived_s = zip(*self._kept, strict=True)
        self.session = Session(
            schema=SCHEMA,
            capture=self._capture.name,
            source=self._spec.source,
            nominal_fps=float(self._spec.rate),
            began_at=times_s[0],
            device=self._device,
            marks=_ordered(self._marks["mark"]),
            events=_ordered(self._marks["event"]),
            times_us=tuple(round(1e6 * (at_s - times_s[0])) for at_s in times_s),
            repeated=self._repeated,
            lost=self._frames.lost + self._misplaced,
            drift_ppm=drift_of(times_s, arrived_s),
            sound=self._sound_facts(),
        )
        write_session(self._path, self.session)

    def _sound_facts(self) -> SessionSound | None:
        sound, track = self._sound, self._track
        if sound is None or track is None:
            return None
        return SessionSound(
            source=sound.source,
            rate_hz=sound.rate_hz,
            channels=sound.channels,
            gaps_us=tuple((round(1e6 * g.start_s), round(1e6 * g.end_s)) for g in track.gaps),
            drift_ppm=track.drift_ppm,
        )


def _ordered(marks: list[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted(marks, key=lambda mark: mark.at))
