"""The signals of EBU Tech 3341 and Tech 3342, synthesised, against what the documents expect."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.detectors.loudness import gating
from defectscope.detectors.loudness.meter import Meter

RATE_HZ = 48000
Sound = NDArray[np.float32]
STEREO = ("FL", "FR")
FIVE_ONE = ("FL", "FR", "FC", "LFE", "BL", "BR")


def sine(level_dbfs: float, duration_s: float, hz: float = 1000.0, *, channels: int = 2) -> Sound:
    """A sine of a peak level, the same on every channel."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tone = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * time_s)
    return np.repeat(tone[:, None], channels, axis=1).astype(np.float32)


def steps(*parts: tuple[float, float]) -> Sound:
    return np.concatenate([sine(level, duration) for level, duration in parts])


def measured(sound: Sound, channels: tuple[str, ...] = STEREO) -> tuple[Sound, Sound]:
    """Energy and true peak per 100 ms, pushed in runs of an awkward length."""
    meter = Meter(RATE_HZ, channels)
    for first in range(0, len(sound), 7001):
        meter.push(first, sound[first : first + 7001])
    _, energy, _, _, true_peak = zip(*meter.rows, strict=True)
    return np.array(energy), np.array(true_peak)


@pytest.mark.parametrize("rate_hz", [192_000, 384_000])
def test_high_rates_have_their_sample_peak_as_true_peak(rate_hz: int) -> None:
    time_s = np.arange(rate_hz) / rate_hz
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32)[:, None]
    meter = Meter(rate_hz, ("FC",))
    meter.push(0, tone)
    _, energy, _, sample_peak, true_peak = zip(*meter.rows, strict=True)
    assert true_peak == sample_peak
    assert max(true_peak) == pytest.approx(0.5, abs=1e-4)
    # Its loudness is that of the same tone at 48 kHz.
    slow = Meter(48_000, ("FC",))
    slow.push(0, tone[:: rate_hz // 48_000])
    assert np.mean(energy[4:]) == pytest.approx(np.mean([r[1] for r in slow.rows[4:]]), rel=0.01)


def programme_lufs(sound: Sound, channels: tuple[str, ...] = STEREO) -> float:
    energy, _ = measured(sound, channels)
    return gating.integrated(gating.momentary(energy))


# Source: EBU Tech 3341 (2023), table 1, cases 1 to 5: steps of level (dBFS) and duration (s), and
# the expected integrated loudness, +-0.1 LU.
INTEGRATED = {
    1: (((-23.0, 20.0),), -23.0),
    2: (((-33.0, 20.0),), -33.0),
    3: (((-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)), -23.0),
    4: (
        ((-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)),
        -23.0,
    ),
    5: (((-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)), -23.0),
}


@pytest.mark.parametrize("case", INTEGRATED)
def test_integrated_loudness(case: int) -> None:
    parts, expected = INTEGRATED[case]
    assert programme_lufs(steps(*parts)) == pytest.approx(expected, abs=0.1)


def test_integrated_loudness_of_five_channels() -> None:
    # Case 6: 5.0 at -28 (fronts), -24 (centre), -30 (surrounds) reads -23.
    tones = {"FL": -28.0, "FR": -28.0, "FC": -24.0, "LFE": -10.0, "BL": -30.0, "BR": -30.0}
    sound = np.concatenate([sine(tones[c], 20.0, channels=1) for c in FIVE_ONE], axis=1)
    # The LFE channel is loud on purpose: it must not count.
    assert programme_lufs(sound, FIVE_ONE) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("case", [1, 2])
def test_short_term_and_momentary_of_a_steady_tone(case: int) -> None:
    parts, expected = INTEGRATED[case]
    energy, _ = measured(steps(*parts))
    assert np.allclose(gating.lufs(gating.momentary(energy)), expected, atol=0.1)
    assert np.allclose(gating.lufs(gating.short_term(energy)), expected, atol=0.1)


def test_short_term_loudness_of_alternating_tones() -> None:
    # Case 9: 1.34 s at -20 and 1.66 s at -30, five times: S is -23 from 3 s on.
    sound = steps(*((-20.0, 1.34), (-30.0, 1.66)) * 5)
    energy, _ = measured(sound)
    # Our windows lie on a 100 ms grid, the tones on one of 20 ms: 0.2 s of slack at the seam.
    assert np.allclose(gating.lufs(gating.short_term(energy)), -23.0, atol=0.1)


def test_momentary_loudness_of_alternating_tones() -> None:
    # Case 12: 0.18 s at -20 and 0.22 s at -30, 25 times: M is -23 from 1 s on.
    sound = steps(*((-20.0, 0.18), (-30.0, 0.22)) * 25)
    energy, _ = measured(sound)
    assert np.allclose(gating.lufs(gating.momentary(energy))[6:], -23.0, atol=0.1)


@pytest.mark.parametrize("case", range(20))
def test_maximum_short_term_loudness(case: int) -> None:
    # Case 10: 3 s at -23 after a silence of case * 0.15 s: max S is -23.
    silence = np.zeros((round(0.15 * case * RATE_HZ), 2), np.float32)
    sound = np.concatenate([silence, sine(-23.0, 3.0), np.zeros((RATE_HZ, 2), np.float32)])
    energy, _ = measured(sound)
    # A silence of half a block leaves the tone off the grid: one block of 30 is half full.
    assert gating.lufs(gating.short_term(energy)).max() == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("case", range(20))
def test_maximum_momentary_loudness(case: int) -> None:
    # Case 13: 0.4 s at -23 after a silence of case * 20 ms: max M is -23.
    silence = np.zeros((round(0.02 * case * RATE_HZ), 2), np.float32)
    sound = np.concatenate([silence, sine(-23.0, 0.4), np.zeros((RATE_HZ, 2), np.float32)])
    meter = Meter(RATE_HZ, STEREO)
    meter.push(0, sound)
    highest = np.array([row[2] for row in meter.rows])
    assert gating.lufs(highest).max() == pytest.approx(-23.0, abs=0.1)


# Source: EBU Tech 3341, cases 15 to 19: tones whose samples miss the crest; +0.2 / -0.4 dB.
@pytest.mark.parametrize(
    ("divisor", "phase_deg", "level", "expected_dbtp"),
    [
        (4, 0.0, 0.50, -6.0),
        (4, 45.0, 0.50, -6.0),
        (6, 60.0, 0.50, -6.0),
        (8, 67.5, 0.50, -6.0),
        (4, 45.0, 1.41, 3.0),
    ],
)
def test_true_peak(divisor: int, phase_deg: float, level: float, expected_dbtp: float) -> None:
    rotations = np.arange(RATE_HZ) / divisor + phase_deg / 360
    tone = level * np.sin(2 * np.pi * rotations)
    fade = np.minimum(1.0, np.minimum(np.arange(RATE_HZ), np.arange(RATE_HZ)[::-1]) / 480)
    sound = np.repeat((tone * fade)[:, None], 2, axis=1).astype(np.float32)
    _, true_peak = measured(sound)
    found_dbtp = 20 * np.log10(true_peak.max())
    assert expected_dbtp - 0.4 <= found_dbtp <= expected_dbtp + 0.2


# Source: EBU Tech 3342 (2023), table 1, cases 1 to 4: expected loudness range, +-1 LU.
RANGE = {
    1: (((-20.0, 20.0), (-30.0, 20.0)), 10.0),
    2: (((-20.0, 20.0), (-15.0, 20.0)), 5.0),
    3: (((-40.0, 20.0), (-20.0, 20.0)), 20.0),
    4: (((-50.0, 20.0), (-35.0, 20.0), (-20.0, 20.0), (-35.0, 20.0), (-50.0, 20.0)), 15.0),
}


@pytest.mark.parametrize("case", RANGE)
def test_loudness_range(case: int) -> None:
    parts, expected = RANGE[case]
    energy, _ = measured(steps(*parts))
    found = gating.loudness_range(gating.short_term(energy))
    assert found == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("rate_hz", [22050, 32000, 44100, 96000])
def test_the_filter_is_the_same_at_other_rates(rate_hz: int) -> None:
    time_s = np.arange(5 * rate_hz) / rate_hz
    tone = 10 ** (-23.0 / 20) * np.sin(2 * np.pi * 1000 * time_s)
    sound = np.repeat(tone[:, None], 2, axis=1).astype(np.float32)
    meter = Meter(rate_hz, STEREO)
    meter.push(0, sound)
    energy = np.array([row[1] for row in meter.rows])
    assert gating.integrated(gating.momentary(energy)) == pytest.approx(-23.0, abs=0.1)


def test_silence_and_broken_samples_do_no_harm() -> None:
    sound = np.zeros((RATE_HZ * 2, 2), np.float32)
    assert programme_lufs(sound) == gating.SILENCE_LUFS
    sound[100] = np.nan
    sound[200] = np.inf
    energy, true_peak = measured(sound)
    assert np.isfinite(energy).all()
    assert np.isfinite(true_peak).all()
