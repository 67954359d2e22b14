"""Each simulator of sound makes the defect it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.simulate.effects.arrays import impair_samples
from defectscope.simulate.effects.sound import ramp
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.soundscape import music_like, speech_like

RATE_HZ = 48000
SPAN = Interval(0.5, 1.5)
INSIDE = slice(RATE_HZ * 6 // 10, RATE_HZ * 14 // 10)


@pytest.fixture(scope="module")
def sound():
    return music_like(4, 2.0, RATE_HZ)


def impair(name, sound, severity=3.0, seed=1, span=SPAN, **settings):
    return impair_samples(
        simulator(name), sound, RATE_HZ, span=span, seed=seed, severity=severity, overrides=settings
    )


def rms(block):
    return float(np.sqrt(np.mean(np.square(block))))


def test_a_hard_dropout_is_digital_silence_to_the_sample(sound):
    out, [entry] = impair("audio_dropout", sound, channel=-1, depth_db=200, ramp_ms=0)
    assert (out[24000:72000] == 0).all()
    assert (entry.start_s, entry.end_s) == (0.5, 1.5)
    assert entry.parameters["channel_name"] == "all"


def test_one_channel_drops_out_alone(sound):
    out, [entry] = impair("audio_dropout", sound, channel=1, depth_db=60, ramp_ms=0)
    np.testing.assert_array_equal(out[:, 0], sound[:, 0])
    assert rms(out[INSIDE, 1]) / rms(sound[INSIDE, 1]) == pytest.approx(1e-3, rel=0.01)
    assert entry.parameters["channel_name"] == "FR"


def test_ramps_lie_inside_and_truth_lies_at_half_of_them(sound):
    out, [entry] = impair("audio_dropout", sound, channel=-1, depth_db=200, ramp_ms=100)
    assert entry.start_s == pytest.approx(0.55)
    assert entry.end_s == pytest.approx(1.45)
    at = round(entry.start_s * RATE_HZ)
    gain = out[at - 20 : at + 20] / np.where(
        sound[at - 20 : at + 20] == 0, 1, sound[at - 20 : at + 20]
    )
    assert np.median(gain) == pytest.approx(0.5, abs=0.02)


def test_a_channel_that_is_not_there_is_refused(sound):
    with pytest.raises(InvalidParameterError, match="channel 5 of 2"):
        impair("audio_dropout", sound, channel=5)


@pytest.mark.parametrize("gain_db", [-9.0, 6.0])
def test_level_changes_by_the_gain(gain_db, sound):
    soft = sound * np.float32(0.1)
    out, _ = impair("loudness", soft, gain_db=gain_db)
    change_db = 20 * np.log10(rms(out[INSIDE]) / rms(soft[INSIDE]))
    assert change_db == pytest.approx(gain_db, abs=0.05)


def test_loud_results_stay_under_the_limit_without_clipping(sound):
    out, _ = impair("loudness", sound, gain_db=12, limit_dbfs=-3)
    limit = 10 ** (-3 / 20)
    assert np.abs(out).max() <= max(limit, np.abs(sound).max()) + 1e-6
    inside = np.abs(out[INSIDE])
    assert (inside > limit * 0.9).mean() > 0.01
    # No flat tops: runs of one value would be clipping.
    assert (np.diff(out[INSIDE][:, 0]) == 0).mean() < 0.001


@pytest.mark.parametrize("over_db", [0.5, 2.0])
def test_true_peaks_lie_between_the_samples(over_db, sound):
    soft = sound * np.float32(0.3)
    out, _ = impair("true_peak", soft, over_db=over_db)
    assert np.abs(out).max() < 1.0
    fine = signal.resample_poly(out[INSIDE].astype(np.float64), 16, 1, axis=0)
    peak_db = 20 * np.log10(np.abs(fine).max())
    assert peak_db == pytest.approx(over_db, abs=0.35)


def test_an_inverted_channel_correlates_negatively():
    voice = np.repeat(speech_like(2, 2.0, RATE_HZ), 2, axis=1)
    out, _ = impair("phase_inversion", voice, severity=5, channel=0)
    assert np.corrcoef(out[INSIDE].T)[0, 1] == pytest.approx(-1, abs=1e-6)
    assert rms(out[INSIDE].sum(axis=1)) < 1e-6


def test_a_collapse_leaves_no_difference(sound):
    out, _ = impair("mono_collapse", sound, depth=1)
    assert rms(out[INSIDE, 0] - out[INSIDE, 1]) < 1e-7
    assert rms(out[INSIDE].sum(axis=1)) == pytest.approx(rms(sound[INSIDE].sum(axis=1)), rel=1e-4)


def test_imbalance_and_loss_hit_their_channel(sound):
    out, _ = impair("channel_imbalance", sound, channel=0, gain_db=-12)
    assert 20 * np.log10(rms(out[INSIDE, 0]) / rms(sound[INSIDE, 0])) == pytest.approx(
        -12, abs=0.01
    )
    np.testing.assert_array_equal(out[:, 1], sound[:, 1])
    gone, _ = impair("channel_missing", sound, channel=1, residue_db=-200)
    assert (gone[INSIDE, 1] == 0).all()


@pytest.mark.parametrize(
    "name", ["phase_inversion", "mono_collapse", "channel_imbalance", "channel_missing"]
)
def test_mono_has_no_stereo_image_to_damage(name):
    mono = speech_like(1, 2.0, RATE_HZ)
    with pytest.raises(InvalidParameterError, match="two channels"):
        impair(name, mono)


def test_faults_of_the_image_do_not_click(sound):
    steady = np.full((2 * RATE_HZ, 2), 0.25, np.float32)
    for name in ("phase_inversion", "channel_missing", "channel_imbalance"):
        out, _ = impair(name, steady, severity=5)
        assert np.abs(np.diff(out, axis=0)).max() < 0.01


def test_ramps_do_not_depend_on_where_they_are_asked_for():
    whole = ramp(0, 1000, 1000, 100, 200)
    parts = [ramp(at, 125, 1000, 100, 200) for at in range(0, 1000, 125)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole[99] > 0.99
    assert whole[0] < 0.01
    assert whole[-1] < 0.01
