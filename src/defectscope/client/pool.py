"""A bounded number of calls at once, over as many items as there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from defectscope.client.jobs import Outcome
from defectscope.errors import DefectscopeError
from defectscope.findings import Report

T = TypeVar("T")


def outcomes(
    analyze_item: Callable[[T], Report],
    items: Iterable[T],
    *,
    concurrency: int,
    ordered: bool = True,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """Returns an outcome per item; what is not waited for any more is not started.

    At most twice `concurrency` items are drawn ahead of what was given out.
    """

    def work(index: int, item: T) -> Outcome:
        try:
            return Outcome(index, item, report=analyze_item(item))
        except DefectscopeError as error:
            return Outcome(index, item, error=error)

    source = enumerate(items)
    waiting: deque[Future[Outcome]] = deque()
    done = 0
    executor = ThreadPoolExecutor(concurrency, thread_name_prefix="defectscope")
    try:
        while True:
            while len(waiting) < 2 * concurrency:
                drawn = next(source, None)
                if drawn is None:
                    break
                waiting.append(executor.submit(work, *drawn))
            if not waiting:
                return
            if ordered:
                ready = waiting.popleft()
            else:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                ready = next(future for future in waiting if future in finished)
                waiting.remove(ready)
            outcome = ready.result()
            done += 1
            if on_progress is not None:
                on_progress(done)
            yield outcome
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
