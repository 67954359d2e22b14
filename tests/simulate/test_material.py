"""The material behind other tests: seeded, natural in its statistics, hard negatives silent."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from defectscope.simulate.effects.resample import resize, shift
from defectscope.simulate.synthetic.hard_negatives import HARD_NEGATIVES, hard_negative
from defectscope.simulate.synthetic.lettering import lettering, write_text
from defectscope.simulate.synthetic.material import Footage, Look, Scene, pink_field
from defectscope.simulate.synthetic.soundscape import music_like, room_tone, runs_of, speech_like


def luma(frame):
    return frame.planes[0].pixels.astype(np.float64)


def test_footage_repeats_with_its_seed_and_differs_without():
    first, again = (list(Footage(seed=1, frames=3)) for _ in range(2))
    other = list(Footage(seed=2, frames=3))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(luma(a), luma(b))
        assert not np.array_equal(luma(a), luma(c))


def test_footage_moves_and_cuts():
    clip = list(Footage(seed=1, frames=50, cuts_s=(1.0,)))
    steps = [np.abs(luma(b) - luma(a)).mean() for a, b in itertools.pairwise(clip)]
    assert min(steps) > 1
    assert int(np.argmax(steps)) == 24
    assert max(steps) > 1.5 * np.median(steps)


def test_frames_are_legal_and_have_their_contrast():
    frame = next(iter(Footage(seed=3, look=Look(mean_code=100, contrast_code=30))))
    assert luma(frame).min() >= 16
    assert luma(frame).max() <= 235
    assert 20 < luma(frame).std() < 40
    assert frame.planes[1].pixels.std() > 5


def test_texture_falls_as_one_over_frequency():
    field = pink_field(np.random.default_rng(1), 256, 256, 1.0)
    power = np.abs(np.fft.fft2(field)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(256) * 256, np.fft.fftfreq(256) * 256))
    low = power[(radius >= 8) & (radius < 10)].mean()
    high = power[(radius >= 64) & (radius < 80)].mean()
    assert low / high == pytest.approx(64, rel=0.4)


def test_a_scene_is_a_function_of_time():
    scene = Scene(5, 64, 48)
    first = scene.frame(0.7)
    scene.frame(3.0)
    for a, b in zip(first, scene.frame(0.7), strict=True):
        np.testing.assert_array_equal(a, b)


def test_speech_has_syllables_and_pauses():
    voice = speech_like(1, 6.0)[:, 0]
    levels = np.sqrt(np.mean(voice[: len(voice) // 960 * 960].reshape(-1, 960) ** 2, axis=1))
    assert (levels > levels.max() * 0.2).mean() > 0.3
    assert 0.05 < (levels < levels.max() * 0.02).mean() < 0.6
    assert levels.min() > 0  # the room is never digital silence
    assert 20 * np.log10(voice.std()) == pytest.approx(-26, abs=1.5)


def test_music_is_stereo_and_unclipped():
    sound = music_like(2, 4.0)
    assert 0.3 < np.corrcoef(sound.T)[0, 1] < 0.98
    assert np.abs(sound).max() < 0.95
    np.testing.assert_array_equal(sound, music_like(2, 4.0))


def test_runs_cover_the_sound():
    sound = room_tone(1, 0.5)
    runs = list(runs_of(sound, 1000, start=50))
    assert runs[0].start == 50
    np.testing.assert_array_equal(np.concatenate([r.data for r in runs]), sound)


@pytest.mark.parametrize("size", [(45, 80), (90, 161), (200, 300), (1, 1)])
def test_resizing_keeps_the_mean_and_straight_slopes(size):
    y, x = np.mgrid[:90, :160]
    slope = (50 + 0.5 * y + 0.3 * x).astype(np.float32)
    small = resize(slope, *size)
    assert small.shape == size
    assert small.mean() == pytest.approx(slope.mean(), abs=1.5)
    np.testing.assert_array_equal(resize(slope, 90, 160), slope)
    if size == (200, 300):
        inner = small[10:-10, 10:-10]
        assert np.abs(np.diff(inner, n=2, axis=1)).max() < 1e-3 + 0.3


def test_shifting_repeats_the_edges():
    plane = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(shift(plane, 1, -2), [[2, 3, 3, 3], [2, 3, 3, 3], [6, 7, 7, 7]])


def test_letters_have_their_size_and_stay_inside():
    assert lettering("AB", 2).shape == (14, 24)
    assert lettering("8", 1).sum() > lettering("1", 1).sum()
    page = np.zeros((20, 30), np.float32)
    write_text(page, "HELLO THERE", top=-3, left=-4, scale=2, code=200)
    assert page.max() == 200


@pytest.mark.parametrize("each", HARD_NEGATIVES, ids=lambda t: t.name)
def test_hard_negatives_repeat_with_their_seed(each):
    if each.frame is not None:
        clip = [frame for frame, _ in zip(each.frames(3), range(12), strict=False)]
        for a, b in zip(clip, each.frames(3), strict=False):
            np.testing.assert_array_equal(luma(a), luma(b))
        assert [f.pts for f in clip] == list(range(12))
    if each.sound is not None:
        sound = each.sound(3)
        np.testing.assert_array_equal(sound, each.sound(3))
        assert np.abs(sound).max() < 1.0
    assert each.silent
    assert hard_negative(each.name) is each


def test_the_night_is_dark_but_not_black():
    clip = list(hard_negative("night_scene").frames(1))[:5]
    assert all(20 < luma(frame).mean() < 45 for frame in clip)


def test_the_fade_never_reaches_black():
    means = [luma(frame).mean() for frame in hard_negative("fade_to_near_black").frames(1)]
    assert 19 < min(means) < 30
    assert max(means) > 90


def test_the_tripod_shot_changes_by_its_grain_alone():
    clip = list(hard_negative("tripod_shot").frames(1))[:10]
    steps = [(luma(b) - luma(a)).std() for a, b in itertools.pairwise(clip)]
    assert all(1.0 < step < 2.0 for step in steps)


def repeats(name, count):
    clip = [frame for frame, _ in zip(hard_negative(name).frames(1), range(count), strict=False)]
    return [np.array_equal(luma(a), luma(b)) for a, b in itertools.pairwise(clip)]


def test_cadences_are_unbroken():
    assert repeats("animation_on_twos", 20) == [i % 2 == 0 for i in range(19)]
    threes = [True, True, False, True, False]
    assert repeats("film_24_in_60", 40) == [threes[i % 5] for i in range(39)]


def test_telecine_weaves_two_of_five():
    clip = [f for f, _ in zip(hard_negative("telecine").frames(1), range(25), strict=False)]

    def combing(frame):
        y = luma(frame)
        between = np.abs(y[1:-1] - (y[:-2] + y[2:]) / 2).mean()
        return between / np.abs(y[2:] - y[:-2]).mean()

    order = np.argsort([combing(f) for f in clip])[::-1]
    assert {int(i) % 5 for i in order[:10]} == {2, 3}
    assert hard_negative("telecine").rate == Fraction(30000, 1001)


def test_flashes_are_rarer_than_three_a_second():
    means = np.array([luma(f).mean() for f in hard_negative("camera_flashes").frames(1)])
    lit = np.flatnonzero(means > np.median(means) + 25)
    assert len(lit) == 5
    assert all(np.sum((lit >= at) & (lit < at + 25)) <= 2 for at in lit)


def test_room_tone_is_heard_all_the_time():
    for name in ("quiet_room", "pause_between_words", "applause"):
        sound = hard_negative(name).sound(1)
        blocks = sound[: len(sound) // 480 * 480].reshape(-1, 480, sound.shape[1])
        levels_db = 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-20)
        assert levels_db.min() > -90
