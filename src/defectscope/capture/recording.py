"""Records a device: grabs on one thread, encodes on another, and takes marks meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Literal

import msgspec

from defectscope.capture.health import drift_of
from defectscope.capture.session import (
    SCHEMA,
    SUFFIX,
    DeviceFacts,
    Mark,
    Session,
    write_session,
)
from defectscope.errors import DefectscopeError, InvalidParameterError
from defectscope.media.encoding import VideoEncoding
from defectscope.media.grabbing import PIXEL_FORMAT, Grab, GrabberError, GrabSpec, grab
from defectscope.media.writer import Writer

# Matroska's own tick: a capture that is cut off stays readable up to there.
_TICK_S = Fraction(1, 1000)
_CAPTURE_SUFFIX = ".mkv"
# Captures that wait for the encoder: two seconds at 60 a second, 370 MB at 1080p.
_WAITING = 120
_MAX_MARKS = 100_000
_POLL_S = 0.1

Grabbing = Callable[[GrabSpec], Generator[Grab]]


class Recording:
    """A recording that runs from entry to exit; a context manager that leaves a session file.

        with Recording(Path("run.session.json"), spec, facts) as recording:
            recording.mark("launch")
            ...

    Args:
        path: The session file, `NAME.session.json`; the capture is `NAME.mkv` beside it.
        spec: What is grabbed.
        device: What is captured.
        crf: Constant quality of the encoder; low, since measures are taken of it.
        grabbing: How captures are made; `media.grabbing.grab`.

    Attributes:
        session: The session; None until the recording has ended.
    """

    def __init__(
        self,
        path: Path,
        spec: GrabSpec,
        device: DeviceFacts | None = None,
        *,
        crf: float = 12.0,
        grabbing: Grabbing = grab,
    ) -> None:
        if not path.name.endswith(SUFFIX) or path.name == SUFFIX:
            raise InvalidParameterError(f"a session file is called NAME{SUFFIX}, not {path.name}")
        self.session: Session | None = None
        self._path, self._spec, self._device = path, spec, device or DeviceFacts()
        self._capture = path.with_name(path.name[: -len(SUFFIX)] + _CAPTURE_SUFFIX)
        self._crf, self._grabbing = crf, grabbing
        self._queue: Queue[Grab] = Queue(_WAITING)
        self._marks: dict[str, list[Mark]] = {"mark": [], "event": []}
        self._stop, self._grabbed, self._ended = (threading.Event() for _ in range(3))
        self._kept: list[tuple[float, float]] = []
        self._repeated = self._lost = 0
        self._failure: BaseException | None = None
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._grab, self._keep)]

    def __enter__(self) -> Recording:
        """Returns once the first capture has come.

        Raises:
            GrabberError: The source gives nothing.
        """
        for thread in self._threads:
            thread.start()
        while not self._grabbed.wait(_POLL_S):
            if self._ended.is_set():
                break
        if self._failure is not None or not self._grabbed.is_set():
            self._finish()
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
        return not self._ended.is_set()

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

    def _grab(self) -> None:
        try:
            # Closed here, on the thread that reads: a grabber is not to be closed under its reader.
            with closing(self._grabbing(self._spec)) as captures:
                for capture in captures:
                    self._grabbed.set()
                    try:
                        self._queue.put_nowait(capture)
                    except Full:
                        self._lost += 1
                    if self._stop.is_set():
                        break
        except BaseException as error:
            self._failure = error
        finally:
            self._ended.set()

    def _keep(self) -> None:
        try:
            spec = self._spec
            encoding = VideoEncoding(
                spec.width,
                spec.height,
                spec.rate,
                time_base=_TICK_S,
                pixel_format=PIXEL_FORMAT,
                crf=self._crf,
                preset="ultrafast",
            )
            if not self._grabbed.wait() or (self._ended.is_set() and self._queue.empty()):
                return
            with Writer(self._capture, video=encoding) as writer:
                self._encode(writer)
        except BaseException as error:
            self._failure = self._failure or error
            self._stop.set()

    def _encode(self, writer: Writer) -> None:
        first_s: float | None = None
        tick = -1
        while not (self._ended.is_set() and self._queue.empty()):
            try:
                capture = self._queue.get(timeout=_POLL_S)
            except Empty:
                continue
            first_s = capture.at_s if first_s is None else first_s
            due = round((capture.at_s - first_s) / _TICK_S)
            if due <= tick:
                # Two captures in one tick, or a clock that was set back: no place in the file.
                self._lost += 1
                continue
            tick = due
            writer.write_frame(replace(capture.frame, pts=tick))
            self._kept.append((capture.at_s, capture.arrived_s))
            self._repeated += capture.repeated

    def _finish(self) -> None:
        """Ends both threads and writes the session file.

        Raises:
            DefectscopeError: What ended the recording before its time.
            GrabberError: Fewer than two captures came.
        """
        self._stop.set()
        self._threads[0].join()
        # Lets the other thread go where nothing ever came.
        self._grabbed.set()
        self._threads[1].join()
        if isinstance(self._failure, DefectscopeError):
            raise self._failure
        if self._failure is not None:
            raise GrabberError(f"{self._spec.source}: {self._failure}") from self._failure
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
            lost=self._lost,
            drift_ppm=drift_of(times_s, arrived_s),
        )
        write_session(self._path, self.session)


def _ordered(marks: list[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted(marks, key=lambda mark: mark.at))
