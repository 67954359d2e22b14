"""Policies of those who call endpoints, run batches and deploy."""

from __future__ import annotations

from collections.abc import Iterable

from defectscope.deploy.policy_documents import Policy, allow, document

# Source: Amazon SageMaker API reference, CreateEndpointConfig, KmsKeyId: the key must let in
# whoever calls CreateEndpoint and UpdateEndpoint.
_KEY_OF_CALLERS = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]


_PIPELINE_VERBS = (
    "CreatePipeline",
    "DescribePipeline",
    "UpdatePipeline",
    "StartPipelineExecution",
    "CreateProcessingJob",
    "DescribeProcessingJob",
    "StopProcessingJob",
    "AddTags",
)


def caller_policy(
    *,
    partition: str = "aws",
    region: str,
    account_id: str,
    endpoint_name: str,
    staging_prefix: str,
    output_prefix: str,
) -> Policy:
    """Returns the policy of those who call: one endpoint name prefix, one place in S3."""
    arn = f"arn:{partition}"
    sagemaker = f"{arn}:sagemaker:{region}:{account_id}"
    staging, output = staging_prefix.rstrip("/"), output_prefix.rstrip("/")
    buckets = sorted({staging.partition("/")[0], output.partition("/")[0]})
    return document(
        [
            allow(
                "Call",
                ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointAsync"],
                [f"{sagemaker}:endpoint/{endpoint_name}*"],
            ),
            allow(
                "ReadLimits",
                ["sagemaker:DescribeEndpoint", "sagemaker:ListTags"],
                [f"{sagemaker}:endpoint/{endpoint_name}*"],
            ),
            allow(
                "RunTransformJobs",
                [
                    "sagemaker:CreateTransformJob",
                    "sagemaker:DescribeTransformJob",
                    "sagemaker:StopTransformJob",
                ],
                [f"{sagemaker}:transform-job/*"],
            ),
            allow(
                "Stage",
                ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                [f"{arn}:s3:::{staging}/*"],
            ),
            allow("ReadAnswers", ["s3:GetObject"], [f"{arn}:s3:::{output}/*"]),
            # Without it S3 answers 403 for an answer that is not there yet.
            allow("ListAnswers", ["s3:ListBucket"], [f"{arn}:s3:::{b}" for b in buckets]),
        ]
    )


def batch_policy(
    *,
    partition: str = "aws",
    region: str,
    account_id: str,
    work_prefix: str,
    media_buckets: Iterable[str],
    endpoint_name: str | None = None,
) -> Policy:
    """Returns the policy of those who plan, watch and collect batch runs.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: Region of the jobs.
        account_id: Account of the jobs.
        work_prefix: `bucket/prefix` of the plan, the records and the answers.
        media_buckets: Buckets, or `bucket/prefix`, of the catalogue.
        endpoint_name: Endpoint that merges segments, where one does.
    """
    arn = f"arn:{partition}"
    sagemaker = f"{arn}:sagemaker:{region}:{account_id}"
    work = work_prefix.rstrip("/")
    media = sorted(media_buckets)
    buckets = sorted({place.partition("/")[0] for place in (*media, work)})
    statements = [
        allow("List", ["s3:ListBucket"], [f"{arn}:s3:::{b}" for b in buckets]),
        # The heads of files tell how long they are.
        allow("ReadHeads", ["s3:GetObject"], [f"{arn}:s3:::{m.rstrip('/')}/*" for m in media]),
        allow(
            "Work",
            ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            [f"{arn}:s3:::{work}/*"],
        ),
        allow(
            "Watch",
            ["sagemaker:DescribeTransformJob", "sagemaker:StopTransformJob"],
            [f"{sagemaker}:transform-job/*"],
        ),
    ]
    if endpoint_name:
        statements.append(
            allow("Merge", ["sagemaker:InvokeEndpoint"], [f"{sagemaker}:endpoint/{endpoint_name}"])
        )
    return document(statements)


