"""Creates the pipeline in which a detector learns from labels, or runs its steps here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from defectscope.deploy.console import Progress, add_tags, pairs, parser, run, transaction
from defectscope.deploy.pipeline import Loop, definition, put_pipeline
from defectscope.deploy.pipeline_run import Execution
from defectscope.errors import DeployError

EXAMPLES = """examples:
  python sagemaker/create_pipeline.py qc-learns --queue s3://qc-work/review \\
      --held-out s3://qc-work/held_out --service s3://qc-work/service --media s3://qc-work/shadow \\
      --work s3://qc-work/loop --model-prefix s3://models/defectscope --image "$IMAGE" \\
      --role-arn "$ROLE_ARN" --endpoint qc --alarm qc-errors
  aws sagemaker start-pipeline-execution --pipeline-name qc-learns
with --here FOLDER besides, the steps run on this machine, one after another, with the same code
"""


def main(progress: Progress) -> None:
    """Creates, prints or runs the pipeline."""
    made = parser("Create the pipeline that makes a detector better by labels.", EXAMPLES)
    made.add_argument("name", help="of the pipeline")
    made.add_argument("--queue", required=True, help="s3:// address of the queue, with its labels")
    made.add_argument("--held-out", required=True, help="titles with truth")
    made.add_argument("--service", required=True, help="artifacts in service")
    made.add_argument("--media", required=True, help="what both versions analyze in the shadow")
    made.add_argument("--work", required=True, help="where executions put what they make")
    made.add_argument("--model-prefix", required=True, help="where archives go")
    made.add_argument("--image", required=True, help="address of the container image")
    made.add_argument("--role-arn", required=True, help="role of the jobs and of the endpoint")
    made.add_argument("--endpoint", required=True, help="name of the endpoint that learns")
    made.add_argument("--alarm", action="append", default=[], help="takes a version back")
    made.add_argument("--detector", default="audio_artifacts")
    made.add_argument("--instance-type", default="ml.c6i.2xlarge", help="of the jobs")
    made.add_argument("--endpoint-instance-type", default="ml.c6i.2xlarge")
    made.add_argument("--canary-wait-s", type=int, default=600)
    made.add_argument("--most-changed", type=float, default=0.1, help="share of verdicts (0.1)")
    made.add_argument("--definition", action="store_true", help="print it, and make nothing")
    made.add_argument("--here", type=Path, metavar="FOLDER", help="run the steps on this machine")
    made.add_argument("--set", action="append", default=[], metavar="PARAMETER=VALUE")
    add_tags(made)
    options = made.parse_args()
    loop = Loop(
        options.queue, options.held_out, options.service, options.media, options.work,
        options.model_prefix, options.image, options.role_arn, options.endpoint,
        tuple(options.alarm), detector=options.detector, instance_type=options.instance_type,
        endpoint_instance_type=options.endpoint_instance_type,
        canary_wait_s=options.canary_wait_s, most_changed=options.most_changed,
    )  # fmt: skip
    if options.definition:
        print(json.dumps(definition(loop), indent=1))
        return
    with transaction(options, progress) as steps:
        if options.here is not None:
            execution = Execution(
                definition(loop), pairs(options.set, "--set"), steps.account, options.here,
                show=progress.say,
            )  # fmt: skip
            if not execution.run():
                raise DeployError(f"{options.name}: {list(execution.done.values())[-1]}")
            return
        put_pipeline(options.name, loop, steps, pairs(options.tag, "--tag"))
        if steps.dry_run:
            print(steps.to_json())


if __name__ == "__main__":
    sys.exit(run(main))
