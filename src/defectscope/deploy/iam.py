"""Policies that allow what is needed and nothing else, as documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Policy = dict[str, Any]

# Permissions behind boto3 operations whose names are not the action's own.
_ACTIONS = {
    ("s3", "head_object"): ("s3:GetObject",),
    ("s3", "list_objects_v2"): ("s3:ListBucket",),
    ("s3", "upload_file"): ("s3:PutObject", "s3:AbortMultipartUpload"),
    ("s3", "upload_fileobj"): ("s3:PutObject", "s3:AbortMultipartUpload"),
    ("sagemaker-runtime", "invoke_endpoint"): ("sagemaker:InvokeEndpoint",),
    ("sagemaker-runtime", "invoke_endpoint_async"): ("sagemaker:InvokeEndpointAsync",),
}


def actions(service: str, operation: str) -> tuple[str, ...]:
    """Gives the permissions that a boto3 operation takes."""
    known = _ACTIONS.get((service, operation))
    if known is not None:
        return known
    name = "".join(part.capitalize() for part in operation.split("_"))
    return (f"{service}:{name}",)


def trust_policy() -> Policy:
    """Gives the trust policy of the execution role: SageMaker alone may take it."""
    return _document(
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
    vpc: bool = False,
) -> Policy:
    """Gives the policy of the role that containers run under.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: Region of the endpoint.
        account_id: Account of the endpoint.
        model_prefix: `bucket/prefix` of the archives.
        media_buckets: Buckets, or `bucket/prefix`, whose media may be judged.
        output_prefix: `bucket/prefix` of answers, failures and captured data.
        repository: Name of the image's repository.
        kms_key_arn: Key of the buckets and volumes.
        topic_arns: Topics that asynchronous calls notify.
        vpc: Containers run in a VPC.
    """
    arn = f"arn:{partition}"
    here = f"{region}:{account_id}"
    media = sorted(media_buckets)
    reads = [f"{arn}:s3:::{model_prefix.rstrip('/')}/*"]
    reads += [f"{arn}:s3:::{m.rstrip('/')}/*" for m in media]
    output_bucket = output_prefix.partition("/")[0]
    buckets = sorted({m.partition("/")[0] for m in media} | {output_bucket})
    statements: list[dict[str, Any]] = [
        _allow(
            "ReadModelsAndMedia",
            ["s3:GetObject"],
            [*reads, f"{arn}:s3:::{output_prefix.rstrip('/')}/*"],
        ),
        _allow("ListForMissingObjects", ["s3:ListBucket"], [f"{arn}:s3:::{b}" for b in buckets]),
        _allow("WriteAnswers", ["s3:PutObject"], [f"{arn}:s3:::{output_prefix.rstrip('/')}/*"]),
        _allow(
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
            **_allow("PutMetrics", ["cloudwatch:PutMetricData"], ["*"]),
            "Condition": {
                "StringEquals": {
                    "cloudwatch:namespace": ["defectscope", "/aws/sagemaker/Endpoints"]
                }
            },
        },
        _allow(
            "PullImage",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [f"{arn}:ecr:{here}:repository/{repository}"],
        ),
        # Source: Service Authorization Reference, Amazon ECR: this action takes no resource.
        _allow("SignInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
    ]
    if kms_key_arn:
        statements.append(_allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [kms_key_arn]))
    topics = sorted(topic_arns)
    if topics:
        statements.append(_allow("Notify", ["sns:Publish"], topics))
    if vpc:
        # Source: Amazon SageMaker developer guide, "Give SageMaker access to resources in your
        # VPC"; these actions take no resource when they describe.
        statements.append(
            _allow(
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
    return _document(statements)


def caller_policy(
    *,
    partition: str = "aws",
    region: str,
    account_id: str,
    endpoint_name: str,
    staging_prefix: str,
    output_prefix: str,
) -> Policy:
    """Gives the policy of those who call: one endpoint name prefix, one place in S3."""
    arn = f"arn:{partition}"
    sagemaker = f"{arn}:sagemaker:{region}:{account_id}"
    staging, output = staging_prefix.rstrip("/"), output_prefix.rstrip("/")
    buckets = sorted({staging.partition("/")[0], output.partition("/")[0]})
    return _document(
        [
            _allow(
                "Call",
                ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointAsync"],
                [f"{sagemaker}:endpoint/{endpoint_name}*"],
            ),
            _allow(
                "ReadLimits",
                ["sagemaker:DescribeEndpoint", "sagemaker:ListTags"],
                [f"{sagemaker}:endpoint/{endpoint_name}*"],
            ),
            _allow(
                "RunTransformJobs",
                [
                    "sagemaker:CreateTransformJob",
                    "sagemaker:DescribeTransformJob",
                    "sagemaker:StopTransformJob",
                ],
                [f"{sagemaker}:transform-job/*"],
            ),
            _allow(
                "Stage",
                ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                [f"{arn}:s3:::{staging}/*"],
            ),
            _allow("ReadAnswers", ["s3:GetObject"], [f"{arn}:s3:::{output}/*"]),
            # Without it S3 answers 403 for an answer that is not there yet.
            _allow("ListAnswers", ["s3:ListBucket"], [f"{arn}:s3:::{b}" for b in buckets]),
        ]
    )


def deployer_policy(
    *,
    partition: str = "aws",
    region: str,
    account_id: str,
    role_arn: str,
    model_prefix: str,
    repository: str,
) -> Policy:
    """Gives the policy of those who run the scripts in sagemaker/."""
    arn = f"arn:{partition}"
    here = f"{region}:{account_id}"
    sagemaker = f"{arn}:sagemaker:{here}"
    kinds = ("model", "endpoint-config", "endpoint", "transform-job")
    packages = [f"{sagemaker}:model-package-group/*", f"{sagemaker}:model-package/*"]
    verbs = [
        "CreateModel",
        "DescribeModel",
        "DeleteModel",
        "CreateEndpointConfig",
        "DescribeEndpointConfig",
        "DeleteEndpointConfig",
        "CreateEndpoint",
        "DescribeEndpoint",
        "UpdateEndpoint",
        "UpdateEndpointWeightsAndCapacities",
        "DeleteEndpoint",
        "CreateTransformJob",
        "DescribeTransformJob",
        "StopTransformJob",
        "AddTags",
        "ListTags",
    ]
    package_verbs = [
        "CreateModelPackageGroup",
        "DescribeModelPackageGroup",
        "DeleteModelPackageGroup",
        "CreateModelPackage",
        "DescribeModelPackage",
        "UpdateModelPackage",
        "ListModelPackages",
        "AddTags",
    ]
    return _document(
        [
            _allow(
                "Deploy", [f"sagemaker:{v}" for v in verbs], [f"{sagemaker}:{k}/*" for k in kinds]
            ),
            _allow("Register", [f"sagemaker:{v}" for v in package_verbs], packages),
            # Source: Service Authorization Reference: listing endpoints takes no resource.
            _allow("List", ["sagemaker:ListEndpoints"], ["*"]),
            {
                **_allow("PassExecutionRole", ["iam:PassRole"], [role_arn]),
                "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            },
            _allow(
                "Scale",
                [
                    "application-autoscaling:RegisterScalableTarget",
                    "application-autoscaling:PutScalingPolicy",
                    "application-autoscaling:DescribeScalableTargets",
                    "application-autoscaling:DeregisterScalableTarget",
                ],
                ["*"],
            ),
            _allow(
                "Alarm",
                ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"],
                [f"{arn}:cloudwatch:{here}:alarm:*"],
            ),
            {
                **_allow(
                    "LetScalingAct",
                    ["iam:CreateServiceLinkedRole"],
                    [
                        f"{arn}:iam::{account_id}:role/aws-service-role/"
                        "sagemaker.application-autoscaling.amazonaws.com/*"
                    ],
                ),
            },
            _allow(
                "UploadModels",
                ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
                [f"{arn}:s3:::{model_prefix.rstrip('/')}/*"],
            ),
            _allow(
                "FindModels", ["s3:ListBucket"], [f"{arn}:s3:::{model_prefix.partition('/')[0]}"]
            ),
            _allow(
                "PushImage",
                [
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:CompleteLayerUpload",
                    "ecr:CreateRepository",
                    "ecr:DeleteRepository",
                    "ecr:DescribeImages",
                    "ecr:DescribeRepositories",
                    "ecr:InitiateLayerUpload",
                    "ecr:PutImage",
                    "ecr:TagResource",
                    "ecr:UploadLayerPart",
                ],
                [f"{arn}:ecr:{here}:repository/{repository}"],
            ),
            _allow("SignIn", ["ecr:GetAuthorizationToken", "sts:GetCallerIdentity"], ["*"]),
        ]
    )


def _allow(sid: str, action: list[str], resource: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(action), "Resource": resource}


def _document(statements: list[dict[str, Any]]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}
