"""Creates a real-time, serverless or asynchronous endpoint; a second run changes nothing."""

from __future__ import annotations

import sys

from defectscope.deploy import endpoint, updates
from defectscope.deploy.console import Progress, parser, run, transaction
from defectscope.deploy.endpoint_options import add_options, scaling_from, spec_from
from defectscope.deploy.rollout import Rollout

EXAMPLES = """examples:
  real-time, scaled by load:
    python sagemaker/create_endpoint.py qc --role-arn "$ROLE_ARN" --image "$IMAGE" \\
        --archive all_detectors --model-prefix s3://models/defectscope \\
        --max-instances 4 --calls-per-minute 12
  asynchronous, from zero instances and back:
    python sagemaker/create_endpoint.py qc-async --role-arn "$ROLE_ARN" --image "$IMAGE" \\
        --archive all_detectors --model-prefix s3://models/defectscope \\
        --async-output s3://answers/reports --async-failures s3://answers/failures \\
        --max-instances 8
"""


def main(progress: Progress) -> None:
    """Creates the endpoint and waits until it is in service."""
    made = parser("Create an endpoint with its model and configuration.", EXAMPLES)
    add_options(made)
    made.add_argument("--no-wait", action="store_true", help="come back while it is starting")
    made.add_argument(
        "--or-update",
        action="store_true",
        help="move an endpoint that is there to this configuration, by a canary of 10 %%",
    )
    made.add_argument(
        "--alarm", action="append", default=[], help="with --or-update: alarm that takes it back"
    )
    options = made.parse_args()
    with transaction(options, progress) as steps:
        spec = spec_from(options, steps)
        scale = scaling_from(options, spec)
        if options.or_update and endpoint.exists(spec.name, steps):
            rollout = Rollout(alarms=tuple(options.alarm))
            updates.update_endpoint(spec, steps, rollout)
        else:
            endpoint.create_endpoint(spec, steps)
        if not (steps.dry_run or (options.no_wait and not scale)):
            # Scaling cannot be registered before the endpoint is in service. A failure here still
            # removes what this run made.
            endpoint.wait(steps.account, spec.name, watch=progress.state)
        endpoint.apply_scaling(scale, steps, spec.name)
        if steps.dry_run:
            print(steps.to_json())
            return
    progress.say(f"Client.for_endpoint({spec.name!r}) calls it")


if __name__ == "__main__":
    sys.exit(run(main))
