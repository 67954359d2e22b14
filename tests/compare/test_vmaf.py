"""VMAF and CAMBI of paired frames; skipped where the program is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.cli.main import main
from defectscope.compare import compare
from defectscope.errors import InvalidParameterError, UnreadableMediaError
from defectscope.media import ffmpeg_program, open_media
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.main_tracks import main_frames
from defectscope.media.vmaf import Vmaf
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage

SIZE = (320, 180)


@pytest.fixture
def program() -> None:
    pytest.importorskip("imageio_ffmpeg", reason="the extra vmaf is not installed")


def written(path: Path, crf: float, first: int = 0, codec: str = "libx264") -> Path:
    footage = Footage(seed=5, width=SIZE[0], height=SIZE[1], frames=60, cuts_s=(1.2,))
    frames = (Frame(k, 1, f.planes, 8) for k, f in enumerate(list(footage)[first:]))
    write_clip(path, frames=frames, video=VideoEncoding(*SIZE, Fraction(25), crf=crf, codec=codec))
    return path


def measured(base: Path, candidate: Path) -> dict[str, Any]:
    found = compare(base, candidate, detectors=["freeze"], vmaf=True)
    assert found.quality is not None
    return found.quality.to_dict()


@pytest.mark.usefixtures("program")
def test_equal_frames_are_best_and_coarser_ones_worse(tmp_path: Path) -> None:
    base = written(tmp_path / "base.mp4", 10)
    same = measured(base, base)
    fair = measured(base, written(tmp_path / "fair.mp4", 30, first=7))
    poor = measured(base, written(tmp_path / "poor.mp4", 45, first=7))
    assert (same["frames"], fair["frames"]) == (60, 53)
    # Were frames one apart in the pipe, the best could not be told from the others.
    assert same["vmaf"]["mean"] > 95 > fair["vmaf"]["mean"] > poor["vmaf"]["mean"] + 10
    assert same["cambi"]["mean"] >= 0


@pytest.mark.usefixtures("program")
def test_gradients_in_steps_have_a_higher_cambi(tmp_path: Path) -> None:
    def gradient(dithered: bool) -> Iterator[Frame]:
        # Bands of one code, 42 samples wide: what 8 bits make of a sky.
        ramp = np.tile(np.linspace(60, 75, 640), (360, 1))
        rng = np.random.default_rng(1)
        for k in range(30):
            noise = rng.normal(0, 1.0, ramp.shape) if dithered else 0.0
            luma = np.round(ramp + 2 * k / 30 + noise).astype(np.uint8)
            chroma = np.full((180, 320), 128, np.uint8)
            planes = tuple(Plane(p, p.shape[1], p.shape[0]) for p in (luma, chroma, chroma))
            yield Frame(k, 1, planes, 8)

    encoding = VideoEncoding(640, 360, Fraction(25), crf=4.0)
    paths = [tmp_path / "fine.mp4", tmp_path / "steps.mp4"]
    for path, dithered in zip(paths, (True, False), strict=True):
        write_clip(path, frames=gradient(dithered), video=encoding)
    values: list[float] = []
    for path in paths:
        with open_media(path) as reader, Vmaf() as vmaf:
            for frame in main_frames(reader):
                vmaf.add(frame.native, frame.native)
            values.append(float(vmaf.close()["cambi"].mean()))
    assert values[1] > values[0] + 1.0


@pytest.mark.usefixtures("program")
def test_a_program_that_fails_is_an_error_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("defectscope.media.vmaf.MODEL", "none_such")
    footage = list(Footage(seed=5, width=320, height=180, frames=3))
    path = tmp_path / "a.mp4"
    write_clip(path, frames=iter(footage), video=VideoEncoding(320, 180, Fraction(25)))
    with open_media(path) as reader, Vmaf() as vmaf:

        def whole() -> None:
            for frame in main_frames(reader):
                vmaf.add(frame.native, frame.native)
            vmaf.close()

        with pytest.raises(UnreadableMediaError, match="none_such"):
            whole()
        assert vmaf._child is not None
        assert vmaf._child.poll() is not None


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(ffmpeg_program, "import_module", missing)
    with pytest.raises(InvalidParameterError, match=r"defectscope\[vmaf\]"):
        Vmaf()


def test_vmaf_without_metrics_makes_no_sense() -> None:
    assert main(["compare", "a.mp4", "b.mp4", "--vmaf", "--no-metrics"]) == 2
