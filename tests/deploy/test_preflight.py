"""The look at an account before anything is made, and the suite's clean-up, on stand-ins."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from defectscope.deploy.image_manifest import DOCKER_MANIFEST
from defectscope.deploy.preflight import Plan, look
from defectscope.errors import AccessDeniedError

ROOT = Path(__file__).parents[2]
PLAN = Plan(
    role_arn="arn:aws:iam::123456789012:role/defectscope",
    image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/defectscope:1-cpu-abc",
    model_prefix="s3://models/defectscope",
    endpoint_name="qc",
    instance_type="ml.c6i.2xlarge",
    instances=4,
)
MANIFEST = {
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json"},
    "layers": [{"size": 600_000_000}],
}
READY = {
    "get_caller_identity": {"Account": "123456789012"},
    "get_role": {"Role": {"AssumeRolePolicyDocument": {"Service": "sagemaker.amazonaws.com"}}},
    "batch_get_image": {
        "images": [
            {
                "imageManifest": json.dumps(MANIFEST),
                "imageManifestMediaType": DOCKER_MANIFEST,
                "imageId": {},
            }
        ]
    },
    "get_bucket_location": {"LocationConstraint": "eu-west-1"},
    "get_bucket_policy": None,
    "list_service_quotas": {
        "Quotas": [{"QuotaName": "ml.c6i.2xlarge for endpoint usage", "Value": 4.0}]
    },
    "describe_endpoint": None,
}


class Answers:
    """An account that answers as it is told; it has nothing that changes anything."""

    region = "eu-west-1"

    def __init__(self, **changed) -> None:
        self.answers = {**READY, **changed}

    def find(self, call):
        assert call.operation.startswith(("get_", "describe_", "list_", "batch_get_"))
        answer = self.answers[call.operation]
        if isinstance(answer, Exception):
            raise answer
        return answer

    call = find


def states(**changed) -> dict[str, tuple[str, str]]:
    return {found.check: (found.state, found.says) for found in look(Answers(**changed), PLAN)}


def test_an_account_that_is_ready() -> None:
    assert {state for state, _ in states().values()} == {"ok"}
    assert states()["image"][1] == "Docker manifest, 0.60 GB"


def test_each_thing_that_is_amiss_is_named() -> None:
    oci = READY["batch_get_image"]["images"][0] | {
        "imageManifestMediaType": "application/vnd.oci.image.index.v1+json"
    }
    deny = {"Statement": [{"Effect": "Deny", "Sid": "Nobody", "Action": "s3:*"}]}
    few = {"Quotas": [{"QuotaName": "ml.c6i.2xlarge for endpoint usage", "Value": 0.0}]}
    for check, changed, says in (
        ("role", {"get_role": None}, "no role defectscope"),
        ("role", {"get_role": {"Role": {"AssumeRolePolicyDocument": "{}"}}}, "may not take"),
        ("image", {"batch_get_image": {"images": []}}, "holds no defectscope:1-cpu-abc"),
        ("image", {"batch_get_image": {"images": [oci]}}, "oci.image.index"),
        ("bucket", {"get_bucket_location": None}, "no bucket models"),
        ("bucket", {"get_bucket_location": {}}, "is in us-east-1"),
        ("bucket", {"get_bucket_policy": {"Policy": json.dumps(deny)}}, "Nobody"),
        ("quota", {"list_service_quotas": few}, "0 instances"),
        ("name", {"describe_endpoint": {"EndpointStatus": "InService"}}, "InService"),
    ):
        found = states(**changed)
        assert found[check][0] == "fail"
        assert says in found[check][1]
        assert [name for name, (state, _) in found.items() if state != "ok"] == [check]


def test_what_may_not_be_looked_at_is_left_out() -> None:
    found = states(list_service_quotas=AccessDeniedError("not yours"))
    assert found["quota"] == ("skip", "not yours")
    assert found["name"][0] == "ok"


def test_the_suites_clean_up_leaves_nothing_of_its_own_and_all_else() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "scripts/conformance_aws.py"), "--dry-run"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0 of the suite's own left, kept: mine\n"


def test_the_suite_is_not_run_on_an_account_by_mistake() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/conformance_aws.py"), "--bucket", "b"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "--yes" in done.stderr


# An account whose network is away at the first look, with an endpoint that the suite has left.
ACCOUNT = """
import runpy, subprocess, sys, time
import boto3
from botocore.exceptions import EndpointConnectionError

left, looks = ["conformance-a", "mine"], []

class Client:
    def get_paginator(self, operation):
        self.operation = operation
        return self

    def paginate(self):
        looks.append(self.operation)
        # The four looks before the suite find nothing of its own.
        if len(looks) == 5:
            raise EndpointConnectionError(endpoint_url="https://api.sagemaker")
        kinds = {
            "list_endpoint_configs": "EndpointConfigs",
            "list_models": "Models",
            "list_transform_jobs": "TransformJobSummaries",
        }
        if self.operation != "list_endpoints":
            return [{kinds[self.operation]: []}]
        return [{"Endpoints": [{"EndpointName": name} for name in left]}]

    def delete_endpoint(self, EndpointName):
        left.remove(EndpointName)

boto3.client = lambda _service: Client()
kept = left.pop(0)

class Suite:
    def __init__(self, *_arguments, **_options):
        left.append(kept)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        print("suite ended:", self.killed, flush=True)

    def wait(self, _timeout_s):
        print("begun", flush=True)
        time.sleep(60)

    def kill(self):
        self.killed = True

