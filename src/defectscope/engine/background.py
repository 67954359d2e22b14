"""Runs jobs in other threads, so that networks look at frames while the next are measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Lock
from types import TracebackType

Job = Callable[[], None]

# Decoding and measuring keep one core busy; more threads than this would only hold more frames.
_THREADS = 2
# Groups that may be under way. A network looks at many frames of one group and at none of the
# next: with one group at a time the other cores would wait for it. Each holds its frames.
_GROUPS = 2


@dataclass(slots=True)
class _Line:
    """Jobs that follow one another, the one under way first."""

    jobs: deque[tuple[Job, Future[None]]] = field(default_factory=deque[tuple[Job, Future[None]]])


class BackgroundWorker:
    """Runs groups of jobs; as a context, it leaves none.

    Networks work outside Python's lock. Jobs of the same key keep their order, so that no result
    depends on timing; jobs of different keys may run side by side, also those of different groups:
    they must not share what they change. The number of groups under way bounds the frames that
    are held.
    """

    def __init__(self, threads: int = _THREADS) -> None:
        """Starts no thread yet.

        Args:
            threads: How many jobs run at the same time; with 1, in their order.
        """
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="defectscope-networks")
        self._groups: deque[list[Future[None]]] = deque()
        self._lines: dict[Hashable, _Line] = {}
        self._lock = Lock()
        self._closed = False

    def __enter__(self) -> BackgroundWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[Job]) -> None:
        """Begins a group of jobs once all jobs before it have ended.

        Raises:
            BaseException: Whatever a job before raised.
        """
        self.wait()
        self._groups.append([self._pool.submit(job) for job in jobs])

    def follow(self, jobs: Mapping[Hashable, Job]) -> None:
        """Begins each job of a group once the last job of the same key has ended.

        Waits while as many groups as may be are under way, and for a group that `run` began.

        Args:
            jobs: By what orders them.

        Raises:
            BaseException: Whatever a job of a group that has ended raised.
        """
        if not self._lines:
            self.wait()
        while len(self._groups) >= _GROUPS or (self._groups and _have_ended(self._groups[0])):
            self._end_first()
        group: list[Future[None]] = []
        for key, job in jobs.items():
            told: Future[None] = Future()
            group.append(told)
            with self._lock:
                line = self._lines.setdefault(key, _Line())
                line.jobs.append((job, told))
                if len(line.jobs) == 1:
                    self._pool.submit(self._advance, line)
        self._groups.append(group)

    def wait(self) -> None:
        """Returns when no job is left.

        Raises:
            BaseException: Whatever the first failed job raised.
        """
        try:
            while self._groups:
                self._end_first()
        finally:
            for group in self._groups:
                wait(group)
            self._groups.clear()
            self._lines.clear()

    def _end_first(self) -> None:
        group = self._groups.popleft()
        wait(group)
        for told in group:
            told.result()

    def _advance(self, line: _Line) -> None:
        """Does the first job of a line, and has the next one done."""
        job, told = line.jobs[0]
        try:
            job()
        except BaseException as error:
            # What follows a failed job would see less than all frames.
            with self._lock:
                left = list(line.jobs)[1:]
                line.jobs.clear()
            told.set_exception(error)
            for _, other in left:
                other.set_result(None)
            return
        with self._lock:
            line.jobs.popleft()
            if line.jobs and not self._closed:
                # The next one of another line comes first: none keeps the others waiting.
                self._pool.submit(self._advance, line)
        told.set_result(None)


def _have_ended(group: Sequence[Future[None]]) -> bool:
    return all(told.done() for told in group)
