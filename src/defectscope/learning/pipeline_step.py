"""One step of the loop's pipeline, as a processing job or `create_pipeline.py --here` runs it.

    python -m defectscope.learning.pipeline_step prepare --detector audio_artifacts

Inputs and outputs are folders below `DEFECTSCOPE_PROCESSING`, /opt/ml/processing in a job. A step
that refuses a version ends with 0 and says so in its document: the pipeline's condition reads it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from defectscope.deploy.calls import Account
from defectscope.errors import DefectscopeError
from defectscope.learning import release_steps
from defectscope.learning.steps import MOST_CHANGED, evaluate, prepare, shadow, train

ROOT = "DEFECTSCOPE_PROCESSING"
# Source: Amazon SageMaker API reference, ProcessingS3Input: paths begin with it.
_JOB_ROOT = "/opt/ml/processing"


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser; deploy/pipeline.py writes the arguments."""
    parser = argparse.ArgumentParser(prog="pipeline_step", description=__doc__)
    parser.add_argument(
        "step",
        choices=("prepare", "train", "evaluate", "shadow", "register", "canary", "reject"),
    )
    parser.add_argument("--detector", default="audio_artifacts")
    parser.add_argument("--most-changed", type=float, default=MOST_CHANGED)
    parser.add_argument("--image", default="")
    parser.add_argument("--model-prefix", default="")
    parser.add_argument("--group", default="")
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--role-arn", default="")
    parser.add_argument("--instance-type", default="ml.c6i.2xlarge")
    parser.add_argument("--alarms", default="", help="names, by commas")
    parser.add_argument("--wait-s", type=int, default=600)
    parser.add_argument("--reason", default="refused")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a step; returns the exit code."""
    options = build_parser().parse_args(argv)
    root = Path(os.environ.get(ROOT, _JOB_ROOT))
    try:
        sys.stdout.write(f"{options.step}: {_run(options, root)}\n")
    except DefectscopeError as error:
        sys.stderr.write(f"{options.step}: {error.code}: {error.message}\n")
        return error.exit_code
    return 0


def _run(options: argparse.Namespace, root: Path) -> str:
    # Jobs name their region where boto3 does not look.
    account = Account(region=os.environ.get("AWS_REGION"))
    match options.step:
        case "prepare":
            prepare(root, options.detector)
            return "done"
        case "train":
            train(root, options.detector)
            return "done"
        case "evaluate":
            return "accepted" if evaluate(root, options.detector) else "refused"
        case "shadow":
            fit = shadow(root, options.detector, options.most_changed)
            return "accepted" if fit else "refused"
        case "register":
            return release_steps.register_version(
                root, options.detector, options.image, options.model_prefix, options.group,
                account,
            )  # fmt: skip
        case "canary":
            names = tuple(name.strip() for name in options.alarms.split(",") if name.strip())
            target = release_steps.Target(
                options.endpoint, options.role_arn, options.instance_type, names, options.wait_s
            )
            return "promoted" if release_steps.canary(root, target, account) else "taken back"
        case _:
            release_steps.reject(root, account, options.reason)
            return "rejected"


if __name__ == "__main__":
    sys.exit(main())
