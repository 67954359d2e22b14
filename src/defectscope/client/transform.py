"""The request that starts a batch-transform job over JSON-lines records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Source: Amazon SageMaker API reference, CreateTransformJob: a payload of at most 100 MB, and
# concurrent transforms times payload at most 100 MB.
MAX_PAYLOAD_MB = 100


def transform_request(
    *,
    job_name: str,
    model_name: str,
    input_uri: str,
    output_uri: str,
    instance_type: str = "ml.c6i.2xlarge",
    instance_count: int = 1,
    manifest: bool = False,
    max_concurrent: int = 1,
    max_payload_mb: int = 6,
    timeout_s: int = 3600,
    max_retries: int = 1,
    environment: Mapping[str, str] | None = None,
    kms_key_id: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Returns the CreateTransformJob request.

    Each record is a call of its own (SplitType Line, SingleRecord): records fail alone, and a
    film never shares its time limit with another.

    Args:
        job_name: Unique name of the job.
        model_name: The SageMaker model.
        input_uri: s3:// prefix of JSON-lines objects, or of one manifest.
        output_uri: s3:// prefix for the answers.
        instance_type: Type of the instances.
        instance_count: How many.
        manifest: `input_uri` is a SageMaker manifest rather than a prefix.
        max_concurrent: Calls in flight per instance; one per worker is right.
        max_payload_mb: Largest record or answer in MB.
        timeout_s: Longest time for one record, in seconds; SageMaker allows one hour.
        max_retries: How often SageMaker repeats a failed record, 0 to 3.
        environment: Environment of the container.
        kms_key_id: Key that encrypts the answers and the instances' volumes.
        tags: Tags of the job.

    Raises:
        ValueError: Payload and concurrency together are over SageMaker's limit.
    """
    if max_payload_mb * max_concurrent > MAX_PAYLOAD_MB:
        raise ValueError(
            f"max_concurrent x max_payload_mb is {max_concurrent * max_payload_mb}, "
            f"SageMaker allows {MAX_PAYLOAD_MB}"
        )
    output: dict[str, Any] = {
        "S3OutputPath": output_uri,
        "Accept": "application/jsonlines",
        "AssembleWith": "Line",
    }
    resources: dict[str, Any] = {"InstanceType": instance_type, "InstanceCount": instance_count}
    if kms_key_id:
        output["KmsKeyId"] = kms_key_id
        resources["VolumeKmsKeyId"] = kms_key_id
    request: dict[str, Any] = {
        "TransformJobName": job_name,
        "ModelName": model_name,
        "MaxConcurrentTransforms": max_concurrent,
        "MaxPayloadInMB": max_payload_mb,
        "BatchStrategy": "SingleRecord",
        "ModelClientConfig": {
            "InvocationsTimeoutInSeconds": timeout_s,
            "InvocationsMaxRetries": max_retries,
        },
        "TransformInput": {
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "ManifestFile" if manifest else "S3Prefix",
                    "S3Uri": input_uri,
                }
            },
            "ContentType": "application/jsonlines",
            "SplitType": "Line",
        },
        "TransformOutput": output,
        "TransformResources": resources,
    }
    if environment:
        request["Environment"] = dict(environment)
    if tags:
        request["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]
    return request
