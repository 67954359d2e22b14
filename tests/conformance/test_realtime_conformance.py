from __future__ import annotations

import json
import os
import threading
from collections import Counter

import pytest
from botocore.exceptions import ClientError

DOCS = "https://docs.aws.amazon.com/sagemaker/latest/"
CREATE = DOCS + "APIReference/API_CreateEndpoint.html"
DESCRIBE = DOCS + "APIReference/API_DescribeEndpoint.html"
INVOKE = DOCS + "APIReference/API_runtime_InvokeEndpoint.html"
UPDATE = DOCS + "APIReference/API_UpdateEndpoint.html"
WEIGHTS = DOCS + "APIReference/API_UpdateEndpointWeightsAndCapacities.html"
DELETE = DOCS + "APIReference/API_DeleteEndpoint.html"
LIST = DOCS + "APIReference/API_ListEndpoints.html"
ROLL_BACK = DOCS + "dg/deployment-guardrails.html"
MULTI_MODEL = DOCS + "dg/build-multi-model-build-container.html"
SERVERLESS = DOCS + "dg/serverless-endpoints.html"
ON_AWS = os.environ.get("DEFECTSCOPE_CONFORMANCE_TARGET") == "aws"
CONTAINER = DOCS + "dg/your-algorithms-inference-code.html"

pytestmark = pytest.mark.slow


def variant_of(runtime, **request) -> str:
    """Invokes an endpoint and gives the variant that answered."""
    answer = runtime.invoke_endpoint(Body=b"x", **request)
    assert answer["Body"].read() == b"X"
    return answer["InvokedProductionVariant"]


@pytest.fixture(scope="module")
def runtime(target):
    return target.client("sagemaker-runtime")


@pytest.fixture(scope="module")
def endpoint(target, echo_model, make_endpoint, production_variant):
    name = make_endpoint(
        [
            production_variant(echo_model, "blue", weight=1.0),
            production_variant(echo_model, "green", weight=0.0),
        ]
    )
    status = target.client("sagemaker").describe_endpoint(EndpointName=name)["EndpointStatus"]
    assert status == "Creating"
    described = target.endpoint_settled(name)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    return name


@pytest.mark.documented(INVOKE)
def test_body_content_type_and_accept_reach_the_model_and_its_answer_comes_back(endpoint, runtime):
    answer = runtime.invoke_endpoint(
        EndpointName=endpoint, Body=b"\x00some bytes\xff", ContentType="video/mp4", Accept="a/b"
    )
    assert answer["Body"].read() == b"\x00SOME BYTES\xff"
    assert answer["ContentType"] == "a/b"
    assert answer["InvokedProductionVariant"] in ("blue", "green")
    assert answer["ResponseMetadata"]["RequestId"]


@pytest.mark.documented(INVOKE)
def test_custom_attributes_and_inference_id_reach_the_model(endpoint, runtime):
    answer = runtime.invoke_endpoint(
        EndpointName=endpoint,
        Body=b"headers",
        ContentType="text/plain",
        CustomAttributes="trace=7",
        InferenceId="case-1",
    )
    headers = json.loads(answer["Body"].read())
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=7"
    assert headers["x-amzn-sagemaker-inference-id"] == "case-1"
    assert headers["content-type"] == "text/plain"


@pytest.mark.documented(CONTAINER)
def test_the_models_environment_reaches_its_container(endpoint, runtime):
    answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"env ECHO_GREETING")
    assert answer["Body"].read() == b"hello"


@pytest.mark.documented(CONTAINER)
def test_the_container_reads_from_s3_with_its_own_sdk(endpoint, runtime, target):
    uri = target.put("inputs/for-the-model.txt", b"from S3")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=f"read {uri}".encode())
    assert answer["Body"].read() == b"from S3"


@pytest.mark.documented(INVOKE)
@pytest.mark.parametrize("status", [400, 422, 500])
def test_an_error_of_the_model_is_a_model_error_with_its_status_and_message(
    endpoint, runtime, status
):
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=f"refuse {status}".encode())
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert json.loads(response["OriginalMessage"])["error"]["code"] == "refused"
    assert response["LogStreamArn"].startswith("arn:aws:logs:")


