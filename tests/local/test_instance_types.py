"""Instance types that the local control plane takes: those of SageMaker's own service model."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from defectscope.local.instance_types import known_types

ROLE = "arn:aws:iam::123456789012:role/defectscope"
IMAGE = {"Image": "local", "ModelDataUrl": "s3://models/model.tar.gz"}


@pytest.fixture(scope="module")
def sagemaker(local):
    # Without botocore's own checks, so that the server's are seen.
    client = boto3.Session("x", "y", region_name="us-east-1").client(
        "sagemaker", endpoint_url=local.endpoint_url, config=Config(parameter_validation=False)
    )
    client.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer=IMAGE)
    yield client
    client.close()


def _configure(sagemaker, name: str, instance_type: str) -> None:
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": instance_type}
    variants = [{**variant, "InitialInstanceCount": 1}]
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)


@pytest.mark.parametrize("instance_type", ["ml.c6i.2xlarge", "ml.c7i.large", "ml.g5.xlarge"])
def test_types_newer_than_motos_list_are_taken(sagemaker, instance_type):
    name = instance_type.replace(".", "-")
    _configure(sagemaker, name, instance_type)
    described = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert described["ProductionVariants"][0]["InstanceType"] == instance_type


@pytest.mark.parametrize("instance_type", ["ml.c6i.bananas", "c6i.2xlarge", ""])
def test_other_types_are_refused(sagemaker, instance_type):
    with pytest.raises(ClientError) as refused:
        _configure(sagemaker, "refused", instance_type)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "must be one of" in str(refused.value)


def test_packages_take_them_too(sagemaker):
    specification = {
        "Containers": [{"Image": "local"}],
        "SupportedContentTypes": ["video/mp4"],
        "SupportedResponseMIMETypes": ["application/json"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.c6i.2xlarge"],
        "SupportedTransformInstanceTypes": ["ml.c6i.2xlarge"],
    }
    more = [{**specification, "Name": "more"}]
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    made = sagemaker.create_model_package(
        ModelPackageGroupName="g",
        InferenceSpecification=specification,
        AdditionalInferenceSpecifications=more,
    )
    assert made["ModelPackageArn"]


def test_a_job_on_no_known_type_is_refused(sagemaker):
    with pytest.raises(ClientError, match="InstanceType must be one of"):
        sagemaker.create_transform_job(
            TransformJobName="j",
            ModelName="m",
            TransformInput={
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://a/b"}}
            },
            TransformOutput={"S3OutputPath": "s3://a/c"},
            TransformResources={"InstanceType": "ml.c6i.bananas", "InstanceCount": 1},
        )


def test_the_lists_are_botocores():
    assert "ml.c6i.2xlarge" in known_types("ProductionVariantInstanceType")
    assert "ml.c6i.2xlarge" in known_types("TransformInstanceType")
    assert len(known_types("ProductionVariantInstanceType")) > 200
