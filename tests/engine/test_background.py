"""Jobs in other threads: groups keep their order, and a fault is told to the caller."""

import threading

import pytest

from defectscope.engine.background import BackgroundWorker


def test_jobs_of_one_group_run_at_the_same_time():
    # Each waits until the other has come: one after the other they would never get on.
    both = threading.Barrier(2, timeout=60)
    with BackgroundWorker() as background:
        background.run([both.wait, both.wait])
        background.wait()
    assert not both.broken


def test_one_thread_keeps_the_order_within_a_group():
    done = []
    with BackgroundWorker(threads=1) as background:
        background.run([lambda number=number: done.append(number) for number in range(50)])
        background.wait()
    assert done == list(range(50))


def test_a_group_begins_when_the_group_before_it_has_ended():
    done, go_on = [], threading.Event()

    def slow():
        go_on.wait(60)
        done.append("slow")

    with BackgroundWorker() as background:
        background.run([slow, go_on.set])
        background.run([lambda: done.append("next")])
        background.wait()
    assert done == ["slow", "next"]


def test_a_fault_is_raised_by_the_next_call_when_all_jobs_of_its_group_have_ended():
    ended = threading.Event()

    def failing():
        raise OSError("the network is gone")

    with BackgroundWorker() as background:
        background.run([failing, ended.set])
        with pytest.raises(OSError, match="the network is gone"):
            background.run([pytest.fail])
        assert ended.is_set()
        # It has been told; the worker takes further jobs.
        background.run([])
        background.wait()
