"""Follows a batch-transform job to its end, or stops it."""

from __future__ import annotations

import sys

from defectscope.deploy import transform
from defectscope.deploy.calls import Call
from defectscope.deploy.console import Progress, parser, run, transaction
from defectscope.errors import JobError


def main(progress: Progress) -> None:
    """Waits for the job; fails when the job failed."""
    made = parser("Wait for a transform job, showing its state.", "")
    made.add_argument("job", help="name of the job")
    made.add_argument(
        "--stop", action="store_true", help="stop it; SageMaker then stores none of its output"
    )
    made.add_argument("--timeout-s", type=float, default=86400, help="give up after so long")
    options = made.parse_args()
    with transaction(options, progress) as steps:
        if options.stop:
            transform.stop(options.job, steps)
        if steps.dry_run:
            describe = {"TransformJobName": options.job}
            steps.run(Call("sagemaker", "describe_transform_job", describe), "")
            print(steps.to_json())
            return
        last = transform.watch(
            steps.account, options.job, timeout_s=options.timeout_s, show=progress.state
        )
    state = last["TransformJobStatus"]
    if state == "Failed":
        raise JobError(f"{options.job}: {last.get('FailureReason', 'failed')}")
    progress.say(f"{options.job}: {state}")


if __name__ == "__main__":
    sys.exit(run(main))
