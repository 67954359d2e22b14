"""Updates keep what scaling has made of an endpoint, and roll out as AWS takes it."""

from __future__ import annotations

import pytest

from defectscope.deploy.calls import Transaction
from defectscope.deploy.endpoint_spec import EndpointSpec, Serverless, Variant
from defectscope.deploy.limits import Limits
from defectscope.deploy.rollout import Rollout
from defectscope.deploy.updates import update_endpoint
from defectscope.errors import InvalidParameterError

ROLE = "arn:aws:iam::123456789012:role/defectscope"


class Scaled:
    """An account whose endpoint was made with one instance and scaled to three."""

    def __init__(self, **variant) -> None:
        self.variant = {"VariantName": "main", "DesiredInstanceCount": 3, **variant}
        self.made: list[tuple[str, dict]] = []

    def find(self, call):
        if call.operation == "describe_endpoint":
            return {"EndpointConfigName": "old", "ProductionVariants": [self.variant]}
        if call.request.get("EndpointConfigName") == "old":
            return {"ProductionVariants": [{"VariantName": "main", "InitialInstanceCount": 1}]}
        return None

    def call(self, call):
        self.made.append((call.operation, dict(call.request)))
        return {}


def updated(*variants: Variant, rollout: Rollout | None = None, **changes):
    account = Scaled()
    base = {"name": "qc", "role_arn": ROLE, "limits": Limits.of("realtime")}
    told: list[str] = []
    steps = Transaction(account, show=told.append)
    assert update_endpoint(
        EndpointSpec(**{**base, "variants": variants, **changes}), steps, rollout
    )
    made = dict(account.made)
    return made["update_endpoint"], made["create_endpoint_config"], told


def variant(name: str = "main", **given) -> Variant:
    return Variant(name=name, image="i:2", model_data_url="s3://m/model.tar.gz", **given)


def test_an_update_keeps_the_instances_that_scaling_made() -> None:
    request, config, _ = updated(variant())
    assert request["RetainAllVariantProperties"] is True
    assert "ExcludeRetainedVariantProperties" not in request
    # The next update must not look like a change of the count.
    assert config["ProductionVariants"][0]["InitialInstanceCount"] == 1


def test_what_is_asked_for_is_not_retained() -> None:
    request, config, _ = updated(variant(instance_count=2))
    assert request["ExcludeRetainedVariantProperties"] == [
        {"VariantPropertyType": "DesiredInstanceCount"}
    ]
    assert config["ProductionVariants"][0]["InitialInstanceCount"] == 2
    request, _, _ = updated(variant(), variant("new", weight=0.1))
    assert {"VariantPropertyType": "DesiredWeight"} in request["ExcludeRetainedVariantProperties"]


def test_serverless_endpoints_have_nothing_to_retain() -> None:
    request, _, _ = updated(variant(), serverless=Serverless(), rollout=Rollout())
    assert set(request) == {"EndpointName", "EndpointConfigName"}


@pytest.mark.parametrize(
    ("kind", "instances", "percent", "step"),
    [
        ("canary", 2, 10, 1),
        ("canary", 3, 50, 1),
        ("canary", 10, 1, 1),
        ("canary", 10, 25, 3),
        ("linear", 3, 50, 1),
        ("linear", 20, 10, 2),
    ],
)
def test_a_step_is_at_least_one_instance_and_at_most_half(kind, instances, percent, step) -> None:
    config = Rollout(kind, percent).config(instances, start_s=600)["BlueGreenUpdatePolicy"]
    routing = config["TrafficRoutingConfiguration"]
    (size,) = [routing[name] for name in ("CanarySize", "LinearStepSize") if name in routing]
    assert size == {"Type": "INSTANCE_COUNT", "Value": step}
    assert 1 <= step <= instances / 2


def test_the_longest_time_holds_every_wait() -> None:
    for rollout, instances, shifts in (
        (Rollout("canary", 10, 600), 4, 2),
        (Rollout("linear", 10, 900), 10, 10),
        (Rollout("all_at_once", 10, 60, terminate_wait_s=0), 4, 1),
    ):
        policy = rollout.config(instances, start_s=2100)["BlueGreenUpdatePolicy"]
        waits = shifts * rollout.wait_s + rollout.terminate_wait_s
        assert policy["MaximumExecutionTimeoutInSeconds"] >= waits + 2100
        assert 600 <= policy["MaximumExecutionTimeoutInSeconds"] <= 28_800


def test_one_instance_has_no_part_to_begin_with() -> None:
    account = Scaled(DesiredInstanceCount=1)
    told: list[str] = []
    steps = Transaction(account, show=told.append)
    wanted = EndpointSpec("qc", ROLE, (variant(),), Limits.of("realtime"))
    update_endpoint(wanted, steps, Rollout("canary", alarms=("errors",)))
    config = dict(account.made)["update_endpoint"]["DeploymentConfig"]
    routing = config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300}
    assert config["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "errors"}]}
    assert "one instance: traffic shifts at once, not by canary" in told


def test_variants_of_other_names_take_no_gradual_rollout() -> None:
    with pytest.raises(InvalidParameterError, match="--rollout all_at_once"):
        updated(variant("other"), rollout=Rollout("canary"))
    request, _, _ = updated(variant("other"), rollout=Rollout("all_at_once"))
    assert "DeploymentConfig" not in request
