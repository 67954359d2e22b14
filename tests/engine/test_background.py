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


def test_jobs_of_one_key_keep_their_order_and_others_run_ahead_of_them():
    done, go_on = [], threading.Event()

    def slow():
        assert go_on.wait(60)
        done.append("slow 1")

    with BackgroundWorker() as background:
        background.follow({"slow": slow, "swift": lambda: done.append("swift 1")})
        background.follow({"slow": lambda: done.append("slow 2"), "swift": go_on.set})
        background.wait()
    assert done == ["swift 1", "slow 1", "slow 2"]


def test_no_more_than_two_groups_are_under_way():
    go_on, begun = threading.Event(), threading.Event()

    def third():
        with BackgroundWorker() as background:
            background.follow({"network": lambda: go_on.wait(60)})
            background.follow({"network": lambda: None})
            begun.set()
            background.follow({"network": lambda: None})
            assert go_on.is_set()

    waiting = threading.Thread(target=third)
    waiting.start()
    assert begun.wait(60)
    waiting.join(0.2)
    assert waiting.is_alive()
    go_on.set()
    waiting.join(60)
    assert not waiting.is_alive()


def test_jobs_follow_what_was_prepared():
    done, go_on = [], threading.Event()

    def prepare():
        assert go_on.wait(60)
        done.append("prepared")

    with BackgroundWorker() as background:
        background.run([prepare, go_on.set])
        background.follow({"network": lambda: done.append("looked")})
        background.wait()
    assert done == ["prepared", "looked"]


def test_nothing_follows_a_failed_job_of_the_same_key():
    done, go_on = [], threading.Event()

    def failing():
        assert go_on.wait(60)
        raise OSError("the network is gone")

    with BackgroundWorker() as background:
        background.follow({"network": failing})
        background.follow({"network": lambda: done.append("network"), "other": go_on.set})
        with pytest.raises(OSError, match="the network is gone"):
            background.wait()
        assert done == []
        # It has been told; the worker takes further jobs.
        background.follow({"network": lambda: done.append("again")})
        background.wait()
    assert done == ["again"]


def test_a_worker_that_is_left_early_leaves_no_thread():
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(60)

    with BackgroundWorker() as background:
        background.follow({"network": slow})
        background.follow({"network": pytest.fail})
        assert begun.wait(60)
        threading.Timer(0.1, go_on.set).start()
    assert not [t for t in threading.enumerate() if t.name.startswith("defectscope-networks")]
