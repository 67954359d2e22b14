"""Policies that allow what is needed and nothing else, as documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from defectscope.deploy.iam_people import (
    batch_policy,
    caller_policy,
    deployer_policy,
    publisher_policy,
)
from defectscope.deploy.policy_documents import Policy, allow, document

__all__ = [
    "Policy",
    "actions",
    "batch_policy",
    "caller_policy",
    "deployer_policy",
    "execution_policy",
    "publisher_policy",
    "trust_policy",
]

# Permissions behind boto3 operations whose names are not the action's own.
_ACTIONS = {
    ("s3", "head_object"): ("s3:GetObject",),
    ("s3", "list_objects_v2"): ("s3:ListBucket",),
    ("s3", "upload_file"): ("s3:PutObject", "s3:AbortMultipartUpload"),
    ("s3", "upload_fileobj"): ("s3:PutObject", "s3:AbortMultipartUpload"),
    ("sagemaker-runtime", "invoke_endpoint"): ("sagemaker:InvokeEndpoint",),
    ("sagemaker-runtime", "invoke_endpoint_async"): ("sagemaker:InvokeEndpointAsync",),
    # Source: Service Authorization Reference, Amazon SNS: a batch takes the permission of one.
    ("sns", "publish_batch"): ("sns:Publish",),
    ("service-quotas", "list_service_quotas"): ("servicequotas:ListServiceQuotas",),
}


def actions(service: str, operation: str) -> tuple[str, ...]:
    """Returns the permissions that a boto3 operation takes."""
    known = _ACTIONS.get((service, operation))
    if known is not None:
        return known
    name = "".join(part.capitalize() for part in operation.split("_"))
    return (f"{service}:{name}",)


def trust_policy() -> Policy:
    """Returns the trust policy of the execution role: SageMaker alone may take it."""
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ]
    )


def execution_policy(
    *,
    partition: str = "aws",
    region: str,
    account_id: str,
    model_prefix: str,
    media_buckets: Iterable[str],
    output_prefix: str,
    repository: str,
    kms_key_arn: str | None = None,
    topic_arns: Iterable[str] = (),
    alarms: Iterable[str] = (),
    vpc: bool = False,
) -> Policy:
    """Returns the policy of the role that containers run under.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: Region of the endpoint.
        account_id: Account of the endpoint.
        model_prefix: `bucket/prefix` of the archives.
        media_buckets: Buckets, or `bucket/prefix`, whose media may be analyzed.
        output_prefix: `bucket/prefix` of answers, failures and captured data.
        repository: Name of the image's repository.
        kms_key_arn: Key of the buckets and volumes.
        topic_arns: Topics that asynchronous calls notify.
        alarms: Names of alarms that take a rollout back.
        vpc: Containers run in a VPC.
    """
    arn = f"arn:{partition}"
    here = f"{region}:{account_id}"
    media = sorted(media_buckets)
    reads = [f"{arn}:s3:::{model_prefix.rstrip('/')}/*"]
    reads += [f"{arn}:s3:::{m.rstrip('/')}/*" for m in media]
    output_bucket = output_prefix.partition("/")[0]
    model_bucket = model_prefix.partition("/")[0]
    buckets = sorted({m.partition("/")[0] for m in media} | {output_bucket, model_bucket})
    statements: list[dict[str, Any]] = [
        allow(
            "ReadModelsAndMedia",
            ["s3:GetObject"],
            [*reads, f"{arn}:s3:::{output_prefix.rstrip('/')}/*"],
        ),
        allow("ListForMissingObjects", ["s3:ListBucket"], [f"{arn}:s3:::{b}" for b in buckets]),
        allow("WriteAnswers", ["s3:PutObject"], [f"{arn}:s3:::{output_prefix.rstrip('/')}/*"]),
        allow(
            "WriteLogs",
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            [f"{arn}:logs:{here}:log-group:/aws/sagemaker/*"],
        ),
        {
            **allow("PutMetrics", ["cloudwatch:PutMetricData"], ["*"]),
            "Condition": {
                "StringEquals": {
                    "cloudwatch:namespace": ["defectscope", "/aws/sagemaker/Endpoints"]
                }
            },
        },
        allow(
            "PullImage",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [f"{arn}:ecr:{here}:repository/{repository}"],
        ),
        # Source: Service Authorization Reference, Amazon ECR: this action takes no resource.
        allow("SignInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
    ]
    if kms_key_arn:
        # Source: Amazon SageMaker API reference, KmsKeyId of OutputDataConfig: kms:Encrypt for a
        # key's id or alias; VolumeKmsKeyId of RecommendationJobInputConfig: without
        # kms:CreateGrant the volumes of an endpoint cannot be encrypted.
        key_actions = [
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
        ]
        statements.append(allow("UseKey", key_actions, [kms_key_arn]))
    watched = sorted(alarms)
    if watched:
        # Source: Amazon SageMaker developer guide, "Auto-Rollback Configuration and Monitoring".
        arns = [f"{arn}:cloudwatch:{here}:alarm:{name}" for name in watched]
        statements.append(allow("WatchRollouts", ["cloudwatch:DescribeAlarms"], arns))
    topics = sorted(topic_arns)
    if topics:
        statements.append(allow("Notify", ["sns:Publish"], topics))
    if vpc:
        # Source: Amazon SageMaker developer guide, "Give SageMaker access to resources in your
        # VPC"; these actions take no resource when they describe.
        statements.append(
            allow(
                "AttachToVpc",
                [
                    "ec2:CreateNetworkInterface",
                    "ec2:CreateNetworkInterfacePermission",
                    "ec2:DeleteNetworkInterface",
                    "ec2:DeleteNetworkInterfacePermission",
                    "ec2:DescribeDhcpOptions",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                ["*"],
            )
        )
    return document(statements)