subprocess.Popen = Suite
pause = time.sleep
time.sleep = lambda s: pause(s if s == 60 else 0.01)
sys.argv = ["conformance_aws.py", "--bucket", "b", "--role", "r", "--image", "i", "--yes"]
try:
    runpy.run_path(SCRIPT, run_name="__main__")
finally:
    print("at the end:", *left, flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_suite_that_is_cancelled_is_cleaned_up_all_the_same(how: signal.Signals) -> None:
    # Whoever starts the tests in the background has them ignore SIGINT, and all that they start.
    heeds = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script = f"{heeds}SCRIPT = {str(ROOT / 'scripts/conformance_aws.py')!r}\n" + ACCOUNT
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "begun\n":
            break
    process.send_signal(how)
    told, complaints = process.communicate(timeout=60)
    assert "suite ended: True" in told
    assert "nothing is left" in told, complaints
    assert told.endswith("at the end: mine\n")
    assert "cannot look what is left" in complaints
    assert process.returncode != 0


@pytest.fixture
def script() -> Any:
    found = importlib.util.spec_from_file_location("suite", ROOT / "scripts/conformance_aws.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


class Jobs:
    """An account with transform jobs alone, which stop a while after they are told to."""

    def __init__(self) -> None:
        self.states = {
            "conformance-runs": ["InProgress", "Stopping", "Stopped"],
            "conformance-ended": ["Completed"],
            "mine": ["InProgress"],
        }
        self.stopped: list[str] = []

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [self.page(operation)])

    def page(self, operation: str) -> dict[str, list[dict[str, str]]]:
        kinds = {
            "list_endpoints": "Endpoints",
            "list_endpoint_configs": "EndpointConfigs",
            "list_models": "Models",
        }
        if operation in kinds:
            return {kinds[operation]: []}
        rows = [
            {"TransformJobName": name, "TransformJobStatus": states[0]}
            for name, states in self.states.items()
        ]
        for name in self.stopped:
            if len(self.states[name]) > 1:
                self.states[name].pop(0)
        return {"TransformJobSummaries": rows}

    def stop_transform_job(self, TransformJobName: str) -> None:  # noqa: N803 - AWS's spelling
        self.stopped.append(TransformJobName)


def test_jobs_of_the_suite_that_run_are_stopped_and_waited_for(script: Any) -> None:
    account = Jobs()
    assert script.clean(account, within_s=60.0, pause_s=0.0) == 0
    assert set(account.stopped) == {"conformance-runs"}
    assert account.states["conformance-runs"] == ["Stopped"]
    assert account.states["mine"] == ["InProgress"]


class Keeps:
    """An account that keeps an endpoint of some instances, and one job of two."""

    def __init__(self, status: str, **variant: int) -> None:
        self._status, self._variant = status, variant

    def get_paginator(self, operation: str) -> Any:
        held = {
            "list_endpoints": {"Endpoints": [{"EndpointName": "conformance-a"}]},
            "list_transform_jobs": {
                "TransformJobSummaries": [
                    {"TransformJobName": "conformance-j"}, {"TransformJobName": "my-conformance-j"}
                ]
            },
        }  # fmt: skip
        return SimpleNamespace(paginate=lambda **_: [held[operation]])

    def describe_endpoint(self, **_request: str) -> dict[str, Any]:
        found: dict[str, Any] = {"EndpointStatus": self._status, "EndpointConfigName": "c"}
        if self._variant:
            found["ProductionVariants"] = [{"VariantName": "main", **self._variant}]
        return found

    def describe_endpoint_config(self, **_request: str) -> dict[str, Any]:
        plain = {"VariantName": "main", "InitialInstanceCount": 1}
        return {"ProductionVariants": [plain, {"VariantName": "less", "ServerlessConfig": {}}]}

    def describe_transform_job(self, **request: str) -> dict[str, Any]:
        assert request == {"TransformJobName": "conformance-j"}
        return {"TransformResources": {"InstanceCount": 2}}


@pytest.mark.parametrize(
    ("account", "wanted"),
    [
        (Keeps("Creating"), 3),
        (Keeps("InService", CurrentInstanceCount=1, DesiredInstanceCount=4), 6),
        (Keeps("Updating", CurrentInstanceCount=3, DesiredInstanceCount=3), 8),
    ],
)
def test_instances_of_endpoints_and_jobs_are_counted(script, account, wanted) -> None:
    assert script.instances(account) == wanted


@pytest.mark.parametrize(
    ("most_instances", "within_s", "said"),
    [(5, 60.0, "6 instances, at most 5 may run"), (6, 0.5, "ended after")],
)
def test_a_suite_that_leaves_its_bounds_is_ended(
    script, capsys, monkeypatch, most_instances, within_s, said
) -> None:
    account = Keeps("InService", CurrentInstanceCount=4, DesiredInstanceCount=4)
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(script.subprocess, "Popen", Noted)
    status = script.bounded(
        [sys.executable, "-c", "import time; time.sleep(200)"],
        account, environment=dict(os.environ),
        most_instances=most_instances, within_s=within_s, every_s=0.1,
    )  # fmt: skip
    assert status == 1
    assert said in capsys.readouterr().out
    # It did not end by itself.
    assert [suite.returncode for suite in started] == [-signal.SIGKILL]


def test_a_suite_within_its_bounds_gives_its_own_exit_code(script) -> None:
    account = Keeps("InService", CurrentInstanceCount=4, DesiredInstanceCount=4)
    command = [sys.executable, "-c", "import time; time.sleep(0.5); raise SystemExit(3)"]
    assert script.bounded(
        command, account, environment=dict(os.environ),
        most_instances=6, within_s=60.0, every_s=0.1,
    ) == 3  # fmt: skip
