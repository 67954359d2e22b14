"""Causes of no name: each damages, at its level, where it says."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.findings import Interval
from defectscope.training.audio_artifacts import ways
from defectscope.training.audio_artifacts.clips import by_chance

RATE_HZ = 32000
_RNG = np.random.default_rng(4)
_ENVELOPE = 0.15 + 0.1 * np.sin(2 * np.pi * 3 * np.arange(2 * RATE_HZ) / RATE_HZ)
SOUND = np.convolve(_RNG.standard_normal(2 * RATE_HZ), np.ones(9) / 9, "same") * _ENVELOPE
NAMED = [(defect, family) for defect, own in ways.WAYS.items() for family in own]
MORE = [(defect, family) for defect, own in ways.MORE.items() for family in own]


def _made(defect: str, family: str, level: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Returns what chance makes of the sound by one family."""
    more = (defect, family) in MORE
    named, families = (MORE, ways.MORE) if more else (NAMED, ways.WAYS)
    rng = np.random.default_rng([level, named.index((defect, family))])
    only = {defect: {family: families[defect][family]}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ways, "WAYS", {defect: {}} if more else only)
        patch.setattr(ways, "MORE", only if more else {defect: {}})
        made = ways.make(defect, SOUND, RATE_HZ, level, rng, more=more)
    assert made.family == family
    return made.sound, made.spans


@pytest.mark.parametrize(("defect", "family"), NAMED)
def test_a_way_damages_more_at_a_higher_level_and_only_where_it_says(
    defect: str, family: str
) -> None:
    lost_db: list[float] = []
    for level in (1, 5):
        sound, spans = _made(defect, family, level)
        assert np.isfinite(sound).all()
        assert len(sound) == len(SOUND)
        gain = float(np.dot(SOUND, sound) / np.dot(SOUND, SOUND))
        apart = sound - gain * SOUND
        lost_db.append(10 * np.log10(np.mean(apart**2) / np.mean(SOUND**2) + 1e-12))
        if defect == "audio_clicks" and family != "jumped":
            outside = np.ones(len(sound), bool)
            for first, last in spans:
                outside[first:last] = False
            assert np.array_equal(sound[outside], SOUND[outside])
        elif defect != "audio_clicks":
            assert spans == [(0, len(SOUND))]
    assert lost_db[1] > lost_db[0] + 3
    if defect == "audio_distortion":
        # From 22 dB to 7.5 dB under the signal, within 1.5 dB and what the search leaves.
        assert lost_db[1] == pytest.approx(-7.5, abs=4.0)


@pytest.mark.parametrize(("defect", "family"), MORE)
def test_a_way_for_training_alone_damages_more_at_a_higher_level(defect: str, family: str) -> None:
    lost_db: list[float] = []
    for level in (1, 5):
        sound, spans = _made(defect, family, level)
        assert np.isfinite(sound).all()
        assert len(sound) == len(SOUND)
        assert all(0 <= first < last <= len(sound) for first, last in spans)
        if family != "starved":
            outside = np.ones(len(sound), bool)
            for first, last in spans:
                outside[first:last] = False
            assert np.abs(sound[outside] - SOUND[outside]).max(initial=0) < 0.02
        gain = float(np.dot(SOUND, sound) / np.dot(SOUND, SOUND))
        lost = np.mean((sound - gain * SOUND) ** 2) / np.mean(SOUND**2)
        lost_db.append(10 * np.log10(lost + 1e-12))
    # A starved coder has a floor: what it leaves out.
    assert lost_db[1] > lost_db[0] + (0 if family == "starved" else 3)


def test_held_out_clips_are_drawn_without_them() -> None:
    drawn = {
        ways.make(defect, SOUND, RATE_HZ, 3, np.random.default_rng([seed, place])).family
        for place, defect in enumerate(ways.WAYS)
        for seed in range(12)
    }
    assert not drawn & {family for _, family in MORE}


def test_silence_cannot_be_distorted() -> None:
    silence = np.zeros(RATE_HZ)
    made = ways.make("audio_distortion", silence, RATE_HZ, 5, np.random.default_rng(1))
    assert not made.spans
    assert not made.sound.any()


def test_chance_leaves_the_rest_of_the_programme_as_it_is() -> None:
    span = Interval(0.5, 1.25)
    out, damage, residual = by_chance(
        SOUND.astype(np.float32), RATE_HZ, "audio_hiss", span, 4, np.random.default_rng(2)
    )
    inside = slice(RATE_HZ // 2, RATE_HZ * 5 // 4)
    outside = np.ones(len(out), bool)
    outside[inside] = False
    assert np.array_equal(out[outside], SOUND.astype(np.float32)[outside])
    assert float(np.abs(residual[outside]).max()) == 0
    assert float(np.sqrt(np.mean(residual[inside] ** 2))) > 0.01
    assert damage.spans_s == ((0.5, 1.25),)
