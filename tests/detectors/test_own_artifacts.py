"""The user's own artifacts take the place of the released ones, everywhere, and are named."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.analysis import analyze, merge
from defectscope.cli.main import main
from defectscope.deploy.archive_contents import stage, version_of
from defectscope.detectors import load_all
from defectscope.engine.artifacts import ENVIRONMENT, bundled, own_artifacts, tuned
from defectscope.errors import ArtifactError, MalformedRequestError
from defectscope.simulate.synthetic.soundscape import music_like

NAME = "audio_dropout"


def _own(folder: Path, name: str = NAME, **changed: object) -> Path:
    """Copies a released artifact under `folder`, as version 9.9 and otherwise changed."""
    target = folder / name
    shutil.copytree(bundled("model_artifacts") / name, target)
    document = json.loads((target / "detector.json").read_text("utf-8"))
    document |= {"version": "9.9", **changed}
    (target / "detector.json").write_text(json.dumps(document), "utf-8")
    return target


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of sound with a hole of 0.3 s."""
    path = tmp_path_factory.mktemp("own") / "hole.wav"
    sound = music_like(1, 2.0, 48000).copy()
    sound[48000:62400] = 0
    soundfile.write(path, sound, 48000)
    return path


def test_they_decide_and_the_report_names_them(clip: Path, tmp_path: Path) -> None:
    own = _own(tmp_path)
    digest = hashlib.sha256((own / "detector.json").read_bytes()).hexdigest()
    released = analyze(clip, detectors=[NAME])
    assert "artifact_sha256" not in released.detectors[NAME]
    # A folder of several, and a folder that export wrote: both are taken.
    for folder in (tmp_path, own):
        report = analyze(clip, detectors=[NAME], artifacts=folder)
        assert report.detectors[NAME]["version"] == "9.9"
        assert report.detectors[NAME]["artifact_sha256"] == digest
    assert analyze(clip, detectors=[NAME]).detectors == released.detectors


def test_their_thresholds_are_used(clip: Path, tmp_path: Path) -> None:
    assert analyze(clip, detectors=[NAME]).findings
    thresholds = {k: 0.0 for k in tuned(NAME).thresholds}
    severity = {NAME: {"always": "critical"}}
    _own(tmp_path, severity=severity)
    found = analyze(clip, detectors=[NAME], artifacts=tmp_path).findings
    assert {f.severity for f in found} == {"critical"}
    assert thresholds.keys() == tuned(NAME, tmp_path).thresholds.keys()


def test_the_environment_names_them(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _own(tmp_path)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert analyze(clip, detectors=[NAME]).detectors[NAME]["version"] == "9.9"
    assert main(["detectors"]) == 0
    assert "9.9" in capsys.readouterr().out


def test_the_command_line_takes_them(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _own(tmp_path)
    wanted = ["analyze", str(clip), "--detectors", NAME, "--artifacts", str(tmp_path)]
    assert main([*wanted, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["detectors"][NAME]["version"] == "9.9"
    assert "own artifact 9.9" in err
    assert main([*wanted, "--endpoint", "x"]) == 2
    assert "build its archive with them" in capsys.readouterr().err


def test_what_is_no_artifact_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such folder"):
        analyze(clip, detectors=[NAME], artifacts=tmp_path / "nowhere")
    _own(tmp_path / "a", name=NAME)
    (tmp_path / "a" / NAME / "detector.json").write_text("{", "utf-8")
    with pytest.raises(ArtifactError, match="not a detector's artifact"):
        analyze(clip, detectors=[NAME], artifacts=tmp_path / "a")
    strange = {"name": "no_such", "version": "1", "thresholds": {}, "severity": {}}
    (_own(tmp_path / "b") / "detector.json").write_text(json.dumps(strange), "utf-8")
    (tmp_path / "b" / NAME).rename(tmp_path / "b" / "no_such")
    with pytest.raises(ArtifactError, match="no_such: no such detector"):
        load_all([NAME], artifacts=tmp_path / "b")


def test_an_artifact_in_the_folder_of_another_detector_is_refused(tmp_path: Path) -> None:
    _own(tmp_path).rename(tmp_path / "freeze")
    with pytest.raises(ArtifactError, match="is of audio_dropout, not of freeze"):
        load_all(["freeze"], artifacts=tmp_path)
    # Named directly it may lie anywhere.
    assert own_artifacts(tmp_path / "freeze") == {NAME: tmp_path / "freeze"}


@pytest.mark.parametrize("value", [None, float("nan")])
def test_thresholds_that_are_missing_or_no_numbers_are_refused(
    value: float | None, tmp_path: Path
) -> None:
    thresholds = dict(tuned(NAME).thresholds)
    name = next(iter(thresholds))
    if value is None:
        del thresholds[name]
    else:
        thresholds[name] = value
    _own(tmp_path, thresholds=thresholds)
    with pytest.raises(ArtifactError, match=name):
        load_all([NAME], artifacts=tmp_path)


def test_the_command_line_says_that_none_of_them_is_used(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _own(tmp_path)
    wanted = ["analyze", str(clip), "--artifacts", str(tmp_path), "--detectors"]
    assert main([*wanted, "stereo_image"]) == 0
    assert f"is not used: it holds {NAME}" in capsys.readouterr().err
    assert main([*wanted, f"stereo_image, {NAME}"]) == 0
    assert "is not used" not in capsys.readouterr().err


def test_weights_of_another_hash_and_of_another_version_are_refused(tmp_path: Path) -> None:
    own = _own(tmp_path, "audio_artifacts")
    path = own / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="its SHA-256 is"):
        load_all(["audio_artifacts"], artifacts=tmp_path)
    shutil.rmtree(own)
    _own(tmp_path, "audio_artifacts", network={})
    with pytest.raises(ArtifactError, match="not made for this version of audio_artifacts"):
        load_all(["audio_artifacts"], artifacts=tmp_path)


def test_segments_are_merged_with_the_artifacts_that_measured_them(
    clip: Path, tmp_path: Path
) -> None:
    _own(tmp_path)
    options = {"detectors": [NAME], "measurements": True, "artifacts": tmp_path}
    parts = [analyze(clip, start_s=a, end_s=b, **options).to_dict() for a, b in ((0, 1), (1, 2))]
    whole = analyze(clip, detectors=[NAME], artifacts=tmp_path)
    assert merge(parts, artifacts=tmp_path).detectors == whole.detectors
    with pytest.raises(MalformedRequestError, match="another version"):
        merge(parts)


@pytest.mark.usefixtures("shared_at_any_length")
def test_several_workers_use_them(clip: Path, tmp_path: Path) -> None:
    _own(tmp_path, severity={NAME: {"always": "critical"}})
    report = analyze(clip, detectors=[NAME], artifacts=tmp_path, workers=2)
    assert {f.severity for f in report.findings} == {"critical"}
    assert np.isclose(report.findings[0].start_s, 1.0, atol=0.05)


def test_an_archive_brings_them_along(tmp_path: Path) -> None:
    _own(tmp_path / "own")
    assert version_of(NAME, tmp_path / "own") == "9.9"
    staged = tmp_path / "staged"
    stage(NAME, staged, tmp_path / "own")
    asked = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from defectscope.engine.artifacts import tuned\n"
        f"t = tuned('{NAME}'); print(t.version, t.own)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", asked, str(staged)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["9.9", "True"]
    assert own_artifacts() == {}
