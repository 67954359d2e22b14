"""The folders of a detector agree: detectors/, handlers/, model_artifacts/."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from defectscope.detectors import names
from defectscope.serving.codec import read_line
from defectscope.serving.settings import Settings

ROOT = Path(__file__).parents[2]
HANDLERS = sorted(p.parent for p in (ROOT / "handlers").glob("*/handler.py"))
STEPS = ("preprocess", "inference", "postprocess")


def test_every_detector_has_a_handler_and_every_handler_a_detector():
    missing = {*names(), "all_detectors"} - {p.name for p in HANDLERS}
    assert not missing, "docs/serving.md says what a new detector's folder in handlers/ holds"
    detectors = {p.parent.name for p in (ROOT / "src/defectscope/detectors").glob("*/__init__.py")}
    assert {p.name for p in HANDLERS} <= {*detectors, "all_detectors"}
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
    assert config["minWorkers"] == config["maxWorkers"] >= 1
    assert config["responseTimeout"] > Settings().time_limit_s
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
    assert set(json.loads(response)) >= {"schema", "asset", "findings", "verdicts"}
