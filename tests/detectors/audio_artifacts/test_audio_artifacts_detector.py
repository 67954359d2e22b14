from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from defectscope.detectors.audio_artifacts.analysis import COLUMNS, WINDOWS_HZ
from defectscope.detectors.audio_artifacts.channel_pipeline import ChannelPipeline
from defectscope.detectors.audio_artifacts.decision import SENSITIVITIES, Layer
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts, Params
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import BATCH, CLASSES, NEAR, SUMMARY
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_AFTER,
    MARGIN_BEFORE,
    Spectra,
)
from defectscope.detectors.audio_artifacts.spectra import measure as spectra_of
from defectscope.detectors.audio_artifacts.surroundings import (
    _combs,  # pyright: ignore[reportPrivateUsage]
)
from defectscope.detectors.registry import load
from defectscope.engine.contracts import Chunk
from defectscope.engine.engine import measure
from defectscope.errors import InvalidParameterError
from defectscope.measurements import Measurements
from defectscope.media.encoding import AudioEncoding
from defectscope.media.frames import Samples
from defectscope.media.opening import open_media
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.soundscape import music_like

RATE_HZ = 48000


@pytest.fixture(scope="module")
def detector() -> AudioArtifacts:
    found = load("audio_artifacts")
    assert isinstance(found, AudioArtifacts)
    return found


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return np.ascontiguousarray(music_like(9, 7.3, RATE_HZ), np.float32)


def facts(seconds: float, rate_hz: int = RATE_HZ, channels: int = 2) -> StreamInfo:
    names = ("FL", "FR", "FC", "LFE", "BL", "BR")[:channels]
    audio = AudioInfo(rate_hz, names, "any", "pcm")
    return StreamInfo("x", "wav", seconds, None, audio, audio_duration_s=seconds)


def measured(
    detector: AudioArtifacts, data: np.ndarray, stream: StreamInfo, edges: list[int] | None = None
) -> Measurements:
    analysis = detector.open(stream)
    places = [0, *(edges or []), len(data)]
    for a, b in itertools.pairwise(places):
        analysis.push(Chunk(audio=(Samples(a, data[a:b]),)))
    return analysis.close()


def rows(
    measured: Measurements, names: Sequence[str] = tuple(f"logit_{name}" for name in CLASSES)
) -> dict[int, tuple[int, ...]]:
    table = measured.tables["windows"]
    columns = [table.columns[name] for name in names]
    return {int(k): tuple(int(c[i]) for c in columns) for i, k in enumerate(table.anchors)}


def column(measured: Measurements, name: str) -> list[int]:
    return list(measured.tables["windows"].columns[name])


def test_chunks_change_nothing(detector: AudioArtifacts, sound: np.ndarray) -> None:
    stream = facts(7.3)
    whole = rows(measured(detector, sound, stream), COLUMNS)
    # Four a second; the last holds more than 0.55 s of sound.
    assert sorted(whole) == list(range(27))
    rng = np.random.default_rng(1)
    for count in (1, 30):
        edges = sorted(rng.integers(0, len(sound), count).tolist())
        assert rows(measured(detector, sound, stream, edges), COLUMNS) == whole


