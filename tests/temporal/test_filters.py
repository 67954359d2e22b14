"""NumPy's filters against SciPy's."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import signal

from defectscope.detectors.loudness.meter import k_weighting
from defectscope.temporal import sections as sections_module
from defectscope.temporal.filters import Biquads, low_pass, resampled


@pytest.mark.parametrize(
    ("taps", "cutoff", "beta"), [(61, 1 / 3, 5.0), (48, 0.25, 5.0), (9, 0.9, 0.0)]
)
def test_a_low_pass_is_that_of_scipy(taps, cutoff, beta):
    wanted = signal.firwin(taps, cutoff, window=("kaiser", beta))
    np.testing.assert_allclose(low_pass(taps, cutoff, beta), wanted, atol=1e-12)


@pytest.mark.parametrize("rate_hz", [48000, 32000, 44100, 16000, 8000, 96000])
def test_sound_is_resampled_as_by_scipy(rate_hz):
    sound = np.random.default_rng(1).standard_normal(rate_hz // 4 + 7).astype(np.float32)
    common = np.gcd(rate_hz, 16000)
    wanted = signal.resample_poly(sound, 16000 // common, rate_hz // common)
    found = resampled(sound, rate_hz, 16000)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=2e-6)


@pytest.mark.parametrize("rate_hz", [48000, 44100, 8000])
def test_sections_filter_as_by_scipy_however_the_sound_comes(rate_hz, monkeypatch):
    sound = np.random.default_rng(2).standard_normal((3 * rate_hz, 2)) + 0.5
    sections = k_weighting(rate_hz)
    wanted = signal.sosfilt(sections, sound, axis=0)
    biquads = Biquads(sections, 2)
    edges = [0, 1, 33, 33 + 31, 5000, 5003, len(sound)]
    found = np.concatenate([biquads(sound[a:b]) for a, b in pairwise(edges)])
    np.testing.assert_array_equal(found, wanted)
    # The compiled recursion is there, and the public one gives the same.
    assert sections_module._recursion() is not sections_module.public_recursion
    monkeypatch.setattr(sections_module, "_recursion", lambda: sections_module.public_recursion)
    again = Biquads(sections, 2)
    found = np.concatenate([again(sound[a:b]) for a, b in pairwise(edges)])
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("wrong", [lambda *_: None, lambda *_: 1 / 0, None])
def test_a_recursion_that_is_not_what_it_was_is_not_used(monkeypatch, wrong):
    def compiled(_folder):
        if wrong is None:
            raise ImportError
        return wrong

    monkeypatch.setattr(sections_module, "_compiled", compiled)
    sections_module._recursion.cache_clear()
    try:
        assert sections_module._recursion() is sections_module.public_recursion
    finally:
        sections_module._recursion.cache_clear()


def test_silence_after_sound_leaves_no_state():
    biquads = Biquads(k_weighting(48000), 1)
    biquads(np.random.default_rng(3).standard_normal((4800, 1)))
    for _ in range(100):
        biquads(np.zeros((4800, 1)))
    assert not biquads._state.any()