def publisher_policy(*, partition: str = "aws", player_prefix: str) -> Policy:
    """Returns the policy of those who publish the player's modules.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        player_prefix: `bucket/prefix` of the modules and manifests.
    """
    where = f"arn:{partition}:s3:::{player_prefix.rstrip('/')}/*"
    return document([allow("Publish", ["s3:PutObject"], [where])])


def deployer_policy(
    *,
    partition: str = "aws",
    region: str,
    account_id: str,
    role_arn: str,
    model_prefix: str,
    repository: str,
    kms_key_arn: str | None = None,
) -> Policy:
    """Returns the policy of those who run the scripts in sagemaker/.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: Region of the endpoints.
        account_id: Account of the endpoints.
        role_arn: Execution role, which they may pass to SageMaker.
        model_prefix: `bucket/prefix` of the archives.
        repository: Name of the image's repository.
        kms_key_arn: Key of the volumes.
    """
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
    return document(
        [
            allow(
                "Deploy", [f"sagemaker:{v}" for v in verbs], [f"{sagemaker}:{k}/*" for k in kinds]
            ),
            allow("Register", [f"sagemaker:{v}" for v in package_verbs], packages),
            allow(
                "Learn",
                [f"sagemaker:{v}" for v in _PIPELINE_VERBS],
                [f"{sagemaker}:pipeline/*", f"{sagemaker}:processing-job/*"],
            ),
            # Source: Service Authorization Reference: listing endpoints takes no resource.
            allow("List", ["sagemaker:ListEndpoints"], ["*"]),
            {
                **allow("PassExecutionRole", ["iam:PassRole"], [role_arn]),
                "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            },
            allow(
                "Scale",
                [
                    "application-autoscaling:RegisterScalableTarget",
                    "application-autoscaling:PutScalingPolicy",
                    "application-autoscaling:DescribeScalableTargets",
                    "application-autoscaling:DeregisterScalableTarget",
                ],
                ["*"],
            ),
            allow(
                "Alarm",
                [
                    "cloudwatch:DeleteAlarms",
                    "cloudwatch:DescribeAlarms",
                    "cloudwatch:PutMetricAlarm",
                ],
                [f"{arn}:cloudwatch:{here}:alarm:*"],
            ),
            {
                **allow(
                    "LetScalingAct",
                    ["iam:CreateServiceLinkedRole"],
                    [
                        f"{arn}:iam::{account_id}:role/aws-service-role/"
                        "sagemaker.application-autoscaling.amazonaws.com/*"
                    ],
                ),
            },
            allow(
                "UploadModels",
                ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
                [f"{arn}:s3:::{model_prefix.rstrip('/')}/*"],
            ),
            allow(
                "FindModels", ["s3:ListBucket"], [f"{arn}:s3:::{model_prefix.partition('/')[0]}"]
            ),
            allow(
                "PushImage",
                [
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchDeleteImage",
                    "ecr:BatchGetImage",
                    "ecr:CompleteLayerUpload",
                    "ecr:CreateRepository",
                    "ecr:DeleteRepository",
                    "ecr:DescribeRepositories",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:InitiateLayerUpload",
                    "ecr:PutImage",
                    "ecr:TagResource",
                    "ecr:UploadLayerPart",
                ],
                [f"{arn}:ecr:{here}:repository/{repository}"],
            ),
            allow("SignIn", ["ecr:GetAuthorizationToken", "sts:GetCallerIdentity"], ["*"]),
            allow("CheckRole", ["iam:GetRole", "iam:SimulatePrincipalPolicy"], [role_arn]),
            allow(
                "CheckBucket",
                ["s3:GetBucketLocation", "s3:GetBucketPolicy"],
                [f"{arn}:s3:::{model_prefix.partition('/')[0]}"],
            ),
            # Source: Service Authorization Reference: listing quotas takes no resource.
            allow("CheckQuotas", ["servicequotas:ListServiceQuotas"], ["*"]),
            *([allow("UseKey", _KEY_OF_CALLERS, [kms_key_arn])] if kms_key_arn else []),
        ]
    )