@pytest.mark.documented(INVOKE)
def test_a_killed_worker_fails_its_own_request_only(endpoint, runtime):
    answers: list[bytes] = []

    def ask() -> None:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"sleep 2")
        answers.append(answer["Body"].read())

    other = threading.Thread(target=ask)
    other.start()
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"die")
    other.join()
    assert caught.value.response["OriginalStatusCode"] >= 500
    assert answers == [b"slept"]


@pytest.mark.documented(INVOKE)
def test_a_missing_endpoint_is_a_validation_error(runtime):
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName="there-is-none", Body=b"x")
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "there-is-none" in caught.value.response["Error"]["Message"]


@pytest.mark.documented(INVOKE)
def test_a_body_above_the_limit_is_refused(endpoint, runtime):
    at_limit = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"a" * 6_291_456)
    assert len(at_limit["Body"].read()) == 6_291_456
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"a" * 6_291_457)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 413)


@pytest.mark.documented(INVOKE)
def test_target_variant_overrides_the_weights(endpoint, runtime):
    for name in ("green", "blue"):
        assert variant_of(runtime, EndpointName=endpoint, TargetVariant=name) == name
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x", TargetVariant="red")
    assert caught.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.documented(WEIGHTS)
def test_traffic_follows_the_weights(endpoint, runtime, target):
    def shares() -> Counter:
        return Counter(variant_of(runtime, EndpointName=endpoint) for _ in range(20))

    assert shares() == {"blue": 20}
    target.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[
            {"VariantName": "blue", "DesiredWeight": 0.0},
            {"VariantName": "green", "DesiredWeight": 2.0},
        ],
    )
    described = target.endpoint_settled(endpoint)
    weights = {v["VariantName"]: v["CurrentWeight"] for v in described["ProductionVariants"]}
    assert weights == {"blue": 0.0, "green": 2.0}
    assert shares() == {"green": 20}


@pytest.mark.documented(WEIGHTS)
def test_weights_of_an_unknown_variant_are_refused(endpoint, target):
    sagemaker = target.client("sagemaker")
    with pytest.raises(ClientError) as caught:
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": "red", "DesiredWeight": 1.0}],
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.documented(DESCRIBE)
def test_describe_shows_variants_images_and_counts(endpoint, target):
    described = target.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    assert described["EndpointArn"].endswith(f":endpoint/{endpoint}")
    assert described["EndpointConfigName"] == endpoint
    for variant in described["ProductionVariants"]:
        assert variant["CurrentInstanceCount"] == variant["DesiredInstanceCount"] == 1
        assert variant["DeployedImages"][0]["SpecifiedImage"] == target.image
    assert described["CreationTime"] <= described["LastModifiedTime"]


@pytest.mark.documented(LIST)
def test_list_filters_by_name_and_state(endpoint, target):
    sagemaker = target.client("sagemaker")
    found = sagemaker.list_endpoints(NameContains=endpoint, StatusEquals="InService")
    assert [item["EndpointName"] for item in found["Endpoints"]] == [endpoint]
    assert not sagemaker.list_endpoints(NameContains=endpoint, StatusEquals="Failed")["Endpoints"]


@pytest.mark.documented(CREATE)
def test_create_refuses_a_name_in_use_and_a_missing_configuration(endpoint, target):
    sagemaker = target.client("sagemaker")
    for name, config in ((endpoint, endpoint), ("fresh", "there-is-none")):
        with pytest.raises(ClientError) as caught:
            sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.documented(CREATE)
def test_an_endpoint_whose_model_data_is_missing_fails_with_a_reason(
    target, make_endpoint, production_variant
):
    sagemaker = target.client("sagemaker")
    model = target.name("no-data")
    sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=target.role,
        PrimaryContainer={
            "Image": target.image,
            "ModelDataUrl": f"s3://{target.bucket}/models/none/model.tar.gz",
        },
    )
    described = target.endpoint_settled(make_endpoint([production_variant(model)]))
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"]
    sagemaker.delete_model(ModelName=model)


