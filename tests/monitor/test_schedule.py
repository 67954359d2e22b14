from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from defectscope.detectors.loudness import gating
from defectscope.detectors.registry import load_all, names
from defectscope.findings import Finding
from defectscope.measurements import Measurements, Table
from defectscope.monitor.channel_facts import loudness_of
from defectscope.monitor.overload import LEARNED, NAMES, SOUND, Distrust, Ladder, lowest_trusted
from defectscope.monitor.schedule import EVERY, Schedule
from defectscope.temporal.spans import curve, without_curves
from defectscope.temporal.tables import TableBuilder

QUICK, SECOND, FOURTH = "black_frames", "tearing", "banding"


def finding(defect: str, start_s: float = 1.0) -> Finding:
    return Finding("d", defect, start_s, start_s + 1.0, 1.0, "major", {})


def dues(schedule: Schedule, steps: int) -> list[frozenset[str]]:
    return [schedule.next() for _ in range(steps)]


def test_turns_come_as_often_as_the_table_says() -> None:
    assert set(EVERY) <= set(names()) - LEARNED
    due = dues(Schedule([QUICK, SECOND, FOURTH]), 12)
    assert [sum(name in d for d in due) for name in (QUICK, SECOND, FOURTH)] == [12, 6, 3]


def test_no_step_has_much_more_to_do_than_another() -> None:
    schedule = Schedule(sorted(set(names()) - LEARNED))
    sizes = [len(due) for due in dues(schedule, 8)]
    assert max(sizes) - min(sizes) <= 3


def test_who_found_something_new_decides_at_the_next_step_and_then_no_more() -> None:
    schedule = Schedule([FOURTH])
    assert [len(d) for d in dues(schedule, 4)] == [0, 0, 0, 1]
    schedule.decided(FOURTH, [finding("banding")])
    assert schedule.next() == {FOURTH}
    schedule.decided(FOURTH, [finding("banding", 1.2)])
    assert [len(d) for d in dues(schedule, 3)] == [0, 0, 1]
    schedule.decided(FOURTH, [])
    assert schedule.next() == {FOURTH}


def test_who_rests_is_not_due_even_when_its_findings_changed() -> None:
    schedule = Schedule([QUICK, FOURTH])
    schedule.decided(QUICK, [finding("black_frames")])
    assert schedule.next(frozenset({QUICK})) == set()
    assert schedule.next() == {QUICK}


def test_turns_are_put_off_while_data_wait_but_not_for_ever() -> None:
    schedule = Schedule(sorted(set(names()) - LEARNED))
    calm = dues(schedule, 16)
    hurried = [schedule.next(hurried=True) for _ in range(40)]
    # What tells of signal that is gone keeps its turns.
    assert all(QUICK in due and "stereo_image" in due for due in hurried)
    assert not any(due & EVERY.keys() for due in hurried[:3])
    for name in EVERY:
        turns = [step for step, due in enumerate(hurried) if name in due]
        assert turns, name
        assert max(np.diff([-4, *turns, 40])) <= 14, name
    # They do not all come at once when they must: no more than in the worst step of a calm time.
    assert max(len(due & EVERY.keys()) for due in hurried) < max(
        len(due & EVERY.keys()) for due in calm
    )
    # Those that found something new are not put off.
    schedule.decided(FOURTH, [finding("banding")])
    assert FOURTH in schedule.next(hurried=True)
    schedule.decided(FOURTH, [finding("banding")])
    # Once nothing waits, what was put off comes at the next step, and then in its turn.
    assert EVERY.keys() & schedule.next()
    later = dues(schedule, 16)
    assert sum(map(len, later)) == sum(map(len, calm))


def test_what_is_being_caught_up_on_needs_no_further_step_down() -> None:
    ladder = Ladder(networks=False)
    for now_s in range(5):
        ladder.update(3.0, float(now_s))
    assert ladder.level == 2
    lag_s, at_s = 3.0, 4.0
    while lag_s >= 1.0:
        at_s += 0.5
        lag_s -= 0.1
        assert ladder.update(lag_s, at_s) == 2
    # What does not shrink does not wait for ever.
    grown = [ladder.update(2.0, at_s + t) for t in range(1, 10)]
    assert grown[-1] == 3


