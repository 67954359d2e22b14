"""Every parameter that can be set states its range, and refuses what lies outside."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from defectscope.cli.analyze_options import parse_settings
from defectscope.cli.main import main
from defectscope.detectors import load
from defectscope.detectors.registry import built_in, detector_class
from defectscope.errors import InvalidParameterError
from defectscope.parameters import Parameter, described, from_text
from defectscope.simulate.registry import simulators
from defectscope.training.contract import LEARNED, Schedule, recipe

ROOT = Path(__file__).parents[2]
KINDS: dict[str, Any] = {
    **{name: detector_class(name).Params for name in built_in()},
    **{f"simulate {name}": made.params for name, made in simulators().items()},
    **{f"train {name}": type(recipe(name).settings) for name in LEARNED},
    "train schedule": Schedule,
}
PLAIN = {kind: params() for kind, params in KINDS.items() if params is not Schedule}
PLAIN["train schedule"] = Schedule(steps=1, batch=1, peak_rate=0.1)
ALL = [(kind, p) for kind, params in KINDS.items() for p in described(params)]
IDS = [f"{kind}.{p.name}" for kind, p in ALL]


def outside(parameter: Parameter) -> list[Any]:
    """Values that a parameter must refuse."""
    if parameter.kind == "boolean":
        return [0, 1, 1.0, "yes", None]
    if parameter.kind == "string":
        wrong = [1, True, None, "x" * 10_000]
        return wrong + (["", "other"] if parameter.choices or parameter.pattern else [])
    if parameter.kind == "array":
        return [1, None, "text", ["a", 1], ("x",) * 2000]
    assert parameter.meta is not None
    low = parameter.meta.ge if parameter.meta.ge is not None else parameter.meta.gt
    assert low is not None
    assert parameter.meta.le is not None
    step = 1 if parameter.kind == "integer" else 1e-3
    values: list[Any] = [low - step, parameter.meta.le + step, True, False, None, "1"]
    values += [10**400, -(10**400), float("nan"), float("inf"), -float("inf"), [low]]
    if parameter.kind == "integer":
        values.append(low + 0.5)
    if parameter.meta.gt is not None:
        values.append(low)
    return values


@pytest.mark.parametrize(("kind", "parameter"), ALL, ids=IDS)
def test_a_parameter_names_its_range_and_refuses_what_lies_outside(kind: str, parameter: Parameter):
    assert parameter.meaning.endswith("."), "its meaning is a sentence"
    if parameter.kind in ("number", "integer"):
        assert parameter.meta is not None, "its range is stated"
    parameter.check(getattr(PLAIN[kind], parameter.name))
    for value in outside(parameter):
        with pytest.raises(InvalidParameterError) as caught:
            parameter.check(value)
        assert caught.value.message.startswith(f"{parameter.name} is {parameter.allowed}, not ")
        # Made by hand, or changed, it is refused as well.
        with pytest.raises(InvalidParameterError):
            KINDS[kind](**{**asdict(PLAIN[kind]), parameter.name: value})
        with pytest.raises(InvalidParameterError):
            replace(PLAIN[kind], **{parameter.name: value})


@pytest.mark.parametrize(("kind", "parameter"), ALL, ids=IDS)
def test_both_ends_of_a_range_are_inside(kind: str, parameter: Parameter):
    ends = list(parameter.choices) or ([True, False] if parameter.kind == "boolean" else [])
    if parameter.meta is not None:
        ends = [end for end in (parameter.meta.ge, parameter.meta.le) if end is not None]
        ends = [int(end) if parameter.kind == "integer" else float(end) for end in ends]
    for end in ends:
        parameter.check(end)


@pytest.mark.parametrize("name", built_in())
def test_command_line_endpoint_and_python_refuse_alike(name: str):
    for parameter in described(detector_class(name).Params):
        for value in outside(parameter):
            with pytest.raises(InvalidParameterError, match=parameter.name):
                load(name, {parameter.name: value})
        # What the command line and the endpoint hand on is JSON, which has NaN and Infinity here.
        for text in ("NaN", "Infinity", "-1e999", "null", "[]", '"other"'):
            settings = parse_settings([f"{name}.{parameter.name}={text}"])
            with pytest.raises(InvalidParameterError, match=parameter.name):
                load(name, settings[name])


@pytest.mark.parametrize("name", simulators())
def test_simulators_refuse_text_out_of_range(name: str):
    params = simulators()[name].params()
    for parameter in described(type(params)):
        for value in ("nan", "inf", "-1e30", "", "other"):
            with pytest.raises(InvalidParameterError, match=parameter.name):
                from_text(params, {parameter.name: value})


@pytest.mark.parametrize("name", built_in())
def test_help_names_every_range(name: str, capsys: pytest.CaptureFixture[str]):
    assert main(["detectors", name]) == 0
    shown = "".join(capsys.readouterr().out.split())
    assert main(["detectors", name, "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    for parameter in described(detector_class(name).Params):
        assert parameter.name in shown
        assert parameter.allowed.split()[0] in shown
        assert schema["properties"][parameter.name]["default"] == parameter.default


@pytest.fixture(scope="module")
def openapi() -> Any:
    document = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text("utf-8"))
    return document["components"]["schemas"]["Parameters"]


@pytest.mark.parametrize("name", built_in())
def test_the_openapi_document_says_what_the_endpoint_refuses(name: str, openapi: Any):
    validator = jsonschema.Draft202012Validator(openapi)
    assert set(openapi["properties"]) == set(built_in())
    defaults = {p.name: p.default for p in described(detector_class(name).Params)}
    validator.validate({name: defaults})
    assert not validator.is_valid({name: {"unknown": 1}})
    for parameter in described(detector_class(name).Params):
        for value in outside(parameter):
            if isinstance(value, float) and not abs(value) < 1e300:
                continue  # JSON has neither NaN nor infinity
            assert not validator.is_valid({name: {parameter.name: value}}), (parameter.name, value)


def test_what_is_written_about_them_is_what_the_code_says():
    """Tables in docs/detectors and the gallery, docs/cli.md, OpenAPI and schema."""
    script = str(ROOT / "scripts/write_reference.py")
    done = subprocess.run(
        [sys.executable, script, "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}run `make reference`"
