"""What SageMaker documents, stated once and run against one of two targets.

`pytest tests/conformance` runs against SageMaker on this machine. With
DEFECTSCOPE_CONFORMANCE_TARGET=aws it runs against the account of the caller's credentials and then
needs three more variables: DEFECTSCOPE_CONFORMANCE_BUCKET, _ROLE (an execution role) and _IMAGE (an
image that serves the .mar in its model data). That makes instances run, which costs money.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from defectscope.local import LocalSageMaker

ECHO = Path(__file__).parents[1] / "local" / "echo"
ON_AWS = os.environ.get("DEFECTSCOPE_CONFORMANCE_TARGET", "local") == "aws"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "documented(url): the page that states the behaviour")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        if ON_AWS:
            item.add_marker(pytest.mark.aws)
        pages = [mark.args for mark in item.iter_markers("documented")]
        if not any(page and page[0].startswith("https://docs.aws.amazon.com/") for page in pages):
            raise pytest.UsageError(f"{item.nodeid} names no page of AWS's documentation")


class Target:
    """A SageMaker: clients for it, and what has to exist there before anything else."""

    def __init__(
        self,
        make_client: Callable[[str], Any],
        *,
        bucket: str,
        role: str,
        image: str,
        wait_s: float,
    ) -> None:
        self._make_client = make_client
        self._clients: dict[str, Any] = {}
        self.bucket = bucket
        self.role = role
        self.image = image
        self.wait_s = wait_s

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    @staticmethod
    def name(stem: str) -> str:
        return f"conformance-{stem}-{uuid.uuid4().hex[:8]}"

    def put(self, key: str, body: bytes) -> str:
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str) -> bytes:
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        return self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()

    def keys(self, prefix: str) -> list[str]:
        listed = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"].removeprefix(prefix) for item in listed.get("Contents", [])]

    def wait(self, probe: Callable[[], Any], *, within_s: float | None = None) -> Any:
        """Polls until the probe gives something true, and gives that."""
        deadline = time.monotonic() + (within_s or self.wait_s)
        while time.monotonic() < deadline:
            found = probe()
            if found:
                return found
            time.sleep(0.1 if self.wait_s < 300 else 5.0)
        raise AssertionError("the target did not get there in time")

    def endpoint_settled(self, name: str) -> dict[str, Any]:
        """Waits until an endpoint is in no transition, and gives its description."""

        def probe() -> Any:
            found = self.client("sagemaker").describe_endpoint(EndpointName=name)
            return found if found["EndpointStatus"] in ("InService", "Failed") else None

        return self.wait(probe)

    def job_ended(self, name: str) -> dict[str, Any]:
        """Waits until a transform job has ended, and gives its description."""

        def probe() -> Any:
            found = self.client("sagemaker").describe_transform_job(TransformJobName=name)
            ended = ("Completed", "Failed", "Stopped")
            return found if found["TransformJobStatus"] in ended else None

        return self.wait(probe)


@pytest.fixture(scope="session")
def running_local() -> Iterator[LocalSageMaker]:
    with LocalSageMaker() as local:
        yield local


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    found = _target(request)
    yield found
    found.close()


def _target(request: pytest.FixtureRequest) -> Target:
    if ON_AWS:
        missing = [n for n in ("BUCKET", "ROLE", "IMAGE") if not _variable(n)]
        if missing:
            pytest.skip(f"DEFECTSCOPE_CONFORMANCE_{missing[0]} is not set")
        return Target(
            boto3.client,
            bucket=_variable("BUCKET"),
            role=_variable("ROLE"),
            image=_variable("IMAGE"),
            wait_s=1800.0,
        )
    local: LocalSageMaker = request.getfixturevalue("running_local")
    local.client("s3").create_bucket(Bucket="conformance")
    return Target(
        local.client,
        bucket="conformance",
        role="arn:aws:iam::123456789012:role/execution",
        image="123456789012.dkr.ecr.us-east-1.amazonaws.com/defectscope:latest",
        wait_s=120.0,
    )


def _variable(name: str) -> str:
    return os.environ.get(f"DEFECTSCOPE_CONFORMANCE_{name}", "")


@pytest.fixture(scope="session")
def echo_model(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A SageMaker model that does what the body of an invocation says."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "tmp").mkdir()
    command = "from model_archiver.model_packaging import generate_model_archive as g; g()"
    options = ["--model-name", "echo", "--version", "1.0", "--handler", str(ECHO / "handler.py")]
    options += ["-c", str(ECHO / "model-config.yaml"), "--export-path", str(folder), "-f"]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", command, *options],
        check=True,
        capture_output=True,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
    )
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        tar.add(folder / "echo.mar", "echo.mar")
    data = target.put("models/echo/model.tar.gz", (folder / "model.tar.gz").read_bytes())
    name = target.name("echo")
    target.client("sagemaker").create_model(
        ModelName=name,
        ExecutionRoleArn=target.role,
        PrimaryContainer={
            "Image": target.image,
            "ModelDataUrl": data,
            "Environment": {"ECHO_GREETING": "hello"},
        },
    )
    yield name
    target.client("sagemaker").delete_model(ModelName=name)


@pytest.fixture(scope="session")
def make_endpoint(target: Target) -> Iterator[Callable[..., str]]:
    """Makes endpoints that are deleted after the tests."""
    sagemaker = target.client("sagemaker")
    made: list[tuple[str, str]] = []

    def make(variants: list[dict[str, Any]], **config: Any) -> str:
        name = target.name("endpoint")
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=variants, **config
        )
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        made.append((name, name))
        return name

    yield make
    for endpoint, config in made:
        try:
            target.endpoint_settled(endpoint)
            sagemaker.delete_endpoint(EndpointName=endpoint)
        except sagemaker.exceptions.ClientError:
            continue
        finally:
            sagemaker.delete_endpoint_config(EndpointConfigName=config)


def variant(model: str, name: str = "AllTraffic", weight: float = 1.0, **more: Any) -> dict:
    return {
        "VariantName": name,
        "ModelName": model,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "InitialVariantWeight": weight,
        **more,
    }


@pytest.fixture(scope="session")
def production_variant() -> Callable[..., dict]:
    return variant
