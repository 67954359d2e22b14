"""The four simulators: seeded, in step with their truth, and no louder than the programme."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.simulate.contract import AudioSimulator, Plan, Truth
from defectscope.simulate.defects import audio_clicks, audio_distortion, audio_hiss, audio_hum
from defectscope.simulate.defects.audio_clicks import AudioClicks
from defectscope.simulate.defects.audio_clicks import Params as ClickParams
from defectscope.simulate.defects.audio_distortion import AudioDistortion
from defectscope.simulate.defects.audio_distortion import Params as DistortionParams
from defectscope.simulate.defects.audio_hiss import AudioHiss
from defectscope.simulate.defects.audio_hum import AudioHum
from defectscope.simulate.defects.audio_hum import Params as HumParams
from defectscope.simulate.effects.audio_span import MAX_SPAN_S, rms
from defectscope.simulate.synthetic.soundscape import music_like

RATE_HZ = 32000
TOOLS: tuple[AudioSimulator[Any], ...] = (AudioHum(), AudioHiss(), AudioDistortion(), AudioClicks())
SPAN = Interval(1.0, 3.0)
RARER = [
    pytest.param(module, family, id=f"{module.SIMULATORS[0].name}-{family}")
    for module in (audio_hum, audio_hiss, audio_distortion, audio_clicks)
    for family in module.RARER
]


@pytest.fixture(scope="module")
def programme() -> np.ndarray:
    return np.ascontiguousarray(music_like(5, 4.0, RATE_HZ), np.float32)


def stream(channels: int, rate_hz: int = RATE_HZ) -> StreamInfo:
    names = ("FL", "FR", "FC", "LFE", "BL", "BR")[:channels]
    return StreamInfo("x", "wav", 4.0, None, AudioInfo(rate_hz, names, "any", "pcm"))


def impaired(
    tool: AudioSimulator[Any], sound: np.ndarray, plan: Plan[Any], pieces: int = 1
) -> tuple[np.ndarray, list[Truth]]:
    edges = np.linspace(0, len(sound), pieces + 1).astype(int)
    runs = [Samples(int(a), sound[a:b]) for a, b in itertools.pairwise(edges)]
    truth: list[Truth] = []
    out = list(tool.apply(runs, plan, truth))
    assert [r.start for r in out] == [r.start for r in runs]
    return np.concatenate([r.data for r in out]), truth


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_truth_span_level_and_seed(
    tool: AudioSimulator[Any], severity: int, programme: np.ndarray
) -> None:
    facts = stream(programme.shape[1])
    for seed in range(6):
        plan = tool.plan(facts, SPAN, seed=seed, severity=severity)
        out, truth = impaired(tool, programme, plan)
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        again, truth_again = impaired(tool, programme, plan, pieces=7)
        assert np.array_equal(out, again), "how the sound arrives must change nothing"
        assert truth == truth_again
        outside = np.ones(len(out), bool)
        outside[int(SPAN.start_s * RATE_HZ) : int(SPAN.end_s * RATE_HZ)] = False
        assert np.array_equal(out[outside], programme[outside])
        assert not np.array_equal(out, programme)
        assert truth
        assert all(t.defect == tool.name for t in truth)
        assert all(SPAN.start_s <= t.start_s < t.end_s <= SPAN.end_s for t in truth)
        inside = slice(int(SPAN.start_s * RATE_HZ), int(SPAN.end_s * RATE_HZ))
        # As loud as the programme, so that loudness gives nothing away; only what drowns it by
        # more than 12 dB may be louder.
        ratio = rms(out[inside]) / rms(programme[inside])
        assert 0.95 < ratio < 1.2


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
def test_a_higher_severity_does_more_damage(
    tool: AudioSimulator[Any], programme: np.ndarray
) -> None:
    facts = stream(programme.shape[1])

    def damage(severity: float) -> float:
        errors = []
        for seed in range(12):
            plan = tool.plan(facts, SPAN, seed=seed, severity=severity)
            errors.append(rms(impaired(tool, programme, plan)[0] - programme))
        return float(np.median(errors))

    damages = [damage(s) for s in (1, 2, 3, 4, 5)]
    assert damages == sorted(damages)
    assert damages[-1] > 3 * damages[0]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
def test_every_family_is_drawn(tool: AudioSimulator[Any]) -> None:
    facts = stream(2)
    drawn = {tool.plan(facts, SPAN, seed=s).params.family for s in range(60)}
    assert len(drawn) >= 2
    for family in drawn:
        plan = tool.plan(facts, SPAN, seed=1, overrides={"family": family})
        assert plan.params.family == family
    with pytest.raises(InvalidParameterError, match="family"):
        tool.plan(facts, SPAN, seed=1, overrides={"family": "no such"})


@pytest.mark.parametrize(("module", "family"), RARER)
def test_rarer_families(module: Any, family: str, programme: np.ndarray) -> None:
    """Made only when asked for; as loud as the programme, seeded, and no other family's sound."""
    tool = module.SIMULATORS[0]
    facts, rng = stream(programme.shape[1]), np.random.default_rng(8)
    families = {tool.plan(facts, SPAN, seed=s).params.family for s in range(60)}
    assert families == set(module.FAMILIES)
    plan = tool.plan(facts, SPAN, seed=1, severity=4, overrides={"family": family})
    assert plan.params.family == family
    drawn = replace(plan, params=module.rarer(plan.params, family, 4, rng))
    assert drawn.params.family == family
    out, truth = impaired(tool, programme, drawn)
    assert np.array_equal(out, impaired(tool, programme, drawn, pieces=5)[0])
    assert truth
    inside = slice(int(SPAN.start_s * RATE_HZ), int(SPAN.end_s * RATE_HZ))
    assert 0.95 < rms(out[inside]) / rms(programme[inside]) < 1.2
    assert rms(out[inside] - programme[inside]) > 0.01 * rms(programme)
    plain = replace(drawn, params=replace(drawn.params, family=module.FAMILIES[0]))
    assert not np.array_equal(out, impaired(tool, programme, plain)[0])


