"""The pipeline of the loop: its definition against AWS's models and SDK, and run step by step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from defectscope.deploy.calls import Account, Call, Transaction
from defectscope.deploy.pipeline import JOB_ROOT, Loop, definition, put_pipeline
from defectscope.deploy.pipeline_run import Execution, download
from defectscope.errors import DeployError, InvalidParameterError
from defectscope.learning.pipeline_step import build_parser

ROLE = "arn:aws:iam::123456789012:role/defectscope"
LOOP = Loop(
    "s3://qc-work/review/", "s3://qc-work/held_out", "s3://qc-work/service", "s3://qc-work/shadow",
    "s3://qc-work/loop", "s3://models/defectscope",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/defectscope:1", ROLE, "qc", ("qc-errors",),
    canary_wait_s=0,
)  # fmt: skip
SCHEMA_TYPES = {"Processing", "Condition", "Fail"}


def every(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            yield from every(step["Arguments"]["IfSteps"])
            yield from every(step["Arguments"]["ElseSteps"])


def resolved() -> Execution:
    account = Account(region="us-east-1", typed=False)
    return Execution(definition(LOOP), {}, account, Path("unused"), name="e1")


def jobs() -> list[tuple[str, dict[str, Any]]]:
    own = resolved()
    return [
        (step["Name"], {"ProcessingJobName": "j", **own.value(step["Arguments"])})
        for step in every(own.definition["Steps"])
        if step["Type"] == "Processing"
    ]


def test_botocore_accepts_every_job_and_the_pipeline() -> None:
    assert [name for name, _ in jobs()] == [
        "Prepare", "Train", "Evaluate", "Register", "Shadow", "Canary", "Reject",
    ]  # fmt: skip
    for _, request in jobs():
        Call("sagemaker", "create_processing_job", request).check()
        with pytest.raises(InvalidParameterError):
            Call("sagemaker", "create_processing_job", {**request, "RoleArn": "x"}).check()
    account = Account(region="us-east-1", typed=False)
    steps = Transaction(account, dry_run=True)
    put_pipeline("qc-learns", LOOP, steps, {"team": "qc"})
    (call,) = steps.calls
    assert call.operation == "create_pipeline"
    assert json.loads(call.request["PipelineDefinition"]) == definition(LOOP)
    with pytest.raises(InvalidParameterError):
        put_pipeline("qc_learns!", LOOP, steps)


def test_the_definition_is_whole() -> None:
    whole = definition(LOOP)
    steps = list(every(whole["Steps"]))
    names = [step["Name"] for step in steps]
    assert len(set(names)) == len(names)
    assert {step["Type"] for step in steps} == SCHEMA_TYPES
    text = json.dumps(whole)
    known = {p["Name"] for p in whole["Parameters"]}
    used = set(re.findall(r'"Parameters\.(\w+)"', text))
    assert used == known
    made = {
        f"{s['Name']}/{o['OutputName']}"
        for s in steps
        for o in s["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", ())
    }
    own = resolved()
    for step in steps:
        for given in step["Arguments"].get("ProcessingInputs", ()):
            source = own.value(given["S3Input"]["S3Uri"])
            assert given["S3Input"]["LocalPath"].startswith(JOB_ROOT)
            if "/loop/e1/" in source:
                assert source.partition("/loop/e1/")[2] in made
        if step["Type"] == "Processing":
            # What a job is told is what the step understands.
            build_parser().parse_args(
                own.value(step["Arguments"]["AppSpecification"]["ContainerArguments"])
            )


@pytest.mark.parametrize(
    "change",
    [{"alarms": ()}, {"queue_uri": "work/review"}, {"media_uri": "s3://"}, {"most_changed": 2.0}],
)
def test_what_cannot_work_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        replace(LOOP, **change)


@pytest.mark.slow
def test_the_sdk_accepts_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """SageMaker's SDK builds the same pipeline from its own objects, and finds no fault in it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    pytest.importorskip("sagemaker.mlops.workflow.pipeline", reason="the SDK is not installed")
    from sagemaker.core.workflow.conditions import ConditionEquals
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.functions import Join, JsonGet
    from sagemaker.core.workflow.parameters import ParameterString
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.core.workflow.properties import Properties, PropertyFile
    from sagemaker.mlops.workflow.condition_step import ConditionStep
    from sagemaker.mlops.workflow.fail_step import FailStep
    from sagemaker.mlops.workflow.pipeline import Pipeline, PipelineGraph
    from sagemaker.mlops.workflow.steps import Step, StepTypeEnum

    whole = definition(LOOP)
    parameters = {
        p["Name"]: ParameterString(p["Name"], default_value=p["DefaultValue"])
        for p in whole["Parameters"]
    }

    class Job(Step):
        """A processing step over a request that is there already."""

        def __init__(self, own: dict[str, Any]) -> None:
            super().__init__(
                own["Name"], step_type=StepTypeEnum.PROCESSING, depends_on=own.get("DependsOn")
            )
            self.request = objects(own["Arguments"])
            self.property_files = [
                PropertyFile(f["PropertyFileName"], f["OutputName"], f["FilePath"])
                for f in own.get("PropertyFiles", ())
            ]

        @property
        def arguments(self) -> Any:
            return self.request

        @property
        def properties(self) -> Any:
            return Properties(self.name, shape_name="DescribeProcessingJobResponse")

        def to_request(self) -> Any:
            files = {"PropertyFiles": [f.expr for f in self.property_files]}
            return {**super().to_request(), **(files if self.property_files else {})}

    def objects(value: Any) -> Any:
        if isinstance(value, list):
            return [objects(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Get"}:
            kind, _, name = value["Get"].partition(".")
            return (
                parameters[name]
                if kind == "Parameters"
                else ExecutionVariables.PIPELINE_EXECUTION_ID
            )
        if set(value) == {"Std:Join"}:
            return Join(value["Std:Join"]["On"], objects(value["Std:Join"]["Values"]))
        return {key: objects(item) for key, item in value.items()}

    def step_of(own: dict[str, Any]) -> Any:
        arguments = own["Arguments"]
        if own["Type"] == "Processing":
            return Job(own)
        if own["Type"] == "Fail":
            return FailStep(own["Name"], arguments["ErrorMessage"], depends_on=own.get("DependsOn"))
        (condition,) = arguments["Conditions"]
        query = condition["LeftValue"]["Std:JsonGet"]
        _, of, _, file = query["PropertyFile"]["Get"].split(".")
        return ConditionStep(
            own["Name"],
            conditions=[ConditionEquals(JsonGet(of, file, query["Path"]), True)],
            if_steps=[step_of(s) for s in arguments["IfSteps"]],
            else_steps=[step_of(s) for s in arguments["ElseSteps"]],
        )

    pipeline = Pipeline(
        "qc-learns",
        list(parameters.values()),
        None,
        steps=[step_of(step) for step in whole["Steps"]],
        sagemaker_session=PipelineSession(),
    )
    built = json.loads(pipeline.definition())
    assert built["Version"] == whole["Version"]
    assert built["Parameters"] == whole["Parameters"]
    assert built["Steps"] == whole["Steps"]
    PipelineGraph.from_pipeline(pipeline)
    # Its checks bite: a document that no step writes is refused, and so is a circle.
    broken = json.loads(json.dumps(whole["Steps"]))
    del broken[2]["PropertyFiles"]
    pipeline.steps = [step_of(step) for step in broken]
    with pytest.raises(ValueError, match="Property file"):
        PipelineGraph.from_pipeline(pipeline)
    circular = json.loads(json.dumps(whole["Steps"]))
    circular[0]["DependsOn"] = ["Evaluate"]
    pipeline.steps = [step_of(step) for step in circular]
    with pytest.raises(ValueError, match="Cycle"):
        PipelineGraph.from_pipeline(pipeline)


def put(s3: Any, bucket: str, key: str, body: bytes = b"x") -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=body)


def stub_definition(verdicts: dict[str, Any], stub: Path) -> dict[str, Any]:
    """The pipeline, its jobs' command replaced by one that writes what a step would say."""
    stub.write_text(
        "import json, os, pathlib, sys\n"
        f"verdicts = {verdicts!r}\n"
        "root = pathlib.Path(os.environ['DEFECTSCOPE_PROCESSING'])\n"
        "step = sys.argv[1]\n"
        "if step == verdicts.get('broken'):\n"
        "    sys.exit('it broke')\n"
        "names = {'prepare': 'prepared/x', 'train': 'candidate/x', 'register': 'release/x',\n"
        "         'evaluate': 'evaluation/comparison.json', 'shadow': 'shadow/shadow.json',\n"
        "         'canary': 'promotion/promotion.json', 'reject': 'rejected/x'}\n"
        "path = root / names[step]\n"
        "path.parent.mkdir(exist_ok=True)\n"
        "path.write_text(json.dumps({'accepted': verdicts.get(step), 'promoted': "
        "verdicts.get(step)}))\n"
        "print('step: ' + ' '.join(sorted(p.name for p in root.iterdir())))\n"
    )
    text = json.dumps(definition(LOOP)).replace(
        '["python", "-m", "defectscope.learning.pipeline_step"]', json.dumps(["python", str(stub)])
    )
    return json.loads(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verdicts", "ended", "succeeded"),
    [
        ({"evaluate": True, "shadow": True, "canary": True}, "Promoted", True),
        ({"evaluate": False}, "Refused", False),
        ({"evaluate": True, "shadow": False}, "ShadowRefused", False),
        ({"evaluate": True, "shadow": True, "canary": False}, "TakenBack", False),
    ],
)
def test_each_branch_is_run(
    cloud: Any, cloud_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    verdicts: dict[str, Any], ended: str, succeeded: bool,
) -> None:  # fmt: skip
    for name, value in cloud_environment.items():
        monkeypatch.setenv(name, value)
    s3 = cloud.client("s3")
    for folder in ("review", "held_out", "service", "shadow"):
        put(s3, "qc-work", f"{folder}/deep/file.bin")
    account = Account(region="us-east-1", typed=False)
    own = stub_definition(verdicts, tmp_path / "stub.py")
    lines: list[str] = []
    execution = Execution(own, {}, account, tmp_path / "run", name=f"e-{ended}", show=lines.append)
    assert execution.run() is succeeded
    assert list(execution.done)[-1] == ended
    # A step sees what it is given, and nothing else.
    assert execution.done["Evaluate"] == "candidate evaluation prepared queue service"
    assert len(lines) == len(execution.done)
    assert ("Reject" in execution.done) == (ended == "ShadowRefused")
    kept = s3.list_objects_v2(Bucket="qc-work", Prefix=f"loop/e-{ended}/Evaluate/")["Contents"]
    assert [entry["Key"].rpartition("/")[2] for entry in kept] == ["comparison.json"]


@pytest.mark.slow
def test_a_step_that_breaks_ends_the_run_with_its_last_lines(
    cloud: Any, cloud_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in cloud_environment.items():
        monkeypatch.setenv(name, value)
    s3 = cloud.client("s3")
    for folder in ("review", "held_out", "service", "shadow"):
        put(s3, "qc-work", f"{folder}/file.bin")
    account = Account(region="us-east-1", typed=False)
    own = stub_definition({"broken": "train"}, tmp_path / "stub.py")
    with pytest.raises(DeployError, match="Train: status 1: it broke"):
        Execution(own, {}, account, tmp_path / "run").run()
    with pytest.raises(DeployError, match="nothing lies under s3://qc-work/empty"):
        Execution(own, {"QueueUri": "s3://qc-work/empty"}, account, tmp_path / "run").run()
    with pytest.raises(InvalidParameterError, match="no parameter"):
        Execution(own, {"Queue": "x"}, account, tmp_path / "run").run()
    put(s3, "qc-work", "hostile/../../../escaped.txt")
    with pytest.raises(DeployError, match="out of the folder"):
        download("s3://qc-work/hostile", tmp_path / "deep" / "folder", account)
    # Not a search of the folder above: other tests and their servers come and go in it.
    assert not (tmp_path.parent / "escaped.txt").exists()
    assert not list(tmp_path.rglob("escaped.txt"))


@pytest.mark.slow
def test_the_pipeline_is_made_once_and_brought_up_to_date(
    cloud: Any, script: Any, cloud_environment: dict[str, str]
) -> None:
    arguments = [
        "qc-learns", "--queue", LOOP.queue_uri, "--held-out", LOOP.held_out_uri, "--service",
        LOOP.service_uri, "--media", LOOP.media_uri, "--work", LOOP.work_uri, "--model-prefix",
        LOOP.model_prefix, "--image", LOOP.image, "--role-arn", ROLE, "--endpoint", "qc",
        "--alarm", "qc-errors",
    ]  # fmt: skip
    assert "made" in script("create_pipeline", *arguments).stderr
    assert "up to date" in script("create_pipeline", *arguments, "--most-changed", "0.2").stderr
    printed = json.loads(script("create_pipeline", *arguments, "--definition").stdout)
    assert printed == definition(replace(LOOP, canary_wait_s=600))
    there = cloud.client("sagemaker").describe_pipeline(PipelineName="qc-learns")
    kept = {p["Name"]: p["DefaultValue"]
            for p in json.loads(there["PipelineDefinition"])["Parameters"]}  # fmt: skip
    assert kept["MostChanged"] == "0.2"
