"""Networks as OpenVINO runs them: like PyTorch's, kept, and without PyTorch from then on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from defectscope.detectors import compiled, load
from defectscope.detectors.audio_artifacts.inference import Scorer, load_network
from defectscope.detectors.audio_artifacts.layout import NEAR, REACH
from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_AFTER,
    MARGIN_BEFORE,
    measure,
)
from defectscope.detectors.audio_artifacts.spectra import Spectra as AudioSpectra
from defectscope.detectors.av_sync import AvSync
from defectscope.detectors.av_sync import network as sync_network
from defectscope.detectors.compiled import Blueprint, Compiled
from defectscope.engine.artifacts import artifact_folder, tuned
from defectscope.engine.engine import measure as measure_media
from defectscope.file_cache import ENVIRONMENT, SHIPPED_ENVIRONMENT
from defectscope.media.opening import open_media


def test_lip_sync_embeds_as_pytorch_does():
    folder, artifact = artifact_folder("av_sync"), tuned("av_sync").artifact
    plain, runtime = (
        sync_network.load_network(folder, artifact),
        cast("Any", load("av_sync")).network,
    )
    rng = np.random.default_rng(1)
    for frames in (5, 25, 60, 100):
        crops = rng.integers(0, 256, (frames, 48, 64), dtype=np.uint8)
        np.testing.assert_allclose(runtime.embed_mouth(crops), plain.embed_mouth(crops), atol=1e-4)
    assert runtime.embed_mouth(crops[:4]).shape == plain.embed_mouth(crops[:4]).shape
    mel = rng.normal(-5, 2, (600, 40)).astype(np.float32)
    np.testing.assert_allclose(runtime.embed_sound(mel), plain.embed_sound(mel), atol=1e-4)
    assert runtime.embed_sound(mel[:19]).shape == plain.embed_sound(mel[:19]).shape


def test_the_level_of_a_fragment_is_the_quantile_of_pytorch():
    rows = torch.randn(3, 600)
    wanted = torch.quantile(rows, 0.95, dim=1)
    torch.testing.assert_close(sync_network._quantile(rows, 0.95), wanted)  # pyright: ignore[reportPrivateUsage]


def test_sound_is_embedded_and_evaluated_as_pytorch_does():
    folder, artifact = artifact_folder("audio_artifacts"), tuned("audio_artifacts").artifact
    plain = Scorer(load_network(folder, artifact), "cpu", bf16=False)
    scorer = cast("Any", load("audio_artifacts")).scorer
    rng = np.random.default_rng(2)
    padded = rng.normal(0, 0.05, MARGIN_BEFORE + BLOCK + MARGIN_AFTER).astype(np.float32)
    window = AudioSpectra.join(measure(padded), measure(padded[::-1].copy())).window(0.0)
    found, wanted = scorer.embed_windows([window] * 3), plain.embed_windows([window] * 3)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    near = [[None] * REACH + [wanted[0]] * (NEAR - REACH)] * 2
    np.testing.assert_allclose(scorer.classify(near), plain.classify(near), atol=1e-3)


def toy(factor: float, calls: list[float]) -> Blueprint:
    def convert():
        calls.append(factor)
        network = torch.nn.Linear(4, 2, bias=False)
        torch.nn.init.constant_(network.weight, factor)
        return compiled.traced(network.eval(), (torch.zeros(1, 4),), [[1, 4]])

    return Blueprint("toy", f"{factor}", (), convert)


def test_a_network_is_made_once_and_again_when_anything_it_hangs_on_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "kept"))
    calls: list[float] = []
    ones = np.ones((1, 4), np.float32)
    for _ in range(2):
        assert Compiled(toy(2.0, calls)).model()([ones])[0].tolist() == [[8.0, 8.0]]
    assert calls == [2.0]
    assert Compiled(toy(3.0, calls)).model()([ones])[0].tolist() == [[12.0, 12.0]]
    assert calls == [2.0, 3.0]
    # The compiled form gone, the converted one serves; a new source makes both anew.
    for path in (tmp_path / "kept").glob("*.compiled"):
        path.unlink()
    Compiled(toy(2.0, calls)).model()
    assert calls == [2.0, 3.0]
    Compiled(replace(toy(2.0, calls), modules=("json",))).model()
    assert calls == [2.0, 3.0, 2.0]


def test_networks_that_an_image_brings_are_not_converted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shipped = tmp_path / "shipped"
    monkeypatch.setenv(ENVIRONMENT, str(shipped))
    calls: list[float] = []
    Compiled(toy(2.0, calls)).model()
    shipped.chmod(0o755)
    monkeypatch.setenv(ENVIRONMENT, "off")
    monkeypatch.setenv(SHIPPED_ENVIRONMENT, str(shipped))
    found = Compiled(toy(2.0, calls)).model()([np.ones((1, 4), np.float32)])[0]
    assert found.tolist() == [[8.0, 8.0]]
    assert calls == [2.0]
    # Other weights are another network, and a folder that others can write to is no source.
    Compiled(toy(3.0, calls)).model()
    assert calls == [2.0, 3.0]
    shipped.chmod(0o777)
    Compiled(toy(2.0, calls)).model()
    assert calls == [2.0, 3.0, 2.0]
    monkeypatch.setenv(SHIPPED_ENVIRONMENT, str(tmp_path / "none"))
    Compiled(toy(2.0, calls)).model()
    assert calls == [2.0, 3.0, 2.0, 2.0]


def test_files_of_another_runtime_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "kept"))
    calls: list[float] = []
    Compiled(toy(2.0, calls)).model()
    from defectscope.file_cache import write

    for path in (tmp_path / "kept").iterdir():
        write(path.name, b"\x05\0\0\0\0\0\0\0of another release")
    found = Compiled(toy(2.0, calls)).model()([np.ones((1, 4), np.float32)])[0]
    assert found.tolist() == [[8.0, 8.0]]
    assert calls == [2.0, 2.0]


def test_without_a_face_no_network_is_loaded_that_reads_lips(
    impaired_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    # One of its own: what another test has loaded says nothing.
    detector = AvSync(tuned=tuned("av_sync"))
    with open_media(impaired_clip) as reader:
        assert "av_sync" in measure_media(reader, [detector])
    assert not list(tmp_path.glob("av_sync-*"))
    detector.prepare_rest()
    assert {path.name.split("-")[1] for path in tmp_path.glob("av_sync-*")} == {"mouth", "sound"}


_BARE = """
import sys
from defectscope import analyze
report = analyze({path!r}, detectors=["audio_artifacts", "av_sync", "block_corruption"])
assert report.verdicts["block_corruption"]["verdict"] in ("pass", "fail")
print(sorted(m for m in ("torch", "openvino_telemetry", "scipy.signal") if m in sys.modules))
"""


def test_an_analysis_imports_no_pytorch_once_networks_are_kept(impaired_clip: Path):
    """And nothing that reports to OpenVINO's makers that it was used."""
    seen = ""
    for _ in range(2):
        seen = subprocess.run(
            [sys.executable, "-c", _BARE.format(path=str(impaired_clip))],
            capture_output=True,
            text=True,
            check=True,
            timeout=240,
        ).stdout.strip()
        # The first run on a machine makes what later ones take.
        if seen == "[]":
            break
    assert seen == "[]"