def test_segments_join_to_one_pass(
    detector: AudioArtifacts, sound: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "clip.wav"
    encoding = AudioEncoding(RATE_HZ, "stereo", "pcm_s16le")
    write_clip(path, runs=[Samples(0, sound)], audio=encoding)

    def part(start_s: float | None, end_s: float | None) -> Measurements:
        with open_media(str(path)) as reader:
            return measure(reader, [detector], start_s=start_s, end_s=end_s)["audio_artifacts"]

    whole = part(None, None)
    joined = Measurements.join([part(None, 1.9), part(1.9, 4.0), part(4.0, None)])
    one, other = rows(whole), rows(joined)
    assert sorted(one) == sorted(other)
    worst = max(abs(a - b) for k in one for a, b in zip(one[k], other[k], strict=True))
    assert worst <= 1  # a hundredth of a logit: windows stand elsewhere in their batch


def test_short_and_silent_and_absent_sound(detector: AudioArtifacts) -> None:
    blip = np.full((int(0.3 * RATE_HZ), 2), 0.01, np.float32)
    assert sorted(rows(measured(detector, blip, facts(0.3)))) == [0]
    tiny = np.zeros((100, 2), np.float32)
    nothing = measured(detector, tiny, facts(0.002))
    assert rows(nothing) == {}
    assert detector.decide(nothing, facts(0.002)).verdict == "inconclusive"
    silence = np.zeros((4 * RATE_HZ, 2), np.float32)
    result = detector.decide(measured(detector, silence, facts(4.0)), facts(4.0))
    assert result.verdict == "pass"


def test_broken_samples_do_no_harm(detector: AudioArtifacts, sound: np.ndarray) -> None:
    broken = sound[: 2 * RATE_HZ].copy()
    broken[1000:1010] = np.nan
    broken[2000:2010] = np.inf
    found = rows(measured(detector, broken, facts(2.0)))
    assert all(np.isfinite(v).all() for v in found.values())


def test_a_gap_in_the_stream_splits_the_grid(detector: AudioArtifacts, sound: np.ndarray) -> None:
    analysis = detector.open(facts(60.0))
    second = sound[: 2 * RATE_HZ]
    analysis.push(Chunk(audio=(Samples(0, second), Samples(50 * RATE_HZ, second))))
    measured = analysis.close()
    assert sorted(rows(measured)) == [*range(6), *range(200, 206)]
    detector.decide(measured, facts(60.0))


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (44100, 1), (48000, 6), (96000, 2)])
def test_other_rates_and_layouts(detector: AudioArtifacts, rate_hz: int, channels: int) -> None:
    rng = np.random.default_rng(2)
    data = (rng.standard_normal((2 * rate_hz, channels)) * 0.05).astype(np.float32)
    assert len(rows(measured(detector, data, facts(2.0, rate_hz, channels)))) == 6


def test_the_low_frequency_channel_is_left_out(detector: AudioArtifacts, sound: np.ndarray) -> None:
    data = np.repeat(sound[: 2 * RATE_HZ, :1], 6, axis=1)
    other = data.copy()
    other[:, 3] = 0.9
    stream = facts(2.0, channels=6)
    assert rows(measured(detector, data, stream)) == rows(measured(detector, other, stream))


def test_each_channel_takes_the_worst(detector: AudioArtifacts, sound: np.ndarray) -> None:
    apart = AudioArtifacts(tuned=detector.tuned, params=Params(each_channel=True))
    rng = np.random.default_rng(3)
    data = sound[: 2 * RATE_HZ].copy()
    data[:, 1] += rng.standard_normal(len(data)).astype(np.float32) * 0.02
    stream = facts(2.0)
    both = rows(measured(apart, data, stream))
    separate = [
        rows(measured(detector, data[:, k : k + 1], facts(2.0, channels=1))) for k in (0, 1)
    ]
    for k, values in both.items():
        assert values == tuple(
            max(a, b) for a, b in zip(separate[0][k], separate[1][k], strict=True)
        )


def _windows(count: int) -> list[Spectra]:
    rng = np.random.default_rng(5)
    length = MARGIN_BEFORE + 2 * BLOCK + MARGIN_AFTER
    return [
        spectra_of(
            (rng.standard_normal(length) * 10 ** rng.uniform(-3, -1)).astype(np.float32), 2
        ).window(0.0)
        for _ in range(count)
    ]


def test_a_windows_score_does_not_depend_on_its_neighbours(detector: AudioArtifacts) -> None:
    windows = _windows(BATCH)
    together = detector.scorer.embed_windows(windows)
    for place in (0, 3, 15):
        assert np.allclose(
            detector.scorer.embed_windows([windows[place]])[0], together[place], atol=5e-3
        )
    with pytest.raises(ValueError, match="windows"):
        detector.scorer.embed_windows(_windows(1) * (BATCH + 1))
    near = [[None, None, own, together[0], None] for own in together]
    decided = detector.scorer.classify(near)
    for place in (0, 3, 15):
        assert np.allclose(detector.scorer.classify([near[place]])[0], decided[place], atol=2e-3)


def test_folding_and_bfloat16_agree_with_the_network(detector: AudioArtifacts) -> None:
    torch.manual_seed(1)
    network = Network()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
    network.eval()
    windows = _windows(6)
    mel, lines, fast = (
        torch.from_numpy(np.stack([getattr(w, name) for w in windows]))
        for name in ("mel", "lines", "fast")
    )
    levels = torch.from_numpy(np.stack([w.levels.sum(axis=0) for w in windows]))
    with torch.inference_mode():
        plain = network.embed_windows(mel, lines, fast, levels).numpy()
    assert np.allclose(Scorer(network, "cpu", bf16=False).embed_windows(windows), plain, atol=1e-3)
    plain = plain[:, : len(CLASSES)]
    # bfloat16 keeps eight bits of a number: two in a hundred of the logits' spread.
    close = Scorer(network, "cpu", bf16=True).embed_windows(windows)[:, : len(CLASSES)]
    assert np.abs(close - plain).max() < 0.02 * max(1.0, float(np.ptp(plain)))


