"""Faults of the whole image found with their ends; mixes and single sources stay silent."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.detectors import load
from defectscope.detectors.spatial_image.meter import StageMeter
from defectscope.engine.contracts import Chunk
from defectscope.errors import InvalidParameterError
from defectscope.findings import DetectorResult, Interval
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.soundscape import music_like, room_tone, runs_of, speech_like

RATE_HZ = 48000
SECONDS = 9.0
Sound = NDArray[np.float32]


def decided(
    sound: Sound, channels: tuple[str, ...] = ("FL", "FR"), rate_hz: int = RATE_HZ
) -> DetectorResult:
    audio = AudioInfo(rate_hz, channels, "stereo", "pcm_s16le")
    stream = StreamInfo("x", "wav", len(sound) / rate_hz, None, audio)
    detector = load("spatial_image")
    analysis = detector.open(stream)
    analysis.push(Chunk(audio=tuple(runs_of(sound, 7001))))
    return detector.decide(analysis.close(), stream)


@cache
def voice_alone() -> Sound:
    return speech_like(1, SECONDS).astype(np.float32)


@cache
def film_sound() -> Sound:
    """A voice in the middle of music and its room."""
    music, room = music_like(1, SECONDS), room_tone(1, SECONDS)
    return (np.repeat(voice_alone(), 2, axis=1) + music * 0.15 + room).astype(np.float32)


def impaired(sound: Sound, span: Interval, **overrides: Any) -> Sound:
    audio = AudioInfo(RATE_HZ, ("FL", "FR"), "stereo", "pcm_s16le")
    stream = StreamInfo("x", "wav", len(sound) / RATE_HZ, None, audio)
    made = simulator("spatial_image")
    plan = made.plan(stream, span, seed=1, overrides=overrides)
    return np.concatenate([run.data for run in made.apply(runs_of(sound), plan, [])])


@pytest.mark.parametrize(("channel", "delay_ms"), [(0, 1.0), (1, 7.3), (1, 38.0)])
def test_a_late_channel_is_named_with_its_delay(channel: int, delay_ms: float) -> None:
    late = impaired(
        film_sound(), Interval(2.4, 6.8), kind="delay", channel=channel, delay_ms=delay_ms
    )
    (found,) = decided(late).findings
    assert found.evidence["kind"] == "delay"
    assert found.evidence["channels"] == [("FL", "FR")[channel]]
    assert found.evidence["delay_ms"] == pytest.approx(delay_ms, abs=0.05)
    assert found.start_s == pytest.approx(2.4, abs=0.5)
    assert found.end_s == pytest.approx(6.8, abs=0.5)


def test_a_narrowed_image_is_found_with_its_ends() -> None:
    rng = np.random.default_rng(5)
    common = rng.normal(0, 0.1, (int(SECONDS * RATE_HZ), 1))
    wide = (common + rng.normal(0, 0.06, (len(common), 2))).astype(np.float32)
    (found,) = decided(impaired(wide, Interval(3.0, 6.0), kind="narrow", share=0.7)).findings
    assert found.evidence["kind"] == "narrow"
    assert found.evidence["narrowing_db"] == pytest.approx(10.5, abs=0.7)
    assert found.evidence["width_deg"] < found.evidence["width_before_deg"] - 10
    assert (found.start_s, found.end_s) == pytest.approx((3.0, 6.0), abs=0.21)


def test_a_leaning_programme_is_one_finding_from_end_to_end() -> None:
    lean = impaired(film_sound(), Interval(0, SECONDS), kind="lean", channel=0, gain_db=-6.0)
    (found,) = decided(lean).findings
    assert found.evidence["kind"] == "lean"
    assert found.evidence["channels"] == ["FR"]
    assert found.evidence["level_difference_db"] == pytest.approx(6.0, abs=0.6)
    assert found.evidence["lean_deg"] < -3
    assert (found.start_s, found.end_s) == pytest.approx((0, SECONDS), abs=0.3)


def test_the_image_is_measured() -> None:
    voice = np.repeat(voice_alone()[: 4 * RATE_HZ], 2, axis=1)
    one = decided(voice).curves
    noise = np.random.default_rng(1).normal(0, 0.1, (4 * RATE_HZ, 2)).astype(np.float32)
    other = decided(noise).curves

    def middle(curves: Any, name: str) -> float:
        return float(np.median(curves[name].max))

    assert middle(one, "width_deg") < 1 < 50 < middle(other, "width_deg")
    assert middle(one, "coherence") > 0.99 > 0.2 > middle(other, "coherence")
    assert middle(one, "phantom_centre") > 0.99 > 0.2 > middle(other, "phantom_centre")
    assert middle(one, "direct_to_ambient_db") == pytest.approx(30, abs=0.5)


def test_sources_that_differ_and_silence_stay_silent() -> None:
    """Two talkers with delays of their own, a panned one, and nothing at all."""
    one = voice_alone()[:, 0]
    other = one[::-1]
    spaced = np.stack([one + np.roll(other, 60), np.roll(one, 60) + other], axis=1)
    for sound in (spaced, np.stack([one, np.zeros_like(one)], axis=1), np.zeros((RATE_HZ * 9, 2))):
        assert decided(sound.astype(np.float32)).verdict == "pass"


def test_layouts_rates_and_hostile_samples() -> None:
    sound = film_sound()
    assert decided(sound[:, :1], ("FC",)).verdict == "not_applicable"
    assert decided(sound[:4000]).verdict == "inconclusive"
    bad = sound.copy()
    bad[1000:2000] = np.nan
    assert decided(bad).verdict == "pass"
    for rate_hz in (8_000, 11_025, 192_000):
        assert decided(sound[: rate_hz * 2], rate_hz=rate_hz).verdict == "pass"
    with pytest.raises(InvalidParameterError, match="min_delay_s"):
        load("spatial_image", {"min_delay_s": 0.1})


def test_runs_may_be_cut_anywhere() -> None:
    """Gaps restart the grid, and no block is measured twice or from two sides of one."""
    sound = film_sound()[: 3 * RATE_HZ]
    whole, cut = StageMeter(RATE_HZ, (0, 1)), StageMeter(RATE_HZ, (0, 1))
    whole.push(0, sound)
    position = 0
    for length in (1, 9_599, 9_601, 50_000, 17, 10**6):
        cut.push(position, sound[position : position + length])
        position += length
    assert cut.rows == whole.rows
    gap = StageMeter(RATE_HZ, (0, 1))
    gap.push(0, sound[:20_000])
    gap.push(30_000, sound[30_000:])
    assert [number for number, _ in gap.rows] == [0, 1, *range(4, 15)]
