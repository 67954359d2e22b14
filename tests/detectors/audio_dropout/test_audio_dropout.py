"""Interrupted sound found with its ends, and silence on pauses, rooms and gated ticks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.detectors import load
from defectscope.engine.contracts import Chunk
from defectscope.findings import Finding, Interval
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.hard_negatives import HARD_NEGATIVES
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

RATE_HZ = 48000


def stream_of(sound: NDArray[np.float32]) -> StreamInfo:
    audio = AudioInfo(RATE_HZ, ("FL", "FR"), "stereo", "pcm_s16le")
    return StreamInfo("x", "wav", len(sound) / RATE_HZ, None, audio)


def findings(sound: NDArray[np.float32]) -> tuple[Finding, ...]:
    stream, detector = stream_of(sound), load("audio_dropout")
    analysis = detector.open(stream)
    analysis.push(Chunk(audio=tuple(runs_of(sound, 7001))))
    return detector.decide(analysis.close(), stream).findings


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_drop_out_is_found_once_with_its_ends(seed: int) -> None:
    sound = music_like(seed, 5.0)
    made = simulator("audio_dropout")
    plan = made.plan(stream_of(sound), Interval(2.0, 2.6), seed=seed, severity=4.0)
    truth: list = []
    out = np.concatenate([run.data for run in made.apply(runs_of(sound), plan, truth)])
    (finding,) = findings(out)
    assert finding.start_s == pytest.approx(truth[0].start_s, abs=0.02)
    assert finding.end_s == pytest.approx(truth[0].end_s, abs=0.02)
    assert finding.severity == "major"


@pytest.mark.parametrize(
    "hard_negative",
    [t for t in HARD_NEGATIVES if t.sound and "audio_dropout" in t.silent],
    ids=lambda t: t.name,
)
def test_hard_negatives_stay_silent(hard_negative) -> None:
    assert findings(hard_negative.sound(2)) == ()


def test_a_gated_clock_is_no_drop_out_but_one_gap_in_a_tone_is() -> None:
    time_s = np.arange(6 * RATE_HZ) / RATE_HZ
    tone = (0.1 * np.sin(2 * np.pi * 500 * time_s)).astype(np.float32)[:, None].repeat(2, axis=1)
    assert findings(tone * (time_s % 1.0 < 0.2)[:, None]) == ()
    (finding,) = findings(tone * ~((time_s >= 3.0) & (time_s < 3.3))[:, None])
    assert finding.evidence["duration_s"] == pytest.approx(0.3, abs=0.02)


def test_silence_that_lasts_is_reported_however_it_began() -> None:
    (finding,) = findings(np.zeros((11 * RATE_HZ, 2), np.float32))
    assert (finding.start_s, finding.end_s) == (0.0, pytest.approx(11.0, abs=0.02))
    assert finding.severity == "critical"


@pytest.mark.parametrize(("length_s", "found"), [(0.2, 1), (0.6, 0)])
def test_one_side_that_is_gone_for_long_is_left_to_the_stereo_image(
    length_s: float, found: int
) -> None:
    sound = music_like(5, 5.0)
    sound[2 * RATE_HZ : round((2 + length_s) * RATE_HZ), 0] = 0
    assert len(findings(sound)) == found
    # Both sides together are a drop-out however long.
    sound[2 * RATE_HZ : round((2 + length_s) * RATE_HZ)] = 0
    (finding,) = findings(sound)
    assert sorted(finding.evidence["channels"]) == ["FL", "FR"]


def test_what_is_cut_off_in_mid_word_may_come_back_in_a_pause() -> None:
    time_s = np.arange(6 * RATE_HZ) / RATE_HZ
    tone = (0.1 * np.sin(2 * np.pi * 500 * time_s)).astype(np.float32)[:, None].repeat(2, axis=1)
    hiss = (np.random.default_rng(3).standard_normal(tone.shape) * 4e-4).astype(np.float32)
    words = tone * ((time_s < 2.5) | (time_s >= 3.2))[:, None] + hiss
    # A pause by itself is none: its room goes on.
    assert findings(words) == ()
    cut = words * ~((time_s >= 2.0) & (time_s < 3.0))[:, None]
    (finding,) = findings(cut)
    assert (finding.start_s, finding.end_s) == (2.0, pytest.approx(3.0, abs=0.02))
    # Nor is an ending.
    assert findings(words * (time_s < 2.0)[:, None]) == ()


def held(sound: NDArray[np.float32], first_s: float, last_s: float) -> NDArray[np.float32]:
    out = sound.copy()
    first, last = round(first_s * RATE_HZ), round(last_s * RATE_HZ)
    out[first:last] = np.float32([0.21, -0.13])
    return out


@pytest.mark.parametrize("ripple", [0.0, 1e-3], ids=["as it is", "encoded"])
def test_a_sample_that_is_held_is_a_drop_out(ripple: float) -> None:
    sound = held(music_like(6, 5.0), 2.0, 2.25)
    # An encode leaves ripples that no gate would call silent, of -60 dBFS.
    time_s = np.arange(len(sound)) / RATE_HZ
    sound += (ripple * np.sqrt(2) * np.sin(2 * np.pi * 900 * time_s)).astype(np.float32)[:, None]
    (finding,) = findings(sound)
    assert (finding.start_s, finding.end_s) == pytest.approx((2.0, 2.25), abs=0.021)
    assert sorted(finding.evidence["channels"]) == ["FL", "FR"]


def test_an_offset_of_the_recording_and_clipped_sound_are_not_held() -> None:
    time_s = np.arange(6 * RATE_HZ) / RATE_HZ
    tone = (0.1 * np.sin(2 * np.pi * 500 * time_s)).astype(np.float32)[:, None].repeat(2, axis=1)
    hiss = (np.random.default_rng(3).standard_normal(tone.shape) * 4e-4).astype(np.float32)
    # Words with pauses of a room, and with an offset that makes the pauses stand at one value.
    words = tone * (time_s % 1.0 < 0.6)[:, None] + hiss
    assert findings(words) == ()
    assert findings(words + np.float32(0.1)) == ()
    # A thump that drives the converter to its rail and leaves it there for 60 ms.
    loud = tone.copy()
    loud[3 * RATE_HZ : 3 * RATE_HZ + RATE_HZ * 6 // 100] = 1.0
    assert findings(loud) == ()


def test_a_gap_that_an_encode_smears_begins_where_the_sound_stops() -> None:
    sound = music_like(7, 5.0)
    first, last = 2 * RATE_HZ, round(2.2 * RATE_HZ)
    sound[first:last] = 0
    hop = RATE_HZ // 100
    for number, dbfs in enumerate((-58.0, -66.0)):
        here = slice(first + number * hop, first + (number + 1) * hop)
        noise = np.random.default_rng(number).standard_normal((hop, 2))
        sound[here] = noise * 10 ** (dbfs / 20)
    (finding,) = findings(sound)
    assert finding.start_s == pytest.approx(2.0, abs=0.011)
