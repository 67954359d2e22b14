"""The canary's three ends: in service, never begun, and taken back; AWS is a table of answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from defectscope.deploy.calls import Account, Call
from defectscope.errors import DeployError, InvalidParameterError, MalformedRequestError
from defectscope.learning import release_steps
from defectscope.learning.release_steps import PROMOTION, REGISTERED, Target

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/defectscope-audio-artifacts/2"
ROLE = "arn:aws:iam::123456789012:role/defectscope"
TARGET = Target("qc", ROLE, "ml.c6i.2xlarge", ("qc-errors",), wait_s=0)


class Answers(Account):
    """An account that answers from memory and keeps what changed.

    Args:
        alarms: State of the alarm at each look, the last for all that follow.
        fails: AWS takes the update back by itself.
    """

    def __init__(self, *alarms: str, fails: bool = False) -> None:
        super().__init__(region="us-east-1", typed=False)
        self.alarms, self.fails = list(alarms), fails
        self.config, self.reason = "before", ""
        self.approvals: list[str] = []
        self.looks = 0

    def call(self, call: Call) -> dict[str, Any]:
        if call.operation == "describe_alarms":
            state = self.alarms.pop(0) if len(self.alarms) > 1 else self.alarms[0]
            if state == "gone":
                return {"MetricAlarms": []}
            return {"MetricAlarms": [{"AlarmName": "qc-errors", "StateValue": state}]}
        if call.operation == "update_model_package":
            self.approvals.append(call.request["ModelApprovalStatus"])
        if call.operation == "update_endpoint":
            if self.fails:
                self.reason = "alarm qc-errors"
            else:
                self.config = call.request["EndpointConfigName"]
            self.looks = 0
        return {}

    def find(self, call: Call) -> dict[str, Any] | None:
        if call.operation != "describe_endpoint":
            return None
        self.looks += 1
        variant = {"VariantName": "main", "CurrentInstanceCount": 2, "DesiredInstanceCount": 2}
        return {
            "EndpointStatus": "Updating" if self.looks < 3 else "InService",
            "EndpointConfigName": self.config,
            "FailureReason": self.reason,
            "ProductionVariants": [variant],
        }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / REGISTERED).write_text(json.dumps({"arn": ARN}), "utf-8")
    return tmp_path


def outcome(root: Path) -> dict[str, Any]:
    return json.loads((root / "promotion" / PROMOTION).read_bytes())


def run(root: Path, account: Answers) -> bool:
    return release_steps.canary(root, TARGET, account, sleep=lambda _s: None)


def test_a_quiet_canary_ends_in_service(root: Path) -> None:
    account = Answers("OK")
    assert run(root, account)
    assert account.config != "before"
    assert account.approvals == ["Approved", "Approved"]
    assert outcome(root) == {"promoted": True, "arn": ARN, "endpoint": "qc", "reason": ""}


def test_no_traffic_moves_while_an_alarm_rings(root: Path) -> None:
    account = Answers("ALARM")
    assert not run(root, account)
    assert account.config == "before"
    assert account.approvals == ["Rejected"]
    assert "before the canary" in outcome(root)["reason"]


def test_what_aws_takes_back_is_rejected(root: Path) -> None:
    account = Answers("OK", fails=True)
    assert not run(root, account)
    assert account.config == "before"
    assert account.approvals == ["Approved", "Rejected"]
    assert "rolled back: alarm qc-errors" in outcome(root)["reason"]


def test_an_alarm_at_the_end_takes_the_version_back_from_here(root: Path) -> None:
    account = Answers("OK", "ALARM")
    assert not run(root, account)
    assert account.config == "before"
    assert account.approvals == ["Approved", "Rejected"]
    assert "after the canary" in outcome(root)["reason"]


def test_nothing_is_deployed_that_nothing_watches(root: Path) -> None:
    account = Answers("gone")
    with pytest.raises(DeployError, match="no alarm qc-errors"):
        run(root, account)
    assert account.approvals == []
    with pytest.raises(InvalidParameterError, match="at least one"):
        Target("qc", ROLE, "ml.c6i.2xlarge", ())


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_canary_without_a_version_is_refused(root: Path, text: str) -> None:
    (root / "release" / REGISTERED).write_text(text, "utf-8")
    with pytest.raises(MalformedRequestError, match="no registered version"):
        run(root, Answers("OK"))
