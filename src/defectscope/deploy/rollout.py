"""How traffic moves from one fleet of instances to the next, and what takes it back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from defectscope.deploy.calls import without_none
from defectscope.errors import InvalidParameterError

_TYPES = {"all_at_once": "ALL_AT_ONCE", "canary": "CANARY", "linear": "LINEAR"}
# Source: Amazon SageMaker API reference, TrafficRoutingConfig: a canary is at most 50 % of the
# variant's instances, a linear step 10 to 50 %.
_LEAST_PERCENT = {"canary": 1, "linear": 10}
_MOST_PERCENT = 50
# Source: Amazon SageMaker API reference, BlueGreenUpdatePolicy: 600 to 28,800 s, more than the
# waits together.
_SHORTEST_S, _LONGEST_S = 600, 28_800


@dataclass(frozen=True, slots=True)
class Rollout:
    """How traffic moves to a new configuration, and what takes it back.

    Attributes:
        kind: `all_at_once`, `canary` or `linear`.
        step_percent: Share of the instances in the canary or in each linear step.
        wait_s: Seconds between shifts, while alarms are watched.
        alarms: CloudWatch alarms; any of them rings and AWS rolls back by itself.
        terminate_wait_s: Seconds until the old fleet goes.
    """

    kind: str = "canary"
    step_percent: int = 10
    wait_s: int = 300
    alarms: tuple[str, ...] = ()
    terminate_wait_s: int = 300

    def config(self, instances: int, *, start_s: int) -> dict[str, Any]:
        """Returns the DeploymentConfig for a fleet.

        A step is given in instances, at least one: a share of a small fleet would be none, or more
        than half of it. A fleet of one instance has no part to begin with, so its traffic shifts
        at once, and the alarms are watched afterwards.

        Args:
            instances: How many the smallest variant has.
            start_s: How long the new fleet may take until it can serve.

        Raises:
            InvalidParameterError: The kind, the step or the waits are none that AWS takes.
        """
        if self.kind not in _TYPES:
            raise InvalidParameterError(f"a rollout is {', '.join(_TYPES)}, not {self.kind!r}")
        least = _LEAST_PERCENT.get(self.kind, 0)
        if self.kind != "all_at_once" and not least <= self.step_percent <= _MOST_PERCENT:
            raise InvalidParameterError(f"a {self.kind} step is {least} to {_MOST_PERCENT} percent")
        kind = self.kind if instances > 1 else "all_at_once"
        routing: dict[str, Any] = {
            "Type": _TYPES[kind],
            "WaitIntervalInSeconds": self.wait_s,
        }
        shifts = 1
        if kind != "all_at_once":
            step = min(math.ceil(instances * self.step_percent / 100), instances // 2)
            size = {"Type": "INSTANCE_COUNT", "Value": step}
            routing["CanarySize" if kind == "canary" else "LinearStepSize"] = size
            shifts = 2 if kind == "canary" else math.ceil(instances / step)
        return without_none(
            BlueGreenUpdatePolicy={
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": self.terminate_wait_s,
                "MaximumExecutionTimeoutInSeconds": self._longest_s(shifts, start_s),
            },
            AutoRollbackConfiguration={"Alarms": [{"AlarmName": a} for a in self.alarms]}
            if self.alarms
            else None,
        )

    def _longest_s(self, shifts: int, start_s: int) -> int:
        waits_s = shifts * self.wait_s + self.terminate_wait_s
        if waits_s + start_s > _LONGEST_S:
            raise InvalidParameterError(
                f"{shifts} shifts with {self.wait_s} s after each, {self.terminate_wait_s} s until "
                f"the old fleet goes and {start_s} s to start are over AWS's {_LONGEST_S} s: take "
                "larger steps or shorter waits"
            )
        return max(_SHORTEST_S, waits_s + start_s)
