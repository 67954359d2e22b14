"""The steps of the loop that an AWS account sees: a version is registered, and then takes traffic.

    register  evaluation/models         -> release: registered.json
    canary    release                   -> promotion: promotion.json

The same calls as sagemaker/register_model.py and sagemaker/update_endpoint.py make.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectscope.deploy import endpoint, updates
from defectscope.deploy.archives import build_archives
from defectscope.deploy.calls import Account, Call, Transaction
from defectscope.deploy.endpoint_spec import EndpointSpec, Variant
from defectscope.deploy.limits import Limits
from defectscope.deploy.registry import Registration, metrics_document, register, set_approval
from defectscope.deploy.rollout import Rollout
from defectscope.deploy.uploads import upload_archive, upload_text
from defectscope.errors import DeployError, InvalidParameterError, MalformedRequestError
from defectscope.learning.items import write_atomically

# AWS ends a deployment by itself after eight hours at most.
_LONGEST_S = 8 * 3600.0
REGISTERED, PROMOTION = "registered.json", "promotion.json"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a version is to serve.

    Attributes:
        endpoint: Name of the endpoint; it is there already.
        role_arn: Its execution role.
        instance_type: Of its instances.
        alarms: CloudWatch alarms that take the version back.
        wait_s: How long the canary is watched, seconds.
        step_percent: Share of the instances in the canary.
    """

    endpoint: str
    role_arn: str
    instance_type: str
    alarms: tuple[str, ...]
    wait_s: int = 600
    step_percent: int = 10

    def __post_init__(self) -> None:
        if not self.alarms:
            raise InvalidParameterError("a canary is watched by alarms: name at least one")


def register_version(
    root: Path, detector: str, image: str, prefix: str, group: str, account: Account
) -> str:
    """Packs the accepted version, proves that it predicts, and registers it for approval.

    Args:
        root: Of the steps' folders.
        detector: Which.
        image: Address of the container image that serves it.
        prefix: s3:// address below which archives lie.
        group: Model package group.
        account: Where.

    Returns:
        The version's ARN.

    Raises:
        DeployError: No version was accepted, or a call or the packing failed.
    """
    folder = root / "evaluation" / "models" / detector
    if not (folder / "detector.json").is_file():
        raise DeployError("no version was accepted: there is nothing to register")
    artifact: Mapping[str, Any] = json.loads((folder / "detector.json").read_bytes())
    out = root / "release"
    (archive,) = build_archives(out / "archives", [detector], artifacts=folder)
    with Transaction(account) as steps:
        url = upload_archive(
            out / "archives" / archive.model_data, prefix, name=detector,
            content_sha256=archive.sha256, transaction=steps,
        )  # fmt: skip
        metrics = upload_text(
            metrics_document(artifact), f"{url.rpartition('/')[0]}/metrics.json", transaction=steps
        )
        arn = register(
            Registration(
                group, image, url, archive.sha256, artifact, metrics, "PendingManualApproval"
            ),
            steps,
        )
    if arn is None:
        raise DeployError(f"{group}: the registry gave no ARN")
    body = {"arn": arn, "model_data_url": url, "version": artifact["version"]}
    write_atomically(out / REGISTERED, (json.dumps(body, indent=1) + "\n").encode())
    return arn


def canary(
    root: Path,
    target: Target,
    account: Account,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Moves the endpoint to the registered version by a canary, and approves or rejects it.

    AWS watches the alarms while traffic moves and takes the version back by itself; one that rings
    at the end takes it back from here. Either way it is rejected in the registry, and what was in
    service before serves again.

    Args:
        root: Of the steps' folders.
        target: Where.
        account: Where to call.
        sleep: Waits between looks at the endpoint.

    Returns:
        Whether the version is in service.

    Raises:
        DeployError: There is no such endpoint, or a call failed before traffic moved.
        MalformedRequestError: The step before has left no version.
    """
    arn = registered_arn(root)
    before = _config_of(target.endpoint, account)
    ringing = alarms_ringing(target.alarms, account)
    reason = f"alarms before the canary began: {', '.join(ringing)}" if ringing else ""
    with Transaction(account) as steps:
        if not ringing:
            spec = EndpointSpec(
                target.endpoint,
                target.role_arn,
                (Variant(model_package_arn=arn, instance_type=target.instance_type),),
                Limits.of("realtime"),
            )
            # SageMaker makes models of approved versions alone.
            set_approval(arn, "Approved", "in a canary", steps)
            rollout = Rollout("canary", target.step_percent, target.wait_s, target.alarms)
            try:
                updates.update_endpoint(spec, steps, rollout)
                endpoint.wait(account, target.endpoint, timeout_s=_LONGEST_S, sleep=sleep)
                ringing = alarms_ringing(target.alarms, account)
                if ringing:
                    reason = f"alarms after the canary: {', '.join(ringing)}"
                    _go_back(target.endpoint, before, steps)
                    endpoint.wait(account, target.endpoint, timeout_s=_LONGEST_S, sleep=sleep)
            except DeployError as error:
                reason = error.message
        if reason:
            set_approval(arn, "Rejected", reason[:1000], steps)
        else:
            set_approval(arn, "Approved", f"in service on {target.endpoint}", steps)
    body = {"promoted": not reason, "arn": arn, "endpoint": target.endpoint, "reason": reason}
    write_atomically(root / "promotion" / PROMOTION, (json.dumps(body, indent=1) + "\n").encode())
    return not reason


def _config_of(name: str, account: Account) -> str:
    found = account.find(Call("sagemaker", "describe_endpoint", {"EndpointName": name}))
    if found is None:
        raise DeployError(f"there is no endpoint {name}: create_endpoint makes it")
    return str(found["EndpointConfigName"])


def _go_back(name: str, config: str, steps: Transaction) -> None:
    request = {"EndpointName": name, "EndpointConfigName": config}
    steps.run(Call("sagemaker", "update_endpoint", request), f"endpoint {name}: back to {config}")


def reject(root: Path, account: Account, reason: str) -> None:
    """Marks the registered version as rejected: no endpoint can be given it by approval.

    Raises:
        DeployError: The call failed.
        MalformedRequestError: The step before has left no version.
    """
    with Transaction(account) as steps:
        set_approval(registered_arn(root), "Rejected", reason[:1000], steps)


def registered_arn(root: Path) -> str:
    """Returns what `register_version` wrote.

    Raises:
        MalformedRequestError: It has not.
    """
    try:
        return str(json.loads((root / "release" / REGISTERED).read_bytes())["arn"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MalformedRequestError(f"{REGISTERED}: no registered version ({error})") from None


def alarms_ringing(names: Sequence[str], account: Account) -> list[str]:
    """Returns which alarms are in the state ALARM.

    Raises:
        DeployError: An alarm is not there: nothing would watch the canary.
    """
    call = Call("cloudwatch", "describe_alarms", {"AlarmNames": list(names)})
    answer = account.call(call)
    there = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    states = {str(a["AlarmName"]): str(a["StateValue"]) for a in there}
    gone = [name for name in names if name not in states]
    if gone:
        raise DeployError(f"there is no alarm {gone[0]}: nothing would take a bad version back")
    return [name for name in names if states[name] == "ALARM"]
