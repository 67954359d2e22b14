from __future__ import annotations

import random
from typing import Any

import pytest

from defectscope.findings import Finding
from defectscope.monitor.alarms import AlarmBook, Change, Key, Patience
from defectscope.monitor.damage import Damage
from defectscope.monitor.overload import Ladder


def black(start_s: float, end_s: float, defect: str = "black_frames") -> Finding:
    return Finding("black_frames", defect, start_s, end_s, 1.0, "major", {"x": 1})


class Book:
    """An alarm book that is fed as a channel feeds it."""

    def __init__(self, window_s: float = 20.0, **patience: float) -> None:
        self.told: list[tuple[str, float, float]] = []
        self.book = AlarmBook({"default": Patience(**patience)}, self._told)
        self.window_s = window_s

    def _told(self, change: Change) -> None:
        self.told.append((change.state, change.alarm.start_s, change.at_s))

    def decide(self, now_s: float, *findings: Finding, begun_s: float = 0.0) -> None:
        first_s = max(begun_s, now_s - self.window_s)
        seen = [f for f in findings if f.end_s > first_s]
        self.book.decided("black_frames", seen, first_s=first_s, edge_s=now_s, begun_s=begun_s)


def test_an_alarm_opens_once_and_clears_once() -> None:
    book = Book()
    for step in range(100):
        now_s = step / 2
        book.decide(now_s, *([black(10.0, min(now_s, 14.0))] if now_s > 10 else []))
    assert [state for state, *_ in book.told] == ["opened", "cleared"]
    assert book.told[0][2] <= 11.5
    assert 16.0 <= book.told[1][2] <= 16.5


def test_what_comes_back_before_it_is_cleared_goes_on() -> None:
    book = Book()
    for step in range(100):
        now_s = step / 2
        # 1.6 s apart, where 2 s clear: 10 to 14 s, and 15.6 to 18 s.
        found = [black(a, min(now_s, b)) for a, b in ((10.0, 14.0), (15.6, 18.0)) if now_s > a]
        book.decide(now_s, *found)
    assert [state for state, *_ in book.told] == ["opened", "cleared"]
    assert 20.0 <= book.told[1][2] <= 20.5


def test_one_decision_alone_is_no_alarm() -> None:
    book = Book()
    book.decide(11.0, black(10.0, 11.0))
    book.decide(11.5)
    book.decide(12.0, black(11.5, 12.0))
    book.decide(12.5)
    assert book.told == []


def test_what_outlasts_the_window_stays_one_alarm() -> None:
    book = Book()
    for step in range(200):
        now_s = step / 2
        start_s = max(10.0, now_s - 20.0)
        book.decide(now_s, *([black(start_s, now_s)] if 10 < now_s < 80 else []))
    assert [state for state, *_ in book.told] == ["opened", "cleared"]
    assert book.told[0][1] == 10.0


def test_a_start_that_moves_makes_no_second_alarm() -> None:
    book, rng = Book(), random.Random(1)
    for step in range(20, 60):
        now_s = step / 2
        book.decide(now_s, black(10.0 + rng.uniform(-0.5, 0.5), now_s))
    assert [state for state, *_ in book.told] == ["opened"]


def test_what_the_window_cut_off_is_no_new_defect() -> None:
    book = Book()
    for step in range(60, 70):
        now_s = step / 2
        book.decide(now_s, black(now_s - 20.0, now_s - 15.0))
    assert book.told == []


def test_a_flapping_defect_is_one_alarm_within_its_patience() -> None:
    book = Book(leave_s=3.0)
    spans = [(10.0, 11.0), (12.0, 13.0), (14.0, 15.0)]
    for step in range(20, 70):
        now_s = step / 2
        book.decide(now_s, *(black(a, min(b, now_s)) for a, b in spans if a < now_s))
    assert [state for state, *_ in book.told] == ["opened", "cleared"]


def test_patience_to_enter_is_kept() -> None:
    book = Book(enter_s=5.0)
    for step in range(20, 60):
        now_s = step / 2
        book.decide(now_s, black(10.0, min(now_s, 14.0)))
    assert book.told == []


def test_open_alarms_of_before_are_not_told_again() -> None:
    book = Book()
    from defectscope.monitor.alarms import Alarm

    key = Key("black_frames", "black_frames")
    book.book.restore([Alarm(key, 3.0, 10.0, "major", {}, is_open=True)])
    for step in range(21, 40):
        now_s = step / 2
        book.decide(now_s, black(10.2, min(now_s, 14.0)), begun_s=10.0)
    assert [state for state, *_ in book.told] == ["cleared"]


def test_nothing_grows_over_a_simulated_day() -> None:
    book = Book()
    for step in range(0, 24 * 3600, 7):
        now_s = float(step)
        book.decide(now_s, black(now_s - 5.0, now_s - 3.0))
    assert len(book.book._active) + len(book.book._past) < 10


@pytest.mark.parametrize(
    ("finding", "explained"),
    [
        (black(10.5, 11.0, "tearing"), True),
        (black(9.0, 10.0, "compression_blockiness"), True),
        (black(10.5, 10.8), True),
        (black(10.5, 14.0), False),
        (black(30.0, 31.0, "tearing"), False),
        (black(10.5, 30.0, "blur"), False),
    ],
)
def test_damage_explains_what_it_causes_and_no_more(finding: Any, explained: bool) -> None:
    damage = Damage()
    damage.add(10.0, 12.0)
    damage.add(11.0, 13.0)
    assert damage.explains(finding) is explained


def test_the_ladder_goes_down_when_behind_and_up_when_quiet() -> None:
    ladder = Ladder()
    levels = [ladder.update(2.0, now_s / 2) for now_s in range(60)]
    assert sorted(set(levels)) == [0, 1, 2, 3]
    assert levels == sorted(levels)
    assert not ladder.trusts("tearing")
    assert ladder.trusts("black_frames")
    levels = [ladder.update(0.1, 30 + now_s / 2) for now_s in range(400)]
    assert levels[0] == 3
    assert levels[-1] == 0
    assert Ladder().update(0.6, 0.0) == 0
