"""Runs jobs in other threads, so that networks look at frames while the next are measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType

# Decoding and measuring keep one core busy; more threads than this would only hold more frames.
_THREADS = 2


class BackgroundWorker:
    """Takes a group of jobs once the group before it has ended; as a context, it leaves none.

    Networks work outside Python's lock. One group runs at a time, which bounds the frames that are
    held, and keeps the order for jobs of consecutive groups, so that no result depends on timing.
    Jobs of one group may run side by side: they must not share what they change.
    """

    def __init__(self, threads: int = _THREADS) -> None:
        """Starts no thread yet.

        Args:
            threads: How many jobs of a group run at the same time; with 1, in their order.
        """
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="defectscope-networks")
        self._running: list[Future[None]] = []

    def __enter__(self) -> BackgroundWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Begins a group of jobs once the group before it has ended.

        Raises:
            BaseException: Whatever a job of the group before raised.
        """
        self.wait()
        self._running = [self._pool.submit(job) for job in jobs]

    def wait(self) -> None:
        """Returns when no job is left.

        Raises:
            BaseException: Whatever the first failed job of the last group raised.
        """
        running, self._running = self._running, []
        wait(running)
        for job in running:
            job.result()
