"""How many instances there are: by calls per instance, or from nothing and back by backlog."""

from __future__ import annotations

from typing import Any

from defectscope.deploy.calls import Call
from defectscope.errors import InvalidParameterError

_DIMENSION = "sagemaker:variant:DesiredInstanceCount"


def _target(endpoint_name: str, variant_name: str) -> dict[str, Any]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint_name}/variant/{variant_name}",
        "ScalableDimension": _DIMENSION,
    }


def realtime_calls(
    endpoint_name: str,
    variant_name: str,
    *,
    min_instances: int = 1,
    max_instances: int,
    calls_per_minute: float,
) -> list[Call]:
    """Returns the calls that scale a real-time variant on its invocations per instance.

    Args:
        endpoint_name: The endpoint.
        variant_name: The variant.
        min_instances: At least so many, 1 or more.
        max_instances: At most so many.
        calls_per_minute: What one instance should get, from the measured throughput.

    Raises:
        InvalidParameterError: The numbers make no sense.
    """
    _check(min_instances, max_instances, 1)
    return [
        _register(endpoint_name, variant_name, min_instances, max_instances),
        _policy(
            endpoint_name,
            variant_name,
            "calls-per-instance",
            {
                "TargetValue": calls_per_minute,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
                },
                "ScaleOutCooldown": 60,
                "ScaleInCooldown": 600,
            },
        ),
    ]


def async_calls(
    endpoint_name: str,
    variant_name: str,
    *,
    max_instances: int,
    backlog_per_instance: float = 4.0,
    min_instances: int = 0,
) -> list[Call]:
    """Returns the calls that scale an asynchronous variant to zero and back.

    Target tracking alone never leaves zero, because with no instance there is no backlog per
    instance; a step policy and its alarm on HasBacklogWithoutCapacity wake it up.
    Source: Amazon SageMaker developer guide, "Autoscale an asynchronous endpoint".

    Raises:
        InvalidParameterError: The numbers make no sense.
    """
    _check(min_instances, max_instances, 0)
    tracking = _policy(
        endpoint_name,
        variant_name,
        "backlog-per-instance",
        {
            "TargetValue": backlog_per_instance,
            "CustomizedMetricSpecification": {
                "MetricName": "ApproximateBacklogSizePerInstance",
                "Namespace": "AWS/SageMaker",
                "Dimensions": [{"Name": "EndpointName", "Value": endpoint_name}],
                "Statistic": "Average",
            },
            "ScaleOutCooldown": 120,
            "ScaleInCooldown": 600,
        },
    )
    calls = [_register(endpoint_name, variant_name, min_instances, max_instances), tracking]
    if min_instances == 0:
        step = {
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average",
            "Cooldown": 300,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        }
        calls.append(
            Call(
                "application-autoscaling",
                "put_scaling_policy",
                {
                    **_target(endpoint_name, variant_name),
                    "PolicyName": _policy_name(endpoint_name, "wake-from-zero"),
                    "PolicyType": "StepScaling",
                    "StepScalingPolicyConfiguration": step,
                },
            )
        )
    return calls


def wake_alarm(endpoint_name: str, policy_arn: str) -> Call:
    """Returns the call that rings for the step policy when calls wait and no instance is there."""
    return Call(
        "cloudwatch",
        "put_metric_alarm",
        {
            "AlarmName": f"{endpoint_name}-backlog-without-capacity",
            "AlarmDescription": "Calls wait and no instance runs.",
            "Namespace": "AWS/SageMaker",
            "MetricName": "HasBacklogWithoutCapacity",
            "Dimensions": [{"Name": "EndpointName", "Value": endpoint_name}],
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 2,
            "DatapointsToAlarm": 2,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "missing",
            "AlarmActions": [policy_arn],
        },
    )


def remove_calls(endpoint_name: str, variant_name: str) -> list[Call]:
    """Returns the calls that take the scaling of a variant away, its policies included."""
    return [
        Call(
            "application-autoscaling",
            "deregister_scalable_target",
            _target(endpoint_name, variant_name),
        ),
        Call(
            "cloudwatch",
            "delete_alarms",
            {"AlarmNames": [f"{endpoint_name}-backlog-without-capacity"]},
        ),
    ]


def _register(endpoint_name: str, variant_name: str, low: int, high: int) -> Call:
    return Call(
        "application-autoscaling",
        "register_scalable_target",
        {**_target(endpoint_name, variant_name), "MinCapacity": low, "MaxCapacity": high},
    )


def _policy(endpoint_name: str, variant_name: str, kind: str, config: dict[str, Any]) -> Call:
    return Call(
        "application-autoscaling",
        "put_scaling_policy",
        {
            **_target(endpoint_name, variant_name),
            "PolicyName": _policy_name(endpoint_name, kind),
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": config,
        },
    )


def _policy_name(endpoint_name: str, kind: str) -> str:
    return f"{endpoint_name}-{kind}"


def _check(low: int, high: int, least: int) -> None:
    if not least <= low <= high or high < 1:
        raise InvalidParameterError(f"instances go from {least} up, not {low} to {high}")
