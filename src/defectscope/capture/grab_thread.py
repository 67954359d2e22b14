"""A thread that reads one grabber into a bounded queue, so that nothing waits for the encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

# A grabber that gives nothing for so long after it was told to end is left to itself.
_LAST_S = 5.0
_POLL_S = 0.1

T = TypeVar("T")


class GrabThread(Generic[T]):
    """Reads what a grabber gives until told to stop.

    Attributes:
        lost: What came and found the queue full.
        failure: What ended it before its time; None where nothing did.
    """

    def __init__(self, captures: Callable[[], Generator[T]], waiting: int) -> None:
        """Prepares the thread.

        Args:
            captures: Opens the grabber; called on the thread.
            waiting: How many captures may wait.
        """
        self.lost = 0
        self.failure: BaseException | None = None
        self._captures = captures
        self._queue: Queue[T] = Queue(waiting)
        self._came, self._stop, self._ended = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def running(self) -> bool:
        """Whether captures still come."""
        return not self._ended.is_set()

    @property
    def drained(self) -> bool:
        """Whether nothing comes any more and nothing waits."""
        return self._ended.is_set() and self._queue.empty()

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def has_begun(self, within_s: float) -> bool:
        """Waits for the first capture; tells whether it came before the end and in time."""
        waited_s = 0.0
        while not self._came.wait(_POLL_S):
            waited_s += _POLL_S
            if self._ended.is_set() or waited_s >= within_s:
                break
        return self._came.is_set()

    def take(self, wait_s: float = 0.0) -> T | None:
        """Returns the next capture; None where none has come."""
        try:
            return self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait()
        except Empty:
            return None

    def stop(self) -> None:
        """Ends the reading; what waits stays to be taken."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_S)
        self._ended.set()

    def _run(self) -> None:
        try:
            # Closed here, on the thread that reads: a grabber is not to be closed under its reader.
            with closing(self._captures()) as captures:
                for capture in captures:
                    self._came.set()
                    try:
                        self._queue.put_nowait(capture)
                    except Full:
                        self.lost += 1
                    if self._stop.is_set():
                        break
        except BaseException as error:
            self.failure = error
        finally:
            self._ended.set()
