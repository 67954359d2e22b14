"""Items made ahead in another thread arrive as if they had been made here."""

import threading
import time

import pytest

from defectscope.engine.prefetch import ahead


def test_the_order_is_kept_and_nothing_is_lost():
    assert list(ahead(iter(range(1000)), 3)) == list(range(1000))


def test_an_error_comes_after_the_items_before_it():
    def failing():
        yield 1
        yield 2
        raise OSError("the disk is gone")

    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend(ahead(failing(), 4))
    got = []
    items = ahead(failing(), 4)
    got += [next(items), next(items)]
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)
    assert got == [1, 2]


def test_no_more_than_depth_items_are_held():
    made = []

    def counted():
        for number in range(100):
            made.append(number)
            yield number

    items = ahead(counted(), 5)
    next(items)
    time.sleep(0.3)
    # One was taken, five wait, and one is in the maker's hand.
    assert len(made) <= 7
    items.close()


def test_stopping_early_closes_the_source_before_the_consumer_goes_on():
    closed = []

    def source():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread().name)

    items = ahead(source(), 2)
    next(items)
    items.close()
    assert closed == ["defectscope-decode"]
    assert not [t for t in threading.enumerate() if t.name == "defectscope-decode"]
