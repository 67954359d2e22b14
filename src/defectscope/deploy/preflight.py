"""Looks at an account before anything is made in it; reads and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from defectscope.deploy.aws_rules import request_faults
from defectscope.deploy.calls import Account, Call
from defectscope.deploy.image_manifest import read_manifest
from defectscope.deploy.uploads import place
from defectscope.errors import DefectscopeError, UsageError

State = Literal["ok", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: Its name.
        state: `ok`, `fail`, or `skip` where it could not look.
        says: Why.
    """

    check: str
    state: State
    says: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody is about to deploy.

    Attributes:
        role_arn: Execution role.
        image: Address of the image.
        model_prefix: s3:// prefix of the archives.
        endpoint_name: Name of the endpoint.
        instance_type: Type of its instances.
        instances: How many, at most.
    """

    role_arn: str
    image: str
    model_prefix: str
    endpoint_name: str
    instance_type: str
    instances: int


def look(account: Account, plan: Plan) -> Iterator[Finding]:
    """Makes every check; one that cannot look says so and the others go on."""
    checks: tuple[tuple[str, Callable[[Account, Plan], tuple[State, str]]], ...] = (
        ("credentials", _credentials),
        ("role", _role),
        ("image", _image),
        ("bucket", _bucket),
        ("quota", _quota),
        ("name", _name),
    )
    for name, check in checks:
        try:
            state, says = check(account, plan)
        except UsageError:
            raise
        except DefectscopeError as error:
            state, says = "skip", error.message
        yield Finding(name, state, says)


def _credentials(account: Account, _plan: Plan) -> tuple[State, str]:
    answer = account.call(Call("sts", "get_caller_identity"))
    return "ok", f"account {answer['Account']}"


def _role(account: Account, plan: Plan) -> tuple[State, str]:
    name = plan.role_arn.rpartition("/")[2]
    found = account.find(Call("iam", "get_role", {"RoleName": name}))
    if found is None:
        return "fail", f"there is no role {name}"
    trust: Any = found["Role"].get("AssumeRolePolicyDocument", {})
    document = json.loads(trust) if isinstance(trust, str) else trust
    if "sagemaker.amazonaws.com" not in json.dumps(document):
        return "fail", f"sagemaker.amazonaws.com may not take {name}: see iam.trust_policy"
    return "ok", "sagemaker.amazonaws.com may take it"


def _image(account: Account, plan: Plan) -> tuple[State, str]:
    _, _, path = plan.image.partition("/")
    repository, _, tag = path.rpartition(":")
    if ".dkr.ecr." not in plan.image or not repository:
        return "fail", "an address in the account's registry reads ACCOUNT.dkr.ecr.REGION...:TAG"
    manifest = read_manifest(account, repository, tag)
    if manifest is None:
        return "fail", f"the registry holds no {path}: push_image puts it there"
    fault = manifest.fault()
    if fault:
        return "fail", fault
    return "ok", f"Docker manifest, {manifest.size_bytes / 1e9:.2f} GB"


def _bucket(account: Account, plan: Plan) -> tuple[State, str]:
    bucket, _ = place(plan.model_prefix)
    found = account.find(Call("s3", "get_bucket_location", {"Bucket": bucket}))
    if found is None:
        return "fail", f"there is no bucket {bucket}"
    # Source: Amazon S3 API reference, GetBucketLocation: us-east-1 is told as no location.
    region = found.get("LocationConstraint") or "us-east-1"
    if region != account.region:
        # Source: Amazon SageMaker API reference, ContainerDefinition, ModelDataUrl.
        return "fail", f"{bucket} is in {region}: archives must be in {account.region}"
    policy = account.find(Call("s3", "get_bucket_policy", {"Bucket": bucket}))
    denies = (
        [
            statement.get("Sid", "without a name")
            for statement in json.loads(policy["Policy"])["Statement"]
            if statement["Effect"] == "Deny" and "Condition" not in statement
        ]
        if policy
        else []
    )
    if denies:
        return "fail", f"the policy of {bucket} denies without a condition: {', '.join(denies)}"
    return "ok", f"{bucket} in {region}"


def _quota(account: Account, plan: Plan) -> tuple[State, str]:
    wanted = f"{plan.instance_type} for endpoint usage"
    token: str | None = None
    while True:
        more = {"NextToken": token} if token else {}
        request = {"ServiceCode": "sagemaker", "MaxResults": 100, **more}
        page = account.call(Call("service-quotas", "list_service_quotas", request))
        for quota in page.get("Quotas", ()):
            if quota["QuotaName"] == wanted:
                have = int(quota["Value"])
                state: State = "ok" if have >= plan.instances else "fail"
                return state, f"{have} instances of {wanted}, {plan.instances} wanted"
        token = page.get("NextToken")
        if not token:
            return "skip", f"no quota is called {wanted!r}"


def _name(account: Account, plan: Plan) -> tuple[State, str]:
    identity = {"EndpointName": plan.endpoint_name}
    faults = request_faults("sagemaker", "DescribeEndpoint", identity)
    if faults:
        return "fail", "; ".join(faults)
    there = account.find(Call("sagemaker", "describe_endpoint", identity))
    if there is not None:
        return "fail", f"there is an endpoint {plan.endpoint_name}, {there['EndpointStatus']}"
    return "ok", f"no endpoint {plan.endpoint_name}"
