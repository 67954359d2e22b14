"""Renderings: blocks, layouts, rates, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from defectscope.cli.main import main
from defectscope.errors import InvalidParameterError, MediaError, UnreadableMediaError
from defectscope.spatial.chain import RenderSettings, build_chain, settings_from
from defectscope.spatial.level import level_for_target
from defectscope.spatial.programme import programme_matrix
from defectscope.spatial.render import Renderer, render_file

RATE = 48_000
STEREO = ("FL", "FR")
SURROUND = ("FL", "FR", "FC", "LFE", "BL", "BR")


def noise(channels: int, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (channels, count))


def rendered(samples: np.ndarray, settings: RenderSettings, sizes: list[int]) -> np.ndarray:
    renderer = Renderer(RATE, STEREO, settings)
    parts, at, turn = [], 0, 0
    while at < samples.shape[1]:
        size = sizes[turn % len(sizes)]
        parts.append(renderer.push(samples[:, at : at + size]))
        at, turn = at + size, turn + 1
    return np.concatenate([*parts, renderer.flush()], axis=1)


@pytest.mark.parametrize("device", ["two_narrow", "three_front"])
@pytest.mark.parametrize("sizes", [[1000], [1, 17, 4096, 333], [48_000]])
def test_blocks_do_not_matter(device: str, sizes: list[int]) -> None:
    samples = noise(2, 30_000)
    settings = RenderSettings(device=device)
    whole = rendered(samples, settings, [30_000])
    assert whole.shape == (len(Renderer(RATE, STEREO, settings).names), 30_000)
    assert np.abs(rendered(samples, settings, sizes) - whole).max() < 1e-6


def test_latency_is_what_is_stated() -> None:
    renderer = Renderer(RATE, STEREO, RenderSettings())
    given = 0
    for number in range(200):
        given += renderer.push(noise(2, 256, number)).shape[1]
        assert (number + 1) * 256 - given <= renderer.latency_samples
    assert renderer.latency_samples / RATE < 0.1


def test_plain_rendering_is_what_went_in() -> None:
    samples = noise(2, 20_000)
    plain = rendered(samples, RenderSettings(processed=False), [700])
    assert np.abs(plain - samples).max() < 1e-6


def test_mono_comes_from_both_drivers_alike_and_in_time() -> None:
    one = noise(1, 20_000)
    out = rendered(np.concatenate([one, one]), RenderSettings(level_db=-6.0), [4_000])
    assert np.abs(out - 10 ** (-6 / 20) * one).max() < 1e-5


def test_sides_and_centre_of_a_beam_arrive_together() -> None:
    chain = build_chain(RenderSettings(device="three_front"), RATE)
    from defectscope.spatial.arrays import SPEED_OF_SOUND_M_S
    from defectscope.spatial.device import azimuth_and_distance, load_device

    device = load_device("three_front")
    frequencies = np.linspace(600, 1_500, 90)
    clock = np.outer(np.arange(chain.taps.shape[-1]), frequencies) / RATE
    response = chain.taps @ np.exp(-2j * np.pi * clock)
    arrival = []
    for column in (0, 1):
        at_ears = np.zeros(len(frequencies), complex)
        for driver, weight in zip(device.drivers, response[:, column], strict=True):
            distance = azimuth_and_distance(driver, device.listener)[1]
            late = distance / SPEED_OF_SOUND_M_S
            at_ears += weight / distance * np.exp(-2j * np.pi * frequencies * late)
        slope = np.polyfit(frequencies, np.unwrap(np.angle(at_ears)), 1)[0]
        arrival.append(-slope / (2 * np.pi))
    assert abs(arrival[0] - arrival[1]) < 0.2e-3


@pytest.mark.parametrize("output", ["drivers", "headphones"])
def test_silence(output: str) -> None:
    out = rendered(np.zeros((2, 10_000)), RenderSettings(output=output), [5_000])  # type: ignore[arg-type]
    assert not out.any()


def test_surround_goes_where_it_belongs() -> None:
    matrix = programme_matrix(SURROUND)
    assert matrix[2].tolist() == pytest.approx([0, 0, 0.7071, 0, 0, 0], abs=1e-4)
    assert matrix[0].tolist() == pytest.approx([1, 0, 0, 0, 0.7071, 0], abs=1e-4)
    assert programme_matrix(["FC"]).tolist() == [[1], [1], [0]]
    with pytest.raises(InvalidParameterError):
        programme_matrix(["LFE", "X", "Y"])
    renderer = Renderer(RATE, SURROUND, RenderSettings())
    samples = np.zeros((6, 9_000))
    samples[2] = noise(1, 9_000)
    out = np.concatenate([renderer.push(samples), renderer.flush()], axis=1)
    assert np.allclose(out[0], out[1], atol=1e-9)
    assert np.abs(out).max() > 0.05


def test_a_level_that_nobody_gives_is_found_and_holds_for_the_centre_too() -> None:
    settings = settings_from({"level_db": None, "target_db": 15})
    taps = build_chain(settings, RATE).taps
    level_db = level_for_target("two_narrow", RATE, 15.0)
    assert -12 <= level_db <= -7
    assert 20 * np.log10(np.abs(taps[0, 1]).max()) == pytest.approx(level_db)


@pytest.mark.parametrize(
    "given",
    [
        {"colour": 1},
        {"target_db": "much"},
        {"processed": 1},
        {"output": "cinema"},
        {"device": 3},
        {"cap_db": True},
    ],
)
def test_bad_settings_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        settings_from(given)


@pytest.mark.parametrize(
    ("rate", "channels"), [(48_000, 1), (44_100, 2), (192_000, 2), (48_000, 6)]
)
def test_files(tmp_path: Path, rate: int, channels: int) -> None:
    source = tmp_path / "in.wav"
    soundfile.write(source, noise(channels, rate // 5).T, rate, "PCM_24")
    done = render_file(source, tmp_path / "out", RenderSettings(device="bar_of_five"))
    assert [Path(f).name for f in done.files][:2] == [
        "rendering.left.flac",
        "rendering.left_inner.flac",
    ]
    for file in done.files:
        data, found = soundfile.read(file)
        assert found == rate
        assert data.shape == (rate // 5,)
    assert done.clipped == 0


def test_nan_and_no_sound_are_refused(tmp_path: Path) -> None:
    bad = noise(2, 4_800)
    bad[0, 100] = np.nan
    soundfile.write(tmp_path / "nan.wav", bad.T, RATE, "FLOAT")
    with pytest.raises(UnreadableMediaError):
        render_file(tmp_path / "nan.wav", tmp_path / "out", RenderSettings())
    (tmp_path / "no.wav").write_bytes(b"no sound at all")
    with pytest.raises(MediaError):
        render_file(tmp_path / "no.wav", tmp_path / "out", RenderSettings())


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "song.wav"
    soundfile.write(source, noise(2, 9_600).T, RATE, "PCM_16")
    arguments = ["render", str(source), str(tmp_path / "out")]
    assert main([*arguments, "--set", "target_db=15", "--format", "wav"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["names"] == ["left", "right"]
    assert all(Path(file).is_file() for file in told["files"])
    assert main([*arguments, "--set", "target_db"]) == 2
    assert main([*arguments, "--set", "target=15"]) == 2
    assert "target_db" in capsys.readouterr().err
    assert main(["render", str(source), str(source)]) == 2
    assert main([*arguments, "--device", "nowhere.json"]) == 3
    assert main(["render", str(tmp_path / "none.wav"), str(tmp_path / "out")]) == 3
    assert main([*arguments, "--output", "headphones", "--together"]) == 0


def test_page(tmp_path: Path) -> None:
    from defectscope.spatial.page import write_page

    source = tmp_path / "song.wav"
    soundfile.write(source, noise(2, 12_000).T, RATE, "PCM_16")
    write_page(tmp_path / "page.html", source, RenderSettings(output="headphones"))
    page = (tmp_path / "page.html").read_text()
    assert page.count("<audio") == 2
    assert page.count("<figure>") == 3
    assert page.count("<figcaption>Filters of") == 2
    assert page.count("class='key'") == 6
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
