"""Moves an endpoint to another model or capacity; AWS rolls back when an alarm rings."""

from __future__ import annotations

import sys

from defectscope.deploy import endpoint, updates
from defectscope.deploy.console import Progress, pairs, parser, run, transaction
from defectscope.deploy.endpoint_options import add_options, scaling_from, spec_from
from defectscope.deploy.rollout import Rollout

EXAMPLES = """examples:
  a canary of 10 %, watched for 10 minutes by an alarm:
    python sagemaker/update_endpoint.py qc --role-arn "$ROLE_ARN" --image "$IMAGE" \\
        --archive all_detectors --model-prefix s3://models/defectscope \\
        --rollout canary --step-percent 10 --step-wait-s 600 --alarm qc-errors
  shift traffic between variants:
    python sagemaker/update_endpoint.py qc --weights main=1 --weights new=3
"""


def main(progress: Progress) -> None:
    """Updates the endpoint and waits until it is in service again."""
    made = parser("Update an endpoint with a blue/green deployment.", EXAMPLES)
    add_options(made)
    shift = made.add_argument_group("rollout")
    shift.add_argument(
        "--rollout",
        choices=["all_at_once", "canary", "linear"],
        default="canary",
        help="how traffic moves (default: %(default)s)",
    )
    shift.add_argument("--step-percent", type=int, default=10, help="share of the capacity a step")
    shift.add_argument("--step-wait-s", type=int, default=300, help="seconds between steps")
    shift.add_argument(
        "--alarm", action="append", default=[], help="CloudWatch alarm that takes it back"
    )
    shift.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="VARIANT=WEIGHT",
        help="only set the variants' shares; nothing is replaced",
    )
    options = made.parse_args()
    with transaction(options, progress) as steps:
        if options.weights:
            weights = {k: float(v) for k, v in pairs(options.weights, "--weights").items()}
            updates.set_weights(options.name, weights, steps)
            changed = True
        else:
            spec = spec_from(options, steps)
            rollout = Rollout(
                options.rollout, options.step_percent, options.step_wait_s, tuple(options.alarm)
            )
            changed = updates.update_endpoint(spec, steps, rollout)
            endpoint.apply_scaling(scaling_from(options, spec), steps, spec.name)
        if steps.dry_run:
            print(steps.to_json())
            return
        if not changed:
            progress.say(f"endpoint {options.name}: nothing to change")
        endpoint.wait(steps.account, options.name, timeout_s=7200, watch=progress.state)


if __name__ == "__main__":
    sys.exit(run(main))
