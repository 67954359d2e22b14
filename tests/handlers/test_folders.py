"""The folders of a detector agree: detectors/, handlers/, model_artifacts/."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from typing import Any

import pytest
import yaml
from loaded_handlers import HANDLERS, ROOT, handler_of

from defectscope.detectors import load, names
from defectscope.engine.artifacts import tuned
from defectscope.errors import ServingError
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.codec import AnalysisRequest, read_line
from defectscope.serving.sample import sample_avi
from defectscope.serving.settings import ServingSettings

# What answers with sound instead of a report.
RENDERERS = {"spatial_audio"}
ONE_DETECTOR = [p for p in HANDLERS if p.name not in {"all_detectors", *RENDERERS}]
FUNCTION = ast.FunctionDef
STEPS = ("preprocess", "inference", "postprocess")


def test_every_detector_has_a_handler_and_every_handler_a_detector():
    missing = {*names(), "all_detectors"} - {p.name for p in HANDLERS}
    assert not missing, "docs/serving.md says what a new detector's folder in handlers/ holds"
    detectors = {p.parent.name for p in (ROOT / "src/defectscope/detectors").glob("*/__init__.py")}
    assert {p.name for p in HANDLERS} <= {*detectors, *RENDERERS, "all_detectors"}
    assert {p.name for p in (ROOT / "handlers").iterdir() if p.is_dir()} == {
        p.name for p in HANDLERS
    }


@pytest.mark.parametrize("folder", HANDLERS, ids=lambda p: p.name)
def test_a_handler_is_one_class_that_shows_its_three_steps(folder):
    tree = ast.parse((folder / "handler.py").read_text("utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert len(classes) == 1
    assert classes[0].name == "".join(map(str.capitalize, folder.name.split("_"))) + "Handler"
    steps = [node.name for node in classes[0].body if isinstance(node, ast.FunctionDef)]
    assert steps == list(STEPS)
    for node in classes[0].body:
        if isinstance(node, ast.FunctionDef):
            assert ast.get_docstring(node)
    # TorchServe's own package is nobody's business but serving's.
    imported = {
        n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names
    }
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(module == "ts" or module.startswith("ts.") for module in imported)


@pytest.mark.parametrize("folder", HANDLERS, ids=lambda p: p.name)
def test_a_handler_serves_its_own_detector(folder):
    text = (folder / "handler.py").read_text("utf-8")
    wanted = "all_detectors()" if folder.name == "all_detectors" else f'("{folder.name}",)'
    assert f"serves = {wanted}" in text


@pytest.mark.parametrize("folder", HANDLERS, ids=lambda p: p.name)
def test_the_configuration_keeps_assets_apart_and_outlasts_the_time_limit(folder):
    config = yaml.safe_load((folder / "model-config.yaml").read_text("utf-8"))
    assert config["batchSize"] == 1
    # A container answers with its first worker and then asks for the others: two that load at once
    # on two cores would double the time to the first answer.
    assert config["minWorkers"] == 1
    assert config["maxWorkers"] == (2 if folder.name == "all_detectors" else 1)
    assert config["responseTimeout"] > ServingSettings().time_limit_s
    assert config["startupTimeout"] >= 120


@pytest.mark.parametrize("folder", HANDLERS, ids=lambda p: p.name)
def test_a_readme_shows_a_request_that_the_endpoint_understands(folder):
    text = (folder / "README.md").read_text("utf-8")
    (request,) = re.findall(r"```json request\n(.*?)```", text, re.DOTALL)
    read = read_line(request.encode())
    assert read.uri is not None
    if folder.name != "all_detectors":
        assert read.detectors == (folder.name,)
    (response,) = re.findall(r"```json response\n(.*?)```", text, re.DOTALL)
    wanted = (
        {"rendering", "audio"} if folder.name in RENDERERS else {"asset", "findings", "verdicts"}
    )
    assert set(json.loads(response)) >= {"schema", *wanted}


@pytest.mark.parametrize("folder", ONE_DETECTOR, ids=lambda p: p.name)
def test_what_a_handler_selects_is_what_its_detector_measures(folder, monkeypatch):
    asked: list[tuple[Any, ...]] = []

    def select(self, *, features=(), rgb=None, sound=False):
        asked.append((frozenset(features), rgb, sound))
        held_to(self, features=features, rgb=rgb, sound=sound)

    held_to = OpenAsset.select
    monkeypatch.setattr(OpenAsset, "select", select)
    handler_of(folder).preprocess(AnalysisRequest(media=sample_avi())).close()
    needs = load(folder.name).needs
    assert asked == [(needs.features, needs.frames, "audio" in needs.media)]


def test_a_handler_that_selects_something_else_is_stopped():
    asset = open_asset(AnalysisRequest(media=sample_avi()), ServingSettings(), ("freeze",))
    with pytest.raises(ServingError, match="freeze asks for something else"):
        asset.select(features=("sad",))
    asset.close()


@pytest.mark.parametrize("folder", ONE_DETECTOR, ids=lambda p: p.name)
def test_the_words_of_a_handler_are_those_of_its_detector(folder):
    """Every name in backticks is a feature, parameter, threshold, class or field that exists."""
    tree = ast.parse((folder / "handler.py").read_text("utf-8"))
    (handler,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    steps = {n.name: ast.get_docstring(n) or "" for n in handler.body if isinstance(n, FUNCTION)}
    detector = load(folder.name)
    package = ROOT / "src/defectscope/detectors" / folder.name
    code = "\n".join(path.read_text("utf-8") for path in package.glob("*.py"))
    known = detector.needs.features | {f.name for f in dataclasses.fields(detector.params)}
    known |= set(tuned(folder.name).thresholds) | {"id"}
    for step, text in steps.items():
        for word in re.findall(r"`([^`]+)`", text):
            in_code = re.search(rf"(class {word}\b|[\"']{word}[\"'])", code)
            assert word in known or in_code, f"{step}: `{word}` is not of {folder.name}"
    # And the selection is told in full.
    told = set(re.findall(r"`([^`]+)`", steps["preprocess"]))
    assert detector.needs.features <= told
    assert ("Sound: not decoded" in steps["preprocess"]) == (
        "audio" not in detector.needs.media and bool(detector.needs.media)
    )
