"""One interval of a channel without interruption: measured, decided again and again, forgotten."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from defectscope.engine.background import BackgroundWorker
from defectscope.engine.contracts import Detector
from defectscope.engine.coverage import Coverage
from defectscope.engine.engine import is_applicable
from defectscope.engine.feeds import Feeds
from defectscope.engine.tracks import decide_tracks
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.frames import Frame
from defectscope.media.live_reader import LiveReader
from defectscope.media.pixels import to_rgb
from defectscope.media.stills import encode_jpeg
from defectscope.media.stream import StreamInfo
from defectscope.monitor.schedule import Schedule
from defectscope.monitor.window import Window
from defectscope.temporal.spans import without_curves

_LOG = logging.getLogger(__name__)
# Sparse tables, complaints of the decoder, do not tell how far their detector has come: no
# detector is further behind.
_FURTHEST_BEHIND_S = 2.0
# Frames are pushed when somebody decides: what comes in a step, and a little more. Room that is not
# used is held by whoever looks later all the same.
_ROOM = 1.1
# How often a frame is kept for the wall, seconds, and how high, pixels.
_THUMBNAIL_S, _THUMBNAIL_PX = 2.0, 180


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is decided, and over how much.

    Attributes:
        window_s: Length of the window, seconds.
        step_s: Time between two decisions, seconds of programme.
        session_s: After so long the clock and all state begin anew, seconds: sums and tables
            that count from t = 0 stay bounded.
    """

    window_s: float = 20.0
    step_s: float = 0.5
    session_s: float = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What one detector says of the window, in seconds of the session.

    Attributes:
        detector: Its name.
        result: What it found.
        measured: What it decided on.
        first_s: Where the window begins.
        edge_s: How far it has measured.
    """

    detector: str
    result: DetectorResult
    measured: Measurements
    first_s: float
    edge_s: float

    def findings(self, offset_s: float) -> list[Finding]:
        """Returns the findings on a clock that is ahead of the session's by an offset."""
        return moved(self.result.findings, offset_s)


def moved(findings: Sequence[Finding], by_s: float) -> list[Finding]:
    """Returns findings on a clock that is ahead of theirs, seconds."""
    return [replace(f, start_s=f.start_s + by_s, end_s=f.end_s + by_s) for f in findings]


class Session:
    """Measures what a reader gives, and decides every `step_s`.

    Attributes:
        reached_s: Where the programme has come to, seconds of the session.
        thumbnail: A recent frame as JPEG, empty before the first.
        failed: How often a detector could not decide, by name.
        resting: Detectors that neither look nor decide for now.
        hurried: Data wait: turns that can be put off are.
    """

    def __init__(self, reader: LiveReader, detectors: Sequence[Detector], pace: Pace) -> None:
        self.reached_s = 0.0
        self.thumbnail = b""
        self.failed: Counter[str] = Counter()
        self.resting: frozenset[str] = frozenset()
        self.hurried = False
        self._frames = 0
        self._decide_s = 0.0
        self._shown_s = -_THUMBNAIL_S
        self._reader, self._pace = reader, pace
        self._stream: StreamInfo = reader.info
        self._running = [d for d in detectors if is_applicable(d, self._stream)]
        self._window = Window(pace.window_s)
        self._schedule = Schedule([d.name for d in self._running])
        video = self._stream.video
        self._frame_s = 0.04 if video is None else float(1 / video.frame_rate)
        self._chunk_frames = 2 + int(_ROOM * pace.step_s / self._frame_s)

    def run(
        self,
        decided: Callable[[Sequence[Decision]], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Reads until the reader ends.

        Args:
            decided: Called with the decisions of every step.
            ended: Called once the reader has ended, before what is left is decided.
        """
        # Many channels share the processor: a second thread for each would gain none of them time.
        with BackgroundWorker(threads=1) as background:
            coverage = Coverage(self._stream, None, None)
            feeds = Feeds(self._reader, self._running, self._chunk_frames, background, coverage)
            due_s = self._pace.step_s
            for item in self._reader.read():
                reached_s = feeds.add(item)
                if reached_s is None:
                    continue
                if isinstance(item, Frame):
                    self._show(item, reached_s)
                self.reached_s = max(self.reached_s, reached_s + self._frame_s)
                if self.reached_s >= due_s:
                    decided(self._step(feeds))
                    due_s = self.reached_s + self._pace.step_s
                if self.reached_s >= self._pace.session_s:
                    self._reader.stop()
            ended()
            self._window.add(feeds.close())
            decided(self._decide(frozenset(d.name for d in self._running) - self.resting))

    def taken_frames(self) -> int:
        """Returns how many frames were measured since the last call."""
        taken, self._frames = self._frames, 0
        return taken

    def taken_decide_s(self) -> float:
        """Returns the processor time of deciding since the last call, seconds."""
        taken, self._decide_s = self._decide_s, 0.0
        return taken

    def _show(self, frame: Frame, at_s: float) -> None:
        self._frames += 1
        if at_s - self._shown_s >= _THUMBNAIL_S:
            self._shown_s = at_s
            self.thumbnail = encode_jpeg(to_rgb(frame.native, _THUMBNAIL_PX))

    def _step(self, feeds: Feeds) -> list[Decision]:
        due = self._schedule.next(self.resting, hurried=self.hurried)
        self._window.add(feeds.take(due, self.resting))
        self._window.forget_before(self.reached_s, due)
        return self._decide(due)

    def _decide(self, due: frozenset[str]) -> list[Decision]:
        began_s = time.thread_time()
        now_s = self.reached_s
        first_s = max(0.0, now_s - self._pace.window_s)
        stream = replace(self._stream, duration_s=now_s, sounds=tuple(self._reader.sounds))
        found: list[Decision] = []
        measured = self._window.measurements(due)
        for detector in self._running:
            if detector.name not in measured:
                continue
            try:
                with without_curves():
                    result = decide_tracks(detector, measured[detector.name], stream)
            except Exception:
                # One detector's fault must not end what the others see.
                if detector.name not in self.failed:
                    _LOG.exception("%s: %s cannot decide", stream.uri, detector.name)
                self.failed[detector.name] += 1
                continue
            edge_s = min(now_s, self._window.edge_s(detector.name))
            edge_s = max(edge_s, now_s - _FURTHEST_BEHIND_S)
            self._schedule.decided(detector.name, result.findings)
            rows = measured[detector.name]
            found.append(Decision(detector.name, result, rows, first_s, edge_s))
        self._decide_s += time.thread_time() - began_s
        return found