def test_a_climb_that_does_not_last_makes_the_next_wait_longer() -> None:
    ladder = Ladder(networks=False)

    def falls_at(now_s: float) -> None:
        ladder.update(2.0, now_s)
        ladder.update(2.0, now_s + 4.0)

    def climbs_after(now_s: float) -> float:
        level, waited_s = ladder.level, 0.0
        while ladder.update(0.0, now_s + waited_s) == level:
            waited_s += 0.25
        return waited_s

    falls_at(0.0)
    assert ladder.level == 2
    first_s = climbs_after(4.25)
    assert ladder.level == 0
    falls_at(10.0)
    second_s = climbs_after(14.25)
    assert second_s >= 1.9 * first_s
    # It lasted: the next wait is short again.
    ladder.update(0.0, 100.0)
    falls_at(101.0)
    assert climbs_after(105.25) == pytest.approx(first_s, abs=0.3)


def test_sound_is_trusted_while_frames_are_left_out() -> None:
    ladder = Ladder(networks=True)
    trusted = {
        level: {n for n in names() if lowest_trusted(n) >= level} for level in range(len(NAMES))
    }
    assert trusted[0] == set(names())
    assert trusted[1] == set(names()) - LEARNED
    # Whoever looks at sound alone and rests for frames misses what happens to the sound.
    audio = {d.name for d in load_all(tuple(names())) if d.needs.media == {"audio"}}
    assert trusted[2] & audio == audio - LEARNED
    assert trusted[3] == trusted[2] - SOUND
    ladder.level = 2
    assert ladder.trusts("stereo_image")
    assert not ladder.trusts("tearing")


def test_gaps_are_distrusted_until_they_have_left_the_window() -> None:
    distrust = Distrust(20.0)
    distrust.note(2, 100.0)
    assert distrust.covers("tearing", 119.0)
    assert not distrust.covers("tearing", 121.0)
    assert not distrust.covers("stereo_image", 101.0)
    assert not distrust.covers("freeze", 101.0)
    distrust.note(3, 200.0)
    assert distrust.covers("stereo_image", 219.0)
    assert not distrust.covers("freeze", 201.0)
    assert not distrust.covers("stereo_image", 221.0)


def test_without_networks_there_are_none_to_be_left_out() -> None:
    ladder = Ladder(networks=False)
    levels = [ladder.update(2.0, now_s / 2) for now_s in range(60)]
    assert sorted(set(levels)) == [0, 2, 3]
    assert sorted({Ladder().update(2.0, t) for t in range(9)} | {0}) == [0]


def test_findings_are_the_same_without_curves() -> None:
    times_s = np.arange(200) / 25
    assert len(curve(times_s, times_s).max)
    with without_curves():
        assert not len(curve(times_s, times_s).max)
    assert len(curve(times_s, times_s).max)


def test_loudness_of_the_last_moments_is_that_of_the_standard() -> None:
    energy = np.concatenate([np.full(50, 1e-5), np.full(4, 1e-2)])
    builder = TableBuilder(Fraction(10), block=np.int64, energy=np.float64)
    builder.add(block=np.arange(len(energy)), energy=energy)
    tables: dict[str, Table] = {"blocks": builder.table()}
    found = loudness_of(Measurements("loudness", tables))
    assert found["momentary_lufs"] == round(-0.691 + 10 * np.log10(1e-2), 1)
    short = float(gating.lufs(np.array([energy[-30:].mean()]))[0])
    assert found["short_term_lufs"] == round(short, 1)
    builder = TableBuilder(Fraction(10), block=np.int64, energy=np.float64)
    assert loudness_of(Measurements("loudness", {"blocks": builder.table()})) == {}
