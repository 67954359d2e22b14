"""A detector is its folders: code, handler, artifact, card, page, simulator. All or none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from defectscope.detectors import detector_class, load, names
from defectscope.engine.artifacts import tuned
from defectscope.features import FEATURES
from defectscope.simulate.registry import simulators

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "defectscope"


@pytest.mark.parametrize("name", names())
def test_every_detector_has_its_folders(name: str) -> None:
    kind = detector_class(name)
    assert kind.name == name
    for folder, files in {
        ROOT / "handlers" / name: ("handler.py", "model-config.yaml", "README.md"),
        ROOT / "model_artifacts" / name: ("detector.json", "CARD.md"),
    }.items():
        for file in files:
            assert (folder / file).is_file(), f"{folder.name}/{file}"
    assert (ROOT / "docs" / "detectors" / f"{name}.md").is_file()
    assert any((ROOT / "tests" / "detectors").rglob(f"{name}/test_*.py"))


def test_no_folder_is_left_over() -> None:
    known = {*names(), "all_detectors", "spatial_audio"}
    for kind in ("handlers", "model_artifacts"):
        found = {p.name for p in (ROOT / kind).iterdir() if p.is_dir() and any(p.iterdir())}
        assert found <= known, found - known


@pytest.mark.parametrize("name", names())
def test_artifacts_speak_of_their_detector(name: str) -> None:
    data = json.loads((ROOT / "model_artifacts" / name / "detector.json").read_text())
    assert data["name"] == name
    assert set(tuned(name).severity) == set(detector_class(name).defects)


@pytest.mark.parametrize("name", names())
def test_every_defect_can_be_simulated(name: str) -> None:
    made = {defect for s in simulators().values() for defect in s.defects}
    assert set(detector_class(name).defects) <= made


@pytest.mark.parametrize("name", names())
def test_needs_name_features_that_exist(name: str) -> None:
    assert load(name).needs.features <= {f.name for f in FEATURES}


def test_importing_the_package_costs_nothing() -> None:
    code = (
        "import sys, defectscope; "
        "print(sorted({'numpy', 'torch', 'av', 'boto3', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_scripts_do_not_shadow_the_sdk() -> None:
    folder = ROOT / "sagemaker"
    assert not (folder / "__init__.py").exists()
    taken = set(sys.stdlib_module_names) | {"core", "serve", "train", "mlops"}
    assert not {p.stem for p in folder.glob("*.py")} & taken