@pytest.mark.documented(UPDATE)
def test_update_serves_throughout_and_ends_with_the_new_configuration(
    endpoint, target, runtime, echo_model, production_variant
):
    sagemaker = target.client("sagemaker")
    config = target.name("next")
    sagemaker.create_endpoint_config(
        EndpointConfigName=config, ProductionVariants=[production_variant(echo_model, "next")]
    )
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    assert sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "Updating"
    with pytest.raises(ClientError, match="in-progress"):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)

    def updated() -> bool:
        assert variant_of(runtime, EndpointName=endpoint)
        status = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"]
        return status == "InService"

    target.wait(updated)
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointConfigName"] == config
    assert [v["VariantName"] for v in described["ProductionVariants"]] == ["next"]
    assert variant_of(runtime, EndpointName=endpoint) == "next"


@pytest.mark.documented(ROLL_BACK)
def test_an_update_that_cannot_be_brought_up_is_rolled_back(
    endpoint, target, runtime, production_variant
):
    sagemaker = target.client("sagemaker")
    before = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    model = config = target.name("none")
    sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=target.role,
        PrimaryContainer={
            "Image": target.image,
            "ModelDataUrl": f"s3://{target.bucket}/models/none/model.tar.gz",
        },
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName=config, ProductionVariants=[production_variant(model, "broken")]
    )
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    described = target.endpoint_settled(endpoint)
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == before
    assert described["FailureReason"]
    assert variant_of(runtime, EndpointName=endpoint) != "broken"
    sagemaker.delete_endpoint_config(EndpointConfigName=config)
    sagemaker.delete_model(ModelName=model)


@pytest.mark.documented(MULTI_MODEL)
def test_a_container_for_many_models_is_refused_by_name(target, make_endpoint, production_variant):
    """AWS looks for a label of the image when the model is made; here the endpoint says it."""
    sagemaker = target.client("sagemaker")
    model = target.name("many")
    container = {
        "Image": target.image,
        "Mode": "MultiModel",
        "ModelDataUrl": f"s3://{target.bucket}/models/",
    }
    made = {"ModelName": model, "ExecutionRoleArn": target.role, "PrimaryContainer": container}
    if ON_AWS:
        with pytest.raises(ClientError, match="multi-models"):
            sagemaker.create_model(**made)
        return
    sagemaker.create_model(**made)
    described = target.endpoint_settled(make_endpoint([production_variant(model)]))
    assert described["EndpointStatus"] == "Failed"
    assert "multi-model" in described["FailureReason"]
    sagemaker.delete_model(ModelName=model)


@pytest.mark.documented(SERVERLESS)
def test_a_serverless_variant_takes_4_mb_and_shows_its_configuration(
    target, runtime, echo_model, make_endpoint
):
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 1}
    name = make_endpoint(
        [{"VariantName": "s", "ModelName": echo_model, "ServerlessConfig": serverless}]
    )
    described = target.endpoint_settled(name)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    shown = described["ProductionVariants"][0]["CurrentServerlessConfig"]
    assert shown["MaxConcurrency"] == 1
    assert variant_of(runtime, EndpointName=name) == "s"
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName=name, Body=b"a" * (4 * 1024 * 1024 + 1))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 413)


@pytest.mark.documented(DELETE)
def test_a_deleted_endpoint_is_gone(target, runtime, endpoint):
    sagemaker = target.client("sagemaker")
    sagemaker.delete_endpoint(EndpointName=endpoint)

    target.wait(lambda: not sagemaker.list_endpoints(NameContains=endpoint)["Endpoints"])
    with pytest.raises(ClientError) as caught:
        sagemaker.describe_endpoint(EndpointName=endpoint)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x")
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError):
        sagemaker.delete_endpoint(EndpointName=endpoint)
