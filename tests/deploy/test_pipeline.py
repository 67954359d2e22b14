"""The build pipeline and the CloudFormation template, parsed and held against the project."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from defectscope.deploy import iam
from defectscope.deploy.endpoint_spec import START_S, EndpointSpec, Variant, config_resource
from defectscope.deploy.limits import Limits
from defectscope.deploy.rollout import Rollout

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "infrastructure" / "defectscope.yaml"
# These take credentials for an AWS account, or Docker; everything else must run here.
NEEDS_AWS = {"image", "register", "deploy-staging", "call-staging", "promote"}
# Verbs that are run by other tests, are the run of all tests, or come before it in each pipeline.
TOO_LONG = {"test", "check", "docs", "fuzz", "archives", "smoke"}


class _Tagged(yaml.SafeLoader):
    """Reads CloudFormation's short forms as plain data."""


def _any(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


_Tagged.add_multi_constructor("!", _any)


def _commands() -> list[str]:
    phases = yaml.safe_load((ROOT / "buildspec.yml").read_text())["phases"]
    assert list(phases) == ["install", "pre_build", "build", "post_build"]
    return [command for phase in phases.values() for command in phase["commands"]]


def _verbs() -> list[str]:
    return [c.removeprefix("make ") for c in _commands() if c.startswith("make ")]


def test_every_step_of_the_pipeline_is_a_verb() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    verbs = _verbs()
    assert [v for v in verbs if v not in known] == []
    assert verbs.index("check") < verbs.index("test") < verbs.index("archives")
    assert verbs.index("register") < verbs.index("deploy-staging") < verbs.index("promote")
    others = [c for c in _commands() if not c.startswith("make ")]
    assert others == ['test "$CODEBUILD_BUILD_SUCCEEDING" = 1']


@pytest.mark.parametrize("verb", sorted(set(_verbs()) - NEEDS_AWS))
def test_verbs_that_need_no_account_can_be_run(verb) -> None:
    # Long ones are only asked what they would do; `install-dev` has nothing to do any more.
    dry = ["-n"] if verb in TOO_LONG or verb == "install-dev" else []
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "AWS_"))}
    done = subprocess.run(
        ["make", *dry, verb], cwd=ROOT, capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_template_passes_cfn_lint() -> None:
    from cfnlint.api import ManualArgs, lint_file

    matches = lint_file(TEMPLATE, config=ManualArgs(regions=["eu-west-1", "us-east-1"]))
    assert [str(match) for match in matches] == []


def test_templates_role_may_do_no_more_than_the_policy_document() -> None:
    template = yaml.load(TEMPLATE.read_text(), Loader=_Tagged)
    statements = template["Resources"]["ExecutionRole"]["Properties"]["Policies"][0][
        "PolicyDocument"
    ]["Statement"]
    actions: set[str] = set()
    for statement in statements:
        body = statement["If"][1] if "If" in statement else statement
        found = body["Action"]
        actions |= {found} if isinstance(found, str) else set(found)
    policy = iam.execution_policy(
        region="eu-west-1",
        account_id="1",
        model_prefix="m/p",
        media_buckets=["media"],
        output_prefix="o/p",
        repository="r",
        kms_key_arn="k",
        topic_arns=["t"],
        alarms=["errors"],
        vpc=True,
    )
    assert actions == {a for s in policy["Statement"] for a in s["Action"]}


def _resource(name: str) -> dict:
    return yaml.load(TEMPLATE.read_text(), Loader=_Tagged)["Resources"][name]["Properties"]


def _resolved(value, parameters: dict):
    if isinstance(value, dict) and set(value) == {"Ref"} and value["Ref"] in parameters:
        return str(parameters[value["Ref"]]["Default"])
    return value


@pytest.mark.parametrize(
    ("model", "kind"), [("RealtimeModel", "realtime"), ("AsyncModel", "async")]
)
def test_template_sets_the_limits_that_the_scripts_set(model, kind) -> None:
    parameters = yaml.load(TEMPLATE.read_text(), Loader=_Tagged)["Parameters"]
    given = _resource(model)["PrimaryContainer"]["Environment"]
    found = {name: _resolved(value, parameters) for name, value in given.items()}
    found.pop("DEFECTSCOPE_ALLOWED_BUCKETS")
    assert found == Limits.of(kind).environment()
    # The worker answers before SageMaker's own limit ends the call without a word.
    assert int(found["DEFECTSCOPE_TIME_LIMIT_S"]) < int(found["TS_DEFAULT_RESPONSE_TIMEOUT"])


def test_template_starts_and_rolls_out_as_the_scripts_do() -> None:
    variant = Variant(image="i", model_data_url="s3://m/x", instance_type="ml.c6i.2xlarge")
    spec = EndpointSpec("qc", "r", (variant,), Limits.of("realtime"))
    (wanted,) = config_resource(spec, ["m"]).make.request["ProductionVariants"]
    for name in ("RealtimeConfig", "AsyncConfig"):
        (found,) = _resource(name)["ProductionVariants"]
        own = {"ModelName", "InstanceType"}
        assert {k: v for k, v in found.items() if k not in own} == {
            k: v for k, v in wanted.items() if k not in own
        }
    endpoint = _resource("RealtimeEndpoint")
    assert endpoint["RetainAllVariantProperties"] is True
    alarm = {"Ref": "ErrorAlarm"}
    config = Rollout(alarms=("",)).config(1, start_s=START_S)
    config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": alarm}]}
    assert endpoint["DeploymentConfig"] == config
    assert _resource("ErrorAlarm")["MetricName"] == "Invocation5XXErrors"


def test_dashboard_is_json_and_shows_the_handlers_metrics() -> None:
    template = yaml.load(TEMPLATE.read_text(), Loader=_Tagged)
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"]
    text = json.dumps(json.loads(body))
    source = (ROOT / "src/defectscope/serving/metrics.py").read_text()
    for name in ("Findings", "RealTimeFactor", "Errors", "ProgrammeSeconds"):
        assert name in text
        assert f'"{name}"' in source
