"""Endpoints whose model data is hostile or wrong: Failed, with a reason, and nothing written."""

from __future__ import annotations

import io
import tarfile
import time

import pytest

from defectscope.local import LocalSageMaker


def packed(members: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def clients(local: LocalSageMaker):
    made = {name: local.client(name) for name in ("s3", "sagemaker", "sagemaker-runtime")}
    made["s3"].create_bucket(Bucket="models")
    yield made
    for client in made.values():
        client.close()


def outcome(clients, name: str, container: dict) -> dict:
    """Creates an endpoint for a model and gives its description once it is settled."""
    sagemaker = clients["sagemaker"]
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn="arn:aws:iam::123456789012:role/execution",
        PrimaryContainer={"Image": "image", **container},
    )
    variant = {"VariantName": "v", "ModelName": name}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{**variant, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}],
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        described = sagemaker.describe_endpoint(EndpointName=name)
        if described["EndpointStatus"] != "Creating":
            return described
        time.sleep(0.05)
    raise AssertionError("the endpoint stays in Creating")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("text", b"this is no tar", "no gzipped tar"),
        ("empty", b"", "no gzipped tar"),
        ("cut", packed({"echo.mar": b"x" * 100_000})[:60], "no gzipped tar"),
        ("nothing", packed({"readme.txt": b"x"}), "found 0"),
        ("two", packed({"a.mar": b"x", "b.mar": b"x"}), "found 2"),
        ("deep", packed({"folder/a.mar": b"x"}), "found 0"),
        ("upwards", packed({"../a.mar": b"x"}), "found 0"),
        ("absolute", packed({"/tmp/defectscope-slip.mar": b"x"}), "found 0"),
        ("link", packed({}, links={"a.mar": "/etc/passwd"}), "found 0"),
        ("name", packed({"a b;c.mar": b"x"}), "name"),
    ],
    # The bytes hold the time of day: they may not be part of a test's name.
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_bad_model_data_fails_the_endpoint_with_a_reason(clients, name, data, reason):
    clients["s3"].put_object(Bucket="models", Key=name, Body=data)
    described = outcome(clients, f"bad-{name}", {"ModelDataUrl": f"s3://models/{name}"})
    assert described["EndpointStatus"] == "Failed"
    assert reason in described["FailureReason"]
    assert "Traceback" not in described["FailureReason"]


@pytest.mark.parametrize(
    ("name", "container", "reason"),
    [
        ("no-bucket", {"ModelDataUrl": "s3://there-is-none/model.tar.gz"}, "bucket"),
        ("no-data", {}, "names no data"),
        ("many", {"Mode": "MultiModel", "ModelDataUrl": "s3://models/"}, "not emulated"),
    ],
)
def test_models_that_cannot_be_served_fail_the_endpoint(clients, name, container, reason):
    described = outcome(clients, name, container)
    assert described["EndpointStatus"] == "Failed"
    assert reason in described["FailureReason"]


def test_a_failed_endpoint_takes_no_invocations_and_can_be_deleted(clients):
    described = outcome(clients, "to-delete", {})
    runtime, sagemaker = clients["sagemaker-runtime"], clients["sagemaker"]
    with pytest.raises(runtime.exceptions.ClientError, match="not found"):
        runtime.invoke_endpoint(EndpointName="to-delete", Body=b"x")
    sagemaker.delete_endpoint(EndpointName=described["EndpointName"])
    deadline = time.monotonic() + 20
    while sagemaker.list_endpoints(NameContains="to-delete")["Endpoints"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(sagemaker.exceptions.ClientError, match="Could not find"):
        sagemaker.describe_endpoint(EndpointName="to-delete")


@pytest.mark.slow
@pytest.mark.logs_errors
def test_a_handler_that_cannot_load_fails_the_endpoint_with_its_own_words(clients, echo_tar):
    clients["s3"].put_object(Bucket="models", Key="echo", Body=echo_tar.read_bytes())
    container = {
        "ModelDataUrl": "s3://models/echo",
        "Environment": {"ECHO_FAILS_TO_LOAD": "yes"},
    }
    described = outcome(clients, "cannot-load", container)
    assert described["EndpointStatus"] == "Failed"
    assert "weights are missing" in described["FailureReason"]
