"""Runs one job at a time in another thread, so that networks look while frames are measured."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class BackgroundWorker:
    """Takes a job as soon as the one before it is done; used as a context, it leaves none behind.

    Networks work outside Python's lock. One job waits at most, which bounds what they hold on to,
    and jobs run in the order in which they came, so that no result depends on timing.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="defectscope-networks")
        self._running: Future[None] | None = None

    def __enter__(self) -> BackgroundWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, job: Callable[[], None]) -> None:
        """Begins a job once the one before it has ended.

        Raises:
            BaseException: Whatever the job before it raised.
        """
        self.wait()
        self._running = self._pool.submit(job)

    def wait(self) -> None:
        """Returns when no job is left.

        Raises:
            BaseException: Whatever the last job raised.
        """
        running, self._running = self._running, None
        if running is not None:
            running.result()