def test_a_phone_bursts_217_times_a_second(programme: np.ndarray) -> None:
    params = audio_hum.rarer(HumParams(level_db=20.0), "phone", 4, np.random.default_rng(2))
    out, _ = AudioHum().render(programme, RATE_HZ, params, np.random.default_rng(1))
    burst = (out - programme)[: 2 * RATE_HZ, 0].astype(np.float64)
    period = np.argmax(np.correlate(burst[: RATE_HZ // 4], burst[:400], "valid")[100:200]) + 100
    assert RATE_HZ / period == pytest.approx(217, abs=2)


def test_swapped_buffers_lose_no_sample(programme: np.ndarray) -> None:
    params = ClickParams(family="swap", rate_hz=4.0, length_ms=10.0)
    out, events = AudioClicks().render(programme, RATE_HZ, params, np.random.default_rng(3))
    assert events
    for start, end in events:
        half = (end - start) // 2
        assert np.array_equal(out[start : start + half], programme[start + half : end])
        assert np.array_equal(out[start + half : end], programme[start : start + half])


def test_distortion_meets_its_ratio(programme: np.ndarray) -> None:
    tool = AudioDistortion()
    mono = programme[:, :1]
    for family, wanted in (
        ("hard_clip", 15.0),
        ("soft_clip", 15.0),
        ("quantisation", 18.0),
        ("one_sided", 15.0),
        ("crossover", 18.0),
        ("wrapped", 12.0),
    ):
        params = DistortionParams(family=family, sdr_db=wanted, colour=0.2)
        out, _ = tool.render(mono, RATE_HZ, params, np.random.default_rng(0))
        gain = float(np.sum(out * mono) / np.sum(mono * mono))
        ratio = 20 * np.log10(gain * rms(mono) / rms(out - gain * mono))
        assert ratio == pytest.approx(wanted, abs=0.7), family


def test_overdrive_bends_bass_and_does_not_only_turn_its_phase() -> None:
    at = np.arange(2 * RATE_HZ) / RATE_HZ
    bass = (0.3 * np.sin(2 * np.pi * 60.0 * at)).astype(np.float32)[:, None]
    params = DistortionParams(family="overdrive", sdr_db=20.0, colour=0.0)
    out, _ = AudioDistortion().render(bass, RATE_HZ, params, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(out[RATE_HZ:, 0].astype(np.float64) * np.hanning(RATE_HZ)))
    fundamental, third = spectrum[58:63].max(), spectrum[178:183].max()
    assert -26 < 20 * np.log10(third / fundamental) < -12


@pytest.mark.parametrize("mains_hz", [60.0, 133.0, 400.0])
def test_hum_lies_on_the_mains_and_its_harmonics(programme: np.ndarray, mains_hz: float) -> None:
    params = HumParams(mains_hz=mains_hz, level_db=20.0, harmonics=4, drift_hz=0.0, flutter_db=0.0)
    out, _ = AudioHum().render(programme, RATE_HZ, params, np.random.default_rng(1))
    hum = (out - programme)[: 2 * RATE_HZ, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(hum * np.hanning(len(hum)))) ** 2
    lines = {round(k) // 2 for k in np.argsort(spectrum)[-12:]}
    assert lines <= {round(k * mains_hz) + off for k in (1, 2, 3, 4) for off in (-1, 0, 1)}
    assert round(mains_hz) in lines


def test_silence_is_not_distorted_and_gets_no_truth() -> None:
    silence = np.zeros((RATE_HZ, 2), np.float32)
    params = DistortionParams()
    out, events = AudioDistortion().render(silence, RATE_HZ, params, np.random.default_rng(0))
    assert not out.any()
    assert events == []


def test_gaps_are_digital_silence_where_there_was_sound(programme: np.ndarray) -> None:
    params = ClickParams(family="gap", rate_hz=4.0, length_ms=10.0)
    out, events = AudioClicks().render(programme, RATE_HZ, params, np.random.default_rng(3))
    assert events
    for start, end in events:
        assert not out[start:end].any()
        assert rms(programme[max(0, start - 320) : start + 320]) > 0.2 * rms(programme)


def test_other_rates_and_channels() -> None:
    rng = np.random.default_rng(4)
    for rate_hz, channels in ((8000, 1), (44100, 2), (48000, 6), (96000, 2)):
        sound = (rng.standard_normal((rate_hz, channels)) * 0.05).astype(np.float32)
        for tool in TOOLS:
            plan = tool.plan(stream(channels, rate_hz), Interval(0.1, 0.9), seed=2)
            out, _ = impaired(tool, sound, plan)
            assert out.shape == sound.shape
            assert np.isfinite(out).all()


def test_a_span_too_long_to_hold_is_refused() -> None:
    plan = AudioHum().plan(stream(1), Interval(0, MAX_SPAN_S + 1), seed=1)
    with pytest.raises(InvalidParameterError, match="spans of up to"):
        list(AudioHum().apply([], plan, []))