def test_windows_that_are_not_there_tell_nothing() -> None:
    torch.manual_seed(2)
    around = Network().eval().around
    last: Any = around.joint[-1]
    torch.nn.init.normal_(last.weight)
    hidden, summaries = torch.rand(3, NEAR, 192), torch.randn(3, NEAR, SUMMARY)
    present = torch.tensor([[False, True, True, True, False]] * 3)
    with torch.inference_mode():
        told = around(hidden, summaries, present)
        hidden[:, [0, 4]], summaries[:, [0, 4]] = 99.0, -99.0
        assert torch.equal(around(hidden, summaries, present), told)
        assert torch.isfinite(told).all()
        hidden[:, 1] += 1.0
        assert not torch.allclose(around(hidden, summaries, present), told)


def test_a_comb_stands_out_at_its_fundamental() -> None:
    combs = _combs()
    lines = torch.zeros(combs.shape[0])
    for k in range(1, 5):
        lines[round(k * 110 / 3.90625)] = 2.0
    best = 40.0 + 2.0 * int(
        (functional.max_pool1d(lines[None, None], 3, 1, 1)[0, 0] @ combs).argmax()
    )
    assert abs(best - 110) <= 4


def test_what_lies_around_is_analyzed_alike_however_it_is_heard(
    detector: AudioArtifacts, sound: np.ndarray
) -> None:
    """The lane, which remembers the last windows alone, returns what the whole sound gives."""
    torch.manual_seed(3)
    network = Network().eval()
    last: Any = network.around.joint[-1]
    torch.nn.init.normal_(last.weight)
    scorer = Scorer(network, "cpu", bf16=False)
    cells = 11
    mono = sound[: cells * RATE_HZ // 2, 0].copy()
    pipeline = ChannelPipeline(RATE_HZ, scorer)
    for start in range(0, len(mono), 5000):
        pipeline.push(start, mono[start : start + 5000])
    pipeline.close()
    # Two windows a cell, and none after the last that holds sound for half of it.
    assert sorted(pipeline.logits) == list(range(2 * cells - 1))
    own: dict[int, np.ndarray] = {}
    for number in range(2 * cells - 1):
        # Any window alone, with its own sound before and after it.
        alone = ChannelPipeline(RATE_HZ, scorer)
        first, last = max(0, number // 2 - 5) * RATE_HZ // 2, (number // 2 + 8) * RATE_HZ // 2
        alone.push(first, mono[first:last])
        alone.close()
        own[number] = alone.logits[number]
    for number, logits in pipeline.logits.items():
        assert np.allclose(own[number], logits, atol=2e-2), number


def test_loudness_tells_nothing(detector: AudioArtifacts, sound: np.ndarray) -> None:
    part = sound[: 4 * RATE_HZ]
    loud, soft = (rows(measured(detector, part * g, facts(4.0))) for g in (1.0, 0.5))
    # Windows that lie wholly in the sound: silence after its end has no loudness to lose.
    inside = [k for k in loud if k <= 12]
    worst = max(abs(a - b) for k in inside for a, b in zip(loud[k], soft[k], strict=True))
    # Hundredths of a logit: the floor under quiet bands, which tells hiss, does not move along.
    assert worst <= 100


def _decided(shown: dict[str, list[int]], seconds: float, **params: Any) -> Any:
    """Returns what is decided where each defect has log odds of 8 in some steps, else of -8."""
    from fractions import Fraction

    from defectscope.temporal.tables import TableBuilder

    found = load("audio_artifacts", {"max_gap_s": 1.0, **params})
    assert isinstance(found, AudioArtifacts)
    # Log odds are the logits themselves.
    hidden, out = np.zeros((54, 8)), np.zeros((8, 4))
    for place in range(4):
        hidden[place, 2 * place : 2 * place + 2] = 1, -1
        out[2 * place : 2 * place + 2, place] = 1, -1
    found.layer = Layer(hidden, np.zeros(8), out, np.zeros(4))
    count = round(seconds * WINDOWS_HZ) - 3
    columns = {name: np.zeros(count, np.int16) for name in COLUMNS}
    for name in CLASSES:
        columns[f"logit_{name}"] -= 800
        columns[f"logit_{name}"][shown.get(name, [])] = 800
    columns["isolated"][shown.get("audio_clicks", [])] = 200
    types = dict.fromkeys(COLUMNS, np.int16)
    builder = TableBuilder(Fraction(WINDOWS_HZ), window=np.int64, **types)
    builder.add(window=np.arange(count), **columns)
    measured = Measurements("audio_artifacts", {"windows": builder.table()})
    return found.decide(measured, facts(seconds)).findings


def test_runs_and_their_ends() -> None:
    # A step speaks for the middle quarter second of its window.
    (finding,) = _decided({"audio_hum": list(range(8, 20))}, 8.5)
    assert (finding.defect, finding.start_s, finding.end_s) == ("audio_hum", 2.375, 5.375)
    assert finding.evidence["log_odds"] > 20
    # A single click shows in the four windows that hold it.
    (finding,) = _decided({"audio_clicks": [12, 13, 14, 15]}, 8.5)
    assert (finding.start_s, finding.end_s) == (3.75, 4.0)
    # One at an end of the programme shows in the windows that there are.
    (finding,) = _decided({"audio_clicks": [0]}, 8.5)
    assert (finding.start_s, finding.end_s) == (0.0, 0.25)
    (finding,) = _decided({"audio_clicks": [30]}, 8.5)
    assert (finding.start_s, finding.end_s) == (8.25, 8.5)
    # From the first window on, to the last: the defect reaches the programme's ends.
    (finding,) = _decided({"audio_hiss": list(range(31))}, 8.5)
    assert (finding.start_s, finding.end_s) == (0.0, 8.5)
    # Runs far apart stay two, close together they are one; one step is no lasting hum.
    assert len(_decided({"audio_hum": [*range(4, 12), *range(24, 32)]}, 10.5)) == 2
    assert len(_decided({"audio_hum": [*range(4, 12), *range(15, 24)]}, 10.5)) == 1
    assert not _decided({"audio_hum": [12]}, 9.0)


def test_sensitivity_sets_how_much_evidence_is_asked_for() -> None:
    found = load("audio_artifacts")
    assert isinstance(found, AudioArtifacts)
    for name in CLASSES:
        low, normal, high = (found.tuned.thresholds[f"{name}_{s}"] for s in SENSITIVITIES)
        assert low >= normal >= high > 0
    with pytest.raises(InvalidParameterError):
        load("audio_artifacts", {"sensitivity": "extreme"})


def test_corners_are_counted_whatever_the_runs(detector: AudioArtifacts) -> None:
    seconds = np.arange(3 * RATE_HZ) / RATE_HZ
    tone = np.sin(2 * np.pi * 1000 * seconds) * 0.8
    clipped = np.clip(tone, -0.4, 0.4)
    sounds = [np.stack([s, s], axis=1).astype(np.float32) for s in (tone, clipped)]
    plain, flat = (column(measured(detector, s, facts(3.0)), "corners") for s in sounds)
    # Two tops in each of a thousand periods a second.
    assert max(plain) == 0
    # The last window holds three quarters of a second.
    assert min(flat[:-1]) == max(flat) == 2000
    assert flat[-1] == 1500
    cut = measured(detector, sounds[1], facts(3.0), [1, 2, 7001, 50_000])
    assert column(cut, "corners") == flat


def test_lines_of_the_mains_stand_out_and_other_combs_do_not(detector: AudioArtifacts) -> None:
    seconds = np.arange(6 * RATE_HZ) / RATE_HZ
    noise = np.random.default_rng(1).standard_normal(len(seconds)) * 0.01

    def beyond(hz: float) -> float:
        comb = np.sum([np.sin(2 * np.pi * hz * k * seconds) for k in range(1, 9)], axis=0)
        sound = np.stack([noise + 0.02 * comb] * 2, axis=1).astype(np.float32)
        return float(np.median(column(measured(detector, sound, facts(6.0)), "lines_beyond")))

    mains = min(beyond(50.0), beyond(60.0))
    assert mains > 100
    assert beyond(56.3) < 0.65 * mains


def test_parameters_have_bounds(detector: AudioArtifacts) -> None:
    with pytest.raises(InvalidParameterError):
        dataclasses.replace(detector.params, max_gap_s=-1.0)
    with pytest.raises(InvalidParameterError):
        dataclasses.replace(detector.params, min_lasting_s=99.0)
