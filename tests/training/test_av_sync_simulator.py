"""Simulated talking mouths: they do what the phones say, when they say it."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.simulate.synthetic.mouth_frames import Inside, Pose, drawn_still, render
from defectscope.simulate.synthetic.mouth_motion import GESTURES, Manner, Phone, motion, read_phones
from defectscope.simulate.synthetic.talking_face import RATE_HZ, Utterance, take

OPENING, WIDTH, TEETH, TONGUE, PRESS, POUT = range(len(GESTURES))
PLAIN = Manner(effort=1.0, lead_s=0.0, variation=0.0)


def spoken(*names: str, each_s: float = 0.15) -> list[Phone]:
    return [Phone(n, i * each_s, (i + 1) * each_s) for i, n in enumerate(names)]


def middle(phones: list[Phone], index: int, manner: Manner = PLAIN) -> np.ndarray:
    at_s = (phones[index].start_s + phones[index].end_s) / 2
    return motion(phones, np.array([at_s]), manner, np.random.default_rng(1))[0]


def test_open_vowels_open_and_labials_close() -> None:
    phones = spoken("pau", "aa", "m", "aa", "pau")
    assert middle(phones, 1)[OPENING] > 0.6
    assert middle(phones, 2)[OPENING] < 0.15
    assert middle(phones, 2)[PRESS] > 0.4


def test_rounding_begins_before_the_vowel_that_wants_it() -> None:
    rounded = middle(spoken("pau", "s", "uw", "pau"), 1)[WIDTH]
    spread = middle(spoken("pau", "s", "iy", "pau"), 1)[WIDTH]
    assert rounded < spread - 0.1


def test_lips_lead_by_what_the_manner_says() -> None:
    phones = spoken("pau", "aa", "pau")
    times = np.arange(0, 0.45, 0.005)
    rng = np.random.default_rng(1)
    still = motion(phones, times, PLAIN, rng)[:, OPENING]
    ahead = motion(phones, times, Manner(effort=1.0, lead_s=0.05, variation=0.0), rng)[:, OPENING]
    np.testing.assert_allclose(ahead[:-10], still[10:], atol=1e-9)


def test_phones_are_read_with_stress_and_fillers() -> None:
    phones = read_phones("SIL 0.2\nAA1 0.4\n+SPN+ 0.5\n")
    assert [p.name for p in phones] == ["pau", "aa", "pau"]
    assert phones[1] == Phone("aa", 0.2, 0.4)


def test_phones_that_run_backwards_are_refused() -> None:
    with pytest.raises(ValueError, match="ends before"):
        read_phones("aa 0.4\nm 0.3")


def test_an_open_mouth_shows_its_dark_inside() -> None:
    rng = np.random.default_rng(3)
    still, skin = drawn_still(rng)
    inside = Inside.draw(rng, skin)
    gestures = np.zeros((2, len(GESTURES)))
    gestures[1, OPENING] = 1.0
    flat = np.zeros(2)
    crops = render(still, inside, gestures, Pose(flat, flat, flat, flat + 1, flat))
    assert crops.shape == (2, 48, 64)
    below = crops[:, 26:32, 28:36].mean(axis=(1, 2))
    assert below[1] < below[0] - 10
    # What is far from the mouth stays.
    assert abs(float(crops[1, :6].mean() - crops[0, :6].mean())) < 4


def test_a_closed_mouth_is_the_still_frame() -> None:
    still, skin = drawn_still(np.random.default_rng(4))
    inside = Inside(20, 200, 90, 0.1, 0.4, 0.8, 0.2, 0.3, 0.0)
    flat = np.zeros(1)
    closed = render(still, inside, np.zeros((1, 6)), Pose(flat, flat, flat, flat + 1, flat))[0]
    # Every crop pixel lies between two of the finer still.
    rows = np.rint((np.arange(48) - 23.5) * 2 + 71.5).astype(int)
    columns = np.rint((np.arange(64) - 31.5) * 2 + 79.5).astype(int)
    assert float(np.abs(closed - still[np.ix_(rows, columns)]).mean()) < 0.05 * skin


@pytest.fixture
def utterance() -> Utterance:
    phones: list[Phone] = []
    samples = np.zeros(RATE_HZ * 4, np.float32)
    for i in range(8):
        phones += [
            Phone("pau", i * 0.5, i * 0.5 + 0.25),
            Phone("aa", i * 0.5 + 0.25, i * 0.5 + 0.5),
        ]
        first = round((i * 0.5 + 0.25) * RATE_HZ)
        samples[first : first + RATE_HZ // 4] = 0.3
    return Utterance(samples, tuple(phones), "tone")


def test_a_take_is_in_step_with_its_sound(utterance: Utterance) -> None:
    # The lips lead the sound by a little, differently from speaker to speaker, never by a frame.
    offsets: list[int] = []
    for seed in range(6):
        made = take([utterance], 100, np.random.default_rng(seed))
        assert made.crops.shape == (100, 48, 64)
        assert made.samples.shape == (64_000,)
        level = np.abs(made.samples).reshape(100, 640).mean(axis=1)
        moves = made.gestures[:, OPENING]
        likeness = [
            float(np.corrcoef(np.roll(moves, shift), level)[0, 1]) for shift in range(-5, 6)
        ]
        offsets.append(int(np.argmax(likeness)) - 5)
    assert max(abs(o) for o in offsets) <= 2
    assert abs(float(np.median(offsets))) <= 1


def test_the_same_draw_gives_the_same_take(utterance: Utterance) -> None:
    one, other = (take([utterance], 40, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.crops, other.crops)
    np.testing.assert_array_equal(one.samples, other.samples)
    another = take([utterance], 40, np.random.default_rng(6))
    assert not np.array_equal(one.crops, another.crops)
