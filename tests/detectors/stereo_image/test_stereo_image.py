"""Faults of the stereo image found with their ends, and silence on what only looks like them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.detectors import load
from defectscope.detectors.stereo_image.image import sharpest, steps
from defectscope.detectors.stereo_image.meter import ImageMeter, band_sums, pairs_of
from defectscope.detectors.stereo_image.reversals import laid_out
from defectscope.engine.contracts import Chunk
from defectscope.findings import DetectorResult, Interval
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.hard_negatives import HARD_NEGATIVES
from defectscope.simulate.synthetic.soundscape import music_like, room_tone, runs_of, speech_like

RATE_HZ = 48000
Sound = NDArray[np.float32]
FIVE_ONE = ("FL", "FR", "FC", "LFE", "BL", "BR")


def stream_of(sound: Sound, channels: tuple[str, ...] = ("FL", "FR")) -> StreamInfo:
    layout = "stereo" if len(channels) == 2 else "5.1"
    audio = AudioInfo(RATE_HZ, channels, layout, "pcm_s16le")
    return StreamInfo("x", "wav", len(sound) / RATE_HZ, None, audio)


def decided(sound: Sound, channels: tuple[str, ...] = ("FL", "FR")) -> DetectorResult:
    stream = stream_of(sound, channels)
    detector = load("stereo_image")
    analysis = detector.open(stream)
    analysis.push(Chunk(audio=tuple(runs_of(sound, 7001))))
    return detector.decide(analysis.close(), stream)


@cache
def film_sound(seed: int) -> Sound:
    """A voice in the middle of music and its room."""
    voice = np.repeat(speech_like(seed, 8.0), 2, axis=1)
    return (voice + music_like(seed, 8.0) * 0.15 + room_tone(seed, 8.0)).astype(np.float32)


def impaired(name: str, sound: Sound, severity: float, seed: int) -> Sound:
    stream = stream_of(sound)
    made = simulator(name)
    plan = made.plan(stream, Interval(2.5, 5.2), seed=seed, severity=severity)
    return np.concatenate([run.data for run in made.apply(runs_of(sound), plan, [])])


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("phase_inversion", 1.0),
        ("phase_inversion", 3.0),
        ("channel_missing", 3.0),
        ("channel_missing", 5.0),
        ("mono_collapse", 3.0),
        ("mono_collapse", 5.0),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fault_is_found_once_with_its_ends(name: str, severity: float, seed: int) -> None:
    (finding,) = decided(impaired(name, film_sound(seed), severity, seed)).findings
    assert finding.defect == name
    assert finding.start_s == pytest.approx(2.5, abs=0.06)
    assert finding.end_s == pytest.approx(5.2, abs=0.06)


def test_a_channel_turned_down_is_named() -> None:
    rng = np.random.default_rng(5)
    shared = rng.standard_normal((8 * RATE_HZ, 1)) * 0.08
    sound = (shared + rng.standard_normal((8 * RATE_HZ, 2)) * 0.05).astype(np.float32)
    sound[3 * RATE_HZ : 5 * RATE_HZ, 1] *= 10 ** (-8 / 20)
    (finding,) = decided(sound).findings
    assert finding.defect == "channel_imbalance"
    assert finding.evidence["channels"] == ["FR"]
    assert finding.evidence["level_difference_db"] == pytest.approx(8.0, abs=1.0)
    assert (finding.start_s, finding.end_s) == (
        pytest.approx(3.0, abs=0.06),
        pytest.approx(5.0, abs=0.06),
    )
    assert finding.severity == "major"


NEGATIVES = [each for each in HARD_NEGATIVES if each.sound]


@pytest.mark.parametrize("hard_negative", NEGATIVES, ids=lambda each: each.name)
def test_hard_negatives_stay_silent(hard_negative) -> None:
    assert hard_negative.sound is not None
    assert decided(hard_negative.sound(3)).findings == ()


def test_two_tracks_of_one_sound_lose_no_image_when_their_noise_ends() -> None:
    mono = np.repeat(music_like(6, 8.0)[:, :1], 2, axis=1).astype(np.float32)
    noise = np.random.default_rng(7).standard_normal(mono.shape) * mono.std() * 10 ** (-30 / 20)
    noise[4 * RATE_HZ :] = 0
    assert decided((mono + noise).astype(np.float32)).findings == ()


@pytest.mark.parametrize(
    ("wide_from_s", "wide_to_s", "collapses"),
    [
        # Noise or a jingle for a while: the programme itself is made in mono.
        (2.0, 4.0, []),
        (3.0, 6.5, []),
        # Wide for most of it, to its beginning, or to its end: there was an image to lose.
        (1.5, 6.5, [(0.0, 1.5), (6.5, 8.0)]),
        (2.0, 8.0, [(0.0, 2.0)]),
        (0.0, 3.0, [(3.0, 8.0)]),
    ],
)
def test_a_mono_programme_with_wide_inserts_has_not_collapsed(
    wide_from_s: float, wide_to_s: float, collapses: list[tuple[float, float]]
) -> None:
    sound = np.repeat(music_like(6, 8.0)[:, :1], 2, axis=1)
    wide = slice(round(wide_from_s * RATE_HZ), round(wide_to_s * RATE_HZ))
    noise = np.random.default_rng(7).standard_normal(sound.shape) * sound.std() * 10 ** (-12 / 20)
    sound[wide] += noise[wide].astype(np.float32)
    found = [f for f in decided(sound).findings if f.defect == "mono_collapse"]
    assert len(found) == len(collapses)
    for finding, (start_s, end_s) in zip(found, collapses, strict=True):
        assert finding.start_s == pytest.approx(start_s, abs=0.05)
        assert finding.end_s == pytest.approx(end_s, abs=0.05)


def test_mono_in_two_channels_is_no_defect_and_a_whole_inversion_is() -> None:
    mono = np.repeat(speech_like(6, 6.0), 2, axis=1)
    assert decided(mono).findings == ()
    (finding,) = decided(mono * np.array([1, -1], np.float32)).findings
    assert (finding.defect, finding.start_s) == ("phase_inversion", 0.0)
    assert finding.end_s == pytest.approx(6.0, abs=0.02)
    assert finding.severity == "critical"
    assert finding.evidence["correlation"] == pytest.approx(-1.0, abs=0.02)


def loosely_related(share: float, length_s: float) -> Sound:
    """Noise of two sides that have so much of their power in common, in every band."""
    rng = np.random.default_rng(11)
    common, left, right = rng.standard_normal((3, round(length_s * RATE_HZ)))
    own = np.sqrt(1 - share)
    sides = [np.sqrt(share) * common + own * side for side in (left, right)]
    return (0.1 * np.stack(sides, axis=1)).astype(np.float32)


@pytest.mark.parametrize(("share", "length_s", "found"), [(0.4, 8, 1), (0.1, 8, 0), (0.4, 3, 0)])
def test_sides_with_little_in_common_are_inverted_throughout_if_all_bands_are(
    share: float, length_s: float, found: int
) -> None:
    sound = loosely_related(share, length_s)
    assert decided(sound).findings == ()
    findings = decided(sound * np.array([1, -1], np.float32)).findings
    assert [each.defect for each in findings] == ["phase_inversion"] * found


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bass_that_opposes_itself_tells_of_effects_that_do_not(sign: int) -> None:
    rng = np.random.default_rng(13)
    bass = np.repeat(rng.standard_normal((RATE_HZ * 8 // 256, 1)), 256, axis=0)
    sound = loosely_related(0.0, 8.0)
    sound[: len(bass)] += (0.15 * bass * np.array([1, sign])).astype(np.float32)
    found = [each.defect for each in decided(sound).findings]
    assert found == (["phase_inversion"] if sign < 0 else [])


def test_a_bass_in_phase_under_opposed_effects_is_no_inversion() -> None:
    rng = np.random.default_rng(12)
    wide = loosely_related(0.8, 8.0) * np.array([1, -1], np.float32)
    bass = np.repeat(rng.standard_normal((len(wide) // 256, 1)), 256, axis=0) * 0.04
    wide[: len(bass)] += bass.astype(np.float32)
    assert decided(wide).findings == ()


def test_a_channel_that_never_was_is_missing() -> None:
    sound = film_sound(1).copy()
    sound[:, 0] = 0
    (finding,) = decided(sound).findings
    assert (finding.defect, finding.evidence["channels"]) == ("channel_missing", ["FL"])
    assert (finding.start_s, finding.end_s) == (0.0, pytest.approx(8.0, abs=0.02))


def unplugged(noise_rms: float) -> Sound:
    """A programme in mono that is soft for a while; its right channel is an open input."""
    sound = np.repeat(music_like(6, 8.0)[:, :1], 2, axis=1).astype(np.float32)
    sound *= 0.1 / sound.std()
    at_s = np.arange(len(sound)) / RATE_HZ
    dip = np.clip(1.5 - np.abs(at_s - 3.5) / 0.6, 0, 1)
    sound *= (1 - 0.9 * dip).astype(np.float32)[:, None]
    first, last = round(2.5 * RATE_HZ), round(5.2 * RATE_HZ)
    noise = np.random.default_rng(3).normal(0, noise_rms, last - first)
    sound[first:last, 1] = noise.astype(np.float32)
    return sound


def test_an_unplugged_channel_is_missing_while_its_partner_is_soft() -> None:
    (finding,) = decided(unplugged(2.5e-4)).findings
    assert (finding.defect, finding.evidence["channels"]) == ("channel_missing", ["FR"])
    assert (finding.start_s, finding.end_s) == pytest.approx((2.5, 5.2), abs=0.06)


def test_one_channel_alone_is_no_width_that_a_mono_programme_lost() -> None:
    # An open input that hums is louder than what counts as missing.
    found = decided(unplugged(2.5e-3)).findings
    assert "mono_collapse" not in {f.defect for f in found}


def test_sources_to_one_side_are_no_defect() -> None:
    # Left alone, then right alone: neither channel falls while the other stands.
    sound = np.zeros((8 * RATE_HZ, 2), np.float32) + room_tone(1, 8.0)
    voice = speech_like(8, 8.0)[:, 0]
    sound[: 4 * RATE_HZ, 0] += voice[: 4 * RATE_HZ]
    sound[4 * RATE_HZ :, 1] += voice[4 * RATE_HZ :]
    assert decided(sound).findings == ()


def test_surround_pairs_are_analyzed_and_quiet_effects_are_not() -> None:
    sound = np.zeros((8 * RATE_HZ, 6), np.float32)
    sound[:, :2] = film_sound(1)
    sound[:, 2] = speech_like(3, 8.0)[:, 0]
    sound[:, 4:] = music_like(2, 8.0) * 0.5
    assert decided(sound, FIVE_ONE).findings == ()
    sound[3 * RATE_HZ : 6 * RATE_HZ, 5] = 0
    (finding,) = decided(sound, FIVE_ONE).findings
    assert (finding.defect, finding.evidence["channels"]) == ("channel_missing", ["BR"])
    assert finding.start_s == pytest.approx(3.0, abs=0.04)


def test_surround_is_held_to_its_layout() -> None:
    sound = np.zeros((8 * RATE_HZ, 6), np.float32)
    sound[:, :2] = film_sound(1)
    (finding,) = decided(sound, FIVE_ONE).findings
    assert (finding.defect, finding.evidence["kind"]) == ("channel_missing", "silent")
    assert finding.evidence["channels"] == ["FC"]
    # A rumble is what effects are for; a voice there stands in for the centre.
    sound[:, 2] = speech_like(3, 8.0)[:, 0]
    rumble = np.sin(2 * np.pi * 60 * np.arange(len(sound)) / RATE_HZ)
    sound[:, 3] = 0.2 * rumble
    assert decided(sound, FIVE_ONE).findings == ()
    sound[:, 3] = sound[:, 2]
    (finding,) = decided(sound, FIVE_ONE).findings
    assert (finding.evidence["channels"], finding.evidence["kind"]) == (["LFE"], "full_band")


def test_one_channel_has_no_image() -> None:
    assert decided(speech_like(1, 1.0), ("FC",)).verdict == "not_applicable"


def test_silence_and_wild_samples_are_measured_without_complaint() -> None:
    sound = film_sound(2)[: 2 * RATE_HZ].copy()
    sound[100:200, 0] = np.nan
    sound[300, 1] = np.inf
    assert decided(sound).verdict in ("pass", "fail")
    assert decided(np.zeros((RATE_HZ, 2), np.float32)).findings == ()


def test_curves_tell_wide_from_mono_and_centre_from_sides() -> None:
    mono = np.repeat(speech_like(6, 3.0), 2, axis=1)
    curves = decided(mono).curves
    assert float(np.median(curves["width_db"].max)) == -60
    assert float(np.median(curves["phantom_centre"].min)) > 0.99
    wide = decided(room_tone(2, 3.0, level_dbfs=-20.0)).curves
    assert float(np.median(wide["coherence"].max)) < 0.4
    assert float(np.median(wide["width_db"].max)) > -6


def test_the_pyramid_keeps_energy_and_puts_tones_into_their_octave() -> None:
    time_s = np.arange(960) / RATE_HZ
    for hz, wanted in ((100, 0), (1000, 2), (2000, 3), (4500, 4), (9000, 5)):
        tone = np.sin(2 * np.pi * hz * time_s).astype(np.float32)[None]
        energy, _, cross = band_sums(tone, -tone)
        assert int(np.argmax(energy[0])) == wanted
        assert np.allclose(cross, -energy, rtol=1e-5, atol=1e-9)


def test_pairs_come_by_name_and_steps_by_place() -> None:
    assert pairs_of(FIVE_ONE) == [(0, 1), (4, 5)]
    assert pairs_of(("FC",)) == []
    levels = np.r_[np.full(20, -20.0), np.full(20, -50.0)]
    found = np.flatnonzero(steps(levels) == -30)
    assert found.mean() == pytest.approx(20, abs=1)
    assert sharpest(levels, 23, 10) == 20


def wide_sound(seed: int) -> Sound:
    """Chords whose partials stand anywhere between in phase and opposed: wide, as synthesisers."""
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal((9 * RATE_HZ, 2)) * 1e-3
    since = np.arange(2 * RATE_HZ) / RATE_HZ
    gone = np.clip(since / 0.02, 0, 1) * np.exp(-since) * np.clip((2.0 - since) / 0.2, 0, 1)
    for note in range(12):
        at = slice(int(0.6 * note * RATE_HZ), int(0.6 * note * RATE_HZ) + len(since))
        for hz in 110 * 2 ** (rng.integers(0, 48, 8) / 12):
            # Near enough to the middle for a correlation of 0.2 to 0.3 in all.
            phase = rng.uniform(-0.62, 0.62) * np.pi + rng.choice([0.0, 0.5]) * np.pi
            level = 0.02 * float(rng.uniform(0.5, 1))
            sound[at, 0] += level * gone * np.sin(2 * np.pi * hz * since)
            sound[at, 1] += level * gone * np.sin(2 * np.pi * hz * since + phase)
    return sound.astype(np.float32)


@pytest.mark.parametrize("seed", [1, 2])
def test_wide_music_is_silent_and_its_inversion_found(seed: int) -> None:
    sound = wide_sound(seed)
    assert decided(sound).findings == ()
    sound[3 * RATE_HZ : 6 * RATE_HZ, 1] *= -1
    (finding,) = decided(sound).findings
    assert finding.defect == "phase_inversion"
    assert finding.start_s == pytest.approx(3.0, abs=0.06)
    assert finding.end_s == pytest.approx(6.0, abs=0.06)


def test_an_instrument_that_opposes_itself_is_no_inversion() -> None:
    # A lead that plays inverted against itself for two bars, over a pad in the middle: for as long
    # the channels oppose each other, but what was there before does not turn over.
    rng = np.random.default_rng(4)
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    sound = np.zeros((len(time_s), 2))
    for number, note_s in enumerate(np.arange(0.0, 8.0, 0.5)):
        hz = 110 * 2 ** (float(rng.integers(0, 36)) / 12)
        since = time_s - note_s
        envelope = np.clip(since / 0.02, 0, 1) * np.clip((0.5 - since) / 0.05, 0, 1)
        note = sum(0.05 / k * np.sin(2 * np.pi * k * hz * time_s) for k in range(1, 8)) * envelope
        sound[:, 0] += note
        sound[:, 1] += note * (-1 if 4 <= number < 8 else 1)
    for k in range(1, 8):
        sound += 0.02 / k * np.sin(2 * np.pi * k * 98 * time_s + k)[:, None]
    result = decided(sound.astype(np.float32))
    assert float(np.min(result.curves["correlation"].min)) < -0.5
    assert "phase_inversion" not in {f.defect for f in result.findings}


def test_a_turn_is_measured_where_it_is_and_however_the_sound_is_cut() -> None:
    sound = film_sound(1).copy()
    sound[RATE_HZ * 3 :, 1] *= -1
    rows = []
    for length in (960, 7001, len(sound)):
        meter = ImageMeter(RATE_HZ, ("FL", "FR"))
        for run in runs_of(sound, length):
            meter.push(run.start, run.data)
        rows.append(laid_out(meter.reversals.rows, 0, 400))
    weighted, even = rows[0]
    # The hop at 3 s or one beside it: one that is left out hides on which side it lies.
    assert int(np.argmin(weighted.astype(int) + even)) == pytest.approx(150, abs=2)
    assert weighted[151] < -60
    for other in rows[1:]:
        assert np.array_equal(other, rows[0])


@pytest.mark.parametrize(
    ("order", "effects_in"), [((0, 2, 1, 4, 5, 3), "BR"), ((0, 1, 3, 2, 4, 5), "FC")]
)
def test_another_order_of_channels_is_told_by_its_effects(
    order: tuple[int, ...], effects_in: str
) -> None:
    sound = np.zeros((8 * RATE_HZ, 6), np.float32)
    sound[:, :2] = film_sound(1)
    sound[:, 2] = speech_like(3, 8.0)[:, 0]
    sound[:, 3] = 0.2 * np.sin(2 * np.pi * 60 * np.arange(len(sound)) / RATE_HZ)
    sound[:, 4:] = music_like(2, 8.0) * 0.5
    assert decided(sound, FIVE_ONE).findings == ()
    # Film has left, centre, right, surrounds, effects.
    found = [f for f in decided(sound[:, order], FIVE_ONE).findings if "kind" in f.evidence]
    (finding,) = found
    assert finding.evidence["kind"] == "wrong_order"
    assert finding.evidence["channels"] == ["LFE", effects_in]
