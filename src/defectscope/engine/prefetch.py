"""Runs an iterator a few items ahead in a thread, so that decoding and analyzing overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class _Ended:
    error: BaseException | None


def ahead(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """Returns the same items in the same order, made up to `depth` items early in another thread.

    FFmpeg and the pixel kernel both work outside Python's lock, so that two cores are kept busy.
    When the consumer stops early or fails, the thread has ended before this generator is closed:
    what the items come from can be closed safely after.

    Args:
        items: Iterated in the other thread, and only there.
        depth: Items held at most, which bounds memory.

    Raises:
        BaseException: Whatever `items` raised, after the items before it.
    """
    made: queue.Queue[Item | _Ended] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Item | _Ended) -> bool:
        while not stopped.is_set():
            try:
                made.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as raised:
            error = raised
        finally:
            # A generator is closed where it ran: it may hold the decoder.
            close = getattr(items, "close", None)
            if close is not None:
                close()
        put(_Ended(error))

    thread = threading.Thread(target=work, name="defectscope-decode", daemon=True)
    thread.start()
    try:
        while True:
            item = made.get()
            if isinstance(item, _Ended):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()
