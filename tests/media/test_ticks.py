"""Time stamps in whole numbers fall exactly where fractions put them."""

from __future__ import annotations

import random
from fractions import Fraction

from defectscope.media.clocks import ProgrammeClock
from defectscope.media.sampleclock import SampleClock
from defectscope.media.ticks import Ticks


def test_units_and_seconds_are_those_of_fractions() -> None:
    draw = random.Random(1)
    for _ in range(2000):
        time_base = Fraction(draw.randint(1, 2000), draw.choice((1000, 12_800, 48_000, 90_000, 7)))
        origin_s = Fraction(draw.randint(-(10**9), 10**9), draw.choice((1, 7, 90_000)))
        shift_s = Fraction(draw.randint(-(10**6), 10**6), draw.choice((1, 44_100, 90_000)))
        rate_hz = draw.choice((44_100, 48_000, 1 / time_base))
        ticks = Ticks(time_base, origin_s, shift_s, rate_hz)
        pts = draw.randint(-(2**40), 2**40)
        exact_s = pts * time_base - origin_s + shift_s
        assert Fraction(*ticks.seconds(pts)) == exact_s
        assert ticks.units(pts) == round(exact_s * rate_hz)


def test_half_a_unit_goes_to_the_even_one() -> None:
    ticks = Ticks(Fraction(1, 2), Fraction(0), Fraction(0), 1)
    assert [ticks.units(pts) for pts in (-3, -1, 1, 3, 5)] == [-2, 0, 0, 2, 2]


def test_sound_is_followed_beyond_rounding_and_across_a_new_clock() -> None:
    clock = SampleClock(
        48_000, "aac", Fraction(0), Fraction(0), programme=ProgrammeClock("mpegts"), track=1
    )
    base, step = Fraction(1, 90_000), 1920
    placed = [clock.place(n * step, base, 1024) for n in range(40)]
    assert [p.position for p in placed] == [1024 * n for n in range(40)]
    # 100 ms late: a gap of 4,800 samples.
    late = clock.place(40 * step + 9000, base, 1024)
    assert (late.position, late.jump) == (40_960 + 4800, 4800)
    # The sender starts again from 0: the programme goes on, and so does what follows.
    again = clock.place(0, base, 1024)
    assert (again.position, again.clock_jump_s) == (46_784, -46_784 / 48_000)
    assert clock.place(step, base, 1024).position == 47_808
