"""Endpoints changed: what moves, what stays as it is, and how traffic gets there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from defectscope.deploy.calls import Call, Transaction, without_none
from defectscope.deploy.endpoint import ensure_config
from defectscope.deploy.endpoint_spec import START_S, EndpointSpec
from defectscope.deploy.rollout import Rollout
from defectscope.errors import DeployError, InvalidParameterError


def update_endpoint(
    spec: EndpointSpec, transaction: Transaction, rollout: Rollout | None = None
) -> bool:
    """Moves an endpoint to a new configuration; says whether there was anything to do.

    Instances and weights that the specification leaves open stay what they are now, whatever
    scaling and `set_weights` have made of them. AWS itself watches the alarms and rolls back;
    `wait` then reports the failed update.

    Raises:
        DeployError: There is no such endpoint, or a call failed.
        InvalidParameterError: A gradual rollout to variants of other names.
    """
    identity = {"EndpointName": spec.name}
    there: dict[str, Any] = {}
    if not transaction.dry_run:
        found = transaction.account.find(Call("sagemaker", "describe_endpoint", identity))
        if found is None:
            raise DeployError(f"there is no endpoint {spec.name}: create_endpoint makes it")
        there = found
    wanted = spec.with_counts(_initial_counts(there, transaction))
    config_name = ensure_config(wanted, transaction)
    if there.get("EndpointConfigName") == config_name:
        return False
    current = {v["VariantName"]: v for v in there.get("ProductionVariants", ())}
    request = without_none(
        **identity,
        EndpointConfigName=config_name,
        **_retained(spec),
        DeploymentConfig=_deployment(wanted, rollout, current),
    )
    if rollout and rollout.kind != "all_at_once" and _shifts_at_once(request):
        transaction.tell(f"one instance: traffic shifts at once, not by {rollout.kind}")
    transaction.run(
        Call("sagemaker", "update_endpoint", request), f"endpoint {spec.name}: updating"
    )
    return True


def _shifts_at_once(request: Mapping[str, Any]) -> bool:
    policy = request.get("DeploymentConfig", {}).get("BlueGreenUpdatePolicy", {})
    return policy.get("TrafficRoutingConfiguration", {}).get("Type") == "ALL_AT_ONCE"


def _initial_counts(there: Mapping[str, Any], transaction: Transaction) -> dict[str, int]:
    """Returns how many instances each variant of the current configuration began with."""
    if not there:
        return {}
    identity = {"EndpointConfigName": there["EndpointConfigName"]}
    config = transaction.account.find(Call("sagemaker", "describe_endpoint_config", identity))
    variants = (config or {}).get("ProductionVariants", ())
    return {v["VariantName"]: v["InitialInstanceCount"] for v in variants if _has_instances(v)}


def _has_instances(variant: Mapping[str, Any]) -> bool:
    return bool(variant.get("InitialInstanceCount"))


def _retained(spec: EndpointSpec) -> dict[str, Any]:
    """Returns what an update keeps of the endpoint as it runs now, and what it does not.

    Source: Amazon SageMaker API reference, UpdateEndpoint: without RetainAllVariantProperties a
    scaled-out endpoint goes back to InitialInstanceCount; VariantProperty: DataCaptureConfig is
    not supported there.
    """
    if spec.serverless:
        return {}
    changed: list[str] = []
    if any(variant.instance_count is not None for variant in spec.variants):
        changed.append("DesiredInstanceCount")
    if len(spec.variants) > 1:
        changed.append("DesiredWeight")
    excluded = [{"VariantPropertyType": kind} for kind in changed]
    return without_none(RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded)


def _deployment(
    spec: EndpointSpec, rollout: Rollout | None, current: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Returns the DeploymentConfig; None where AWS takes none."""
    # Serverless endpoints are always replaced at once.
    if rollout is None or spec.serverless:
        return None
    names = {variant.name for variant in spec.variants}
    if current and names != set(current):
        # Source: Amazon SageMaker developer guide, "Exclusions" of deployment guardrails.
        if rollout.kind == "all_at_once":
            return None
        raise InvalidParameterError(
            f"a {rollout.kind} rollout keeps the variants' names ({', '.join(sorted(current))}), "
            f"and this would have {', '.join(sorted(names))}: use --rollout all_at_once"
        )
    counts = [
        variant.instance_count or current.get(variant.name, {}).get("DesiredInstanceCount") or 1
        for variant in spec.variants
    ]
    return rollout.config(min(counts), start_s=START_S)


def set_weights(endpoint_name: str, weights: Mapping[str, float], transaction: Transaction) -> None:
    """Shifts traffic between the variants of an endpoint."""
    desired = [{"VariantName": k, "DesiredWeight": v} for k, v in weights.items()]
    request = {"EndpointName": endpoint_name, "DesiredWeightsAndCapacities": desired}
    transaction.run(
        Call("sagemaker", "update_endpoint_weights_and_capacities", request), "weights: set"
    )
