"""Endpoints made, watched, listed and deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from defectscope.deploy import scaling
from defectscope.deploy.calls import Account, Call, Transaction, without_none
from defectscope.deploy.endpoint_spec import (
    EndpointSpec,
    config_resource,
    endpoint_resource,
    model_resource,
)
from defectscope.errors import DeployError

Watcher = Callable[[str, float], None]
_BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
_POLL_S = 5.0


def create_endpoint(spec: EndpointSpec, transaction: Transaction) -> None:
    """Makes an endpoint with its models and configuration; what is there already stays.

    Raises:
        DeployError: A call failed, or the endpoint exists with another configuration. Whatever
            this call made is removed again.
    """
    config_name = ensure_config(spec, transaction)
    resource = endpoint_resource(spec, config_name)
    there = None if transaction.dry_run else transaction.account.find(resource.find)
    if there is not None and there.get("EndpointConfigName") != config_name:
        raise DeployError(
            f"endpoint {spec.name} exists with another configuration: update_endpoint changes it"
        )
    transaction.ensure(resource)


def exists(endpoint_name: str, transaction: Transaction) -> bool:
    """Says whether there is such an endpoint; in a dry run there never is."""
    call = Call("sagemaker", "describe_endpoint", {"EndpointName": endpoint_name})
    return not transaction.dry_run and transaction.account.find(call) is not None


def apply_scaling(calls: Sequence[Call], transaction: Transaction, endpoint_name: str) -> None:
    """Makes scaling calls; each replaces what it made before, so a second run changes nothing."""
    for call in calls:
        answer = transaction.run(call, f"scaling: {call.operation}")
        if call.request.get("PolicyType") == "StepScaling":
            arn = str(answer.get("PolicyARN", "PolicyARN of the step policy"))
            transaction.run(scaling.wake_alarm(endpoint_name, arn), "scaling: wake-up alarm")


def wait(
    account: Account,
    endpoint_name: str,
    *,
    timeout_s: float = 1800.0,
    watch: Watcher | None = None,
    sleep: Callable[[float], None] = time.sleep,
    gone: bool = False,
) -> None:
    """Waits until an endpoint is in service, or gone.

    Args:
        account: Where to ask.
        endpoint_name: The endpoint.
        timeout_s: Give up after so many seconds.
        watch: Told the state and the seconds so far at each look.
        sleep: Waits between looks.
        gone: Wait for the end of a deletion.

    Raises:
        DeployError: It failed, was rolled back, or is not there in time.
    """
    began = time.monotonic()
    call = Call("sagemaker", "describe_endpoint", {"EndpointName": endpoint_name})
    pause_s = 0.25
    while True:
        there = account.find(call)
        state = "Deleted" if there is None else str(there["EndpointStatus"])
        if watch is not None:
            watch(state, time.monotonic() - began)
        if there is None:
            if gone:
                return
            raise DeployError(f"there is no endpoint {endpoint_name}")
        if state == "InService" and not gone:
            reason = there.get("FailureReason")
            if reason:
                raise DeployError(f"the update of {endpoint_name} was rolled back: {reason}")
            return
        if state not in _BUSY and not gone:
            raise DeployError(f"endpoint {endpoint_name}: {state}: {there.get('FailureReason')}")
        if time.monotonic() - began > timeout_s:
            raise DeployError(f"endpoint {endpoint_name} is {state} after {timeout_s:g} s")
        sleep(pause_s)
        pause_s = min(_POLL_S, pause_s * 2.0)


def delete_endpoint(endpoint_name: str, transaction: Transaction) -> bool:
    """Deletes an endpoint with its scaling, its configuration and its models.

    Only models that carry this endpoint's tag go: a model that others share stays.

    Returns:
        Whether there was anything to delete.
    """
    account = transaction.account
    identity = {"EndpointName": endpoint_name}
    if transaction.dry_run:
        transaction.run(Call("sagemaker", "delete_endpoint", identity), "")
        return True
    there = account.find(Call("sagemaker", "describe_endpoint", identity))
    if there is None:
        return False
    config_identity = {"EndpointConfigName": there["EndpointConfigName"]}
    config = account.find(Call("sagemaker", "describe_endpoint_config", config_identity)) or {}
    for variant in config.get("ProductionVariants", ()):
        if "ServerlessConfig" not in variant:
            _remove_scaling(endpoint_name, variant["VariantName"], transaction)
    transaction.run(
        Call("sagemaker", "delete_endpoint", identity), f"endpoint {endpoint_name}: deleting"
    )
    if config:
        transaction.run(
            Call("sagemaker", "delete_endpoint_config", config_identity), "configuration: deleted"
        )
    for variant in config.get("ProductionVariants", ()):
        model = {"ModelName": variant["ModelName"]}
        found = account.find(Call("sagemaker", "describe_model", model))
        if found is not None and _is_ours(account, found["ModelArn"], endpoint_name):
            transaction.run(
                Call("sagemaker", "delete_model", model), f"model {model['ModelName']}: deleted"
            )
    return True


def list_endpoints(account: Account, *, prefix: str | None = None) -> Iterator[dict[str, Any]]:
    """Returns defectscope's endpoints: those whose tags name them, with state and variants."""
    token: str | None = None
    while True:
        request = without_none(NameContains=prefix, NextToken=token, MaxResults=100)
        page = account.call(Call("sagemaker", "list_endpoints", request))
        for entry in page["Endpoints"]:
            name = entry["EndpointName"]
            if not _is_ours(account, entry["EndpointArn"], name):
                continue
            there = account.find(Call("sagemaker", "describe_endpoint", {"EndpointName": name}))
            if there is None:
                continue
            yield {
                "name": name,
                "state": there["EndpointStatus"],
                "configuration": there["EndpointConfigName"],
                "reason": there.get("FailureReason"),
                "variants": [
                    {
                        "name": v["VariantName"],
                        "instances": v.get("CurrentInstanceCount"),
                        "weight": v.get("CurrentWeight"),
                    }
                    for v in there.get("ProductionVariants", ())
                ],
            }
        token = page.get("NextToken")
        if not token:
            return


def ensure_config(spec: EndpointSpec, transaction: Transaction) -> str:
    """Makes the models and the configuration of an endpoint; returns the configuration's name."""
    models: list[str] = []
    for variant in spec.variants:
        resource = model_resource(spec, variant)
        transaction.ensure(resource)
        models.append(str(resource.make.request["ModelName"]))
    config = config_resource(spec, models)
    transaction.ensure(config)
    return str(config.make.request["EndpointConfigName"])


def _is_ours(account: Account, arn: str, endpoint_name: str) -> bool:
    answer = account.find(Call("sagemaker", "list_tags", {"ResourceArn": arn})) or {}
    tags = {tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())}
    return tags.get("defectscope:endpoint") == endpoint_name


def _remove_scaling(endpoint_name: str, variant_name: str, transaction: Transaction) -> None:
    target, alarms = scaling.remove_calls(endpoint_name, variant_name)
    described = transaction.account.find(
        Call(
            "application-autoscaling",
            "describe_scalable_targets",
            {"ServiceNamespace": "sagemaker", "ResourceIds": [target.request["ResourceId"]]},
        )
    )
    if described and described.get("ScalableTargets"):
        transaction.run(target, "scaling: removed")
        transaction.run(alarms, "scaling: alarm removed")
