"""The SageMaker Python SDK's typed resources, unmodified."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

CREATE = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html"

# In a process of its own: the SDK reads the environment when it is imported, and it warns a lot.
SCRIPT = """
import json, sys
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TransformJob
from sagemaker.core.shapes import (
    ContainerDefinition, ProductionVariant, TransformDataSource, TransformInput, TransformOutput,
    TransformResources, TransformS3DataSource,
)

given = json.loads(sys.argv[1])
name = given["name"]
model = Model.create(
    model_name=name,
    execution_role_arn=given["role"],
    primary_container=ContainerDefinition(image=given["image"], model_data_url=given["data"]),
)
assert Model.get(model_name=name).primary_container.model_data_url == given["data"]
EndpointConfig.create(
    endpoint_config_name=name,
    production_variants=[
        ProductionVariant(
            variant_name="AllTraffic",
            model_name=name,
            initial_instance_count=1,
            instance_type="ml.m5.large",
        )
    ],
)
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
endpoint.wait_for_status("InService", poll=1, timeout=given["wait_s"])
result = endpoint.invoke(body=b"via the sdk", content_type="text/plain")
answer = result.body.read() if hasattr(result.body, "read") else result.body
job = TransformJob.create(
    transform_job_name=name,
    model_name=name,
    transform_input=TransformInput(
        data_source=TransformDataSource(
            s3_data_source=TransformS3DataSource(s3_data_type="S3Prefix", s3_uri=given["input"])
        ),
        content_type="text/plain",
    ),
    transform_output=TransformOutput(s3_output_path=given["output"]),
    transform_resources=TransformResources(instance_type="ml.m5.large", instance_count=1),
)
job.wait(poll=1, timeout=given["wait_s"])
job.refresh()
endpoint.delete()
endpoint.wait_for_delete(poll=1, timeout=given["wait_s"])
EndpointConfig.get(endpoint_config_name=name).delete()
model.delete()
# The SDK draws its progress on standard output.
with open(sys.argv[2], "w") as file:
    json.dump([answer.decode(), job.transform_job_status], file)
"""


@pytest.mark.slow
@pytest.mark.documented(CREATE)
@pytest.mark.skipif(
    importlib.util.find_spec("sagemaker.core") is None, reason="the SageMaker SDK is not installed"
)
def test_model_endpoint_and_transform_job_of_the_sdk(target, echo_model, request, tmp_path):
    described = target.client("sagemaker").describe_model(ModelName=echo_model)
    name = target.name("sdk")
    given = {
        "name": name,
        "role": target.role,
        "image": target.image,
        "data": described["PrimaryContainer"]["ModelDataUrl"],
        "input": target.put(f"{name}/in/x.txt", b"in a batch"),
        "output": f"s3://{target.bucket}/{name}/out",
        "wait_s": int(target.wait_s),
    }
    environment = {**os.environ, "SAGEMAKER_VALIDATE_ROLE": "false"}
    if target.wait_s < 300:
        environment.update(request.getfixturevalue("running_local").environment())
    result = tmp_path / "result.json"
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, json.dumps(given), str(result)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=2 * target.wait_s + 60,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert json.loads(result.read_text()) == ["VIA THE SDK", "Completed"]
    assert target.get(f"{given['output']}/x.txt.out") == b"IN A BATCH"
