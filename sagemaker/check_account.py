"""Looks at an account before anything is made in it; reads and changes nothing."""

from __future__ import annotations

import sys

from defectscope.deploy import preflight
from defectscope.deploy.console import Progress, parser, run, transaction
from defectscope.errors import DeployError

EXAMPLES = """example:
  python sagemaker/check_account.py --role-arn "$ROLE_ARN" --image "$IMAGE" \\
      --model-prefix s3://models/defectscope --name qc --instances 4
Each line says ok, fail, or skip where the caller may not look. Exit 4 when one fails.
"""


def main(progress: Progress) -> None:
    """Prints one line for each check."""
    made = parser("Check that an account is ready for an endpoint.", EXAMPLES)
    made.add_argument("--role-arn", required=True, help="execution role")
    made.add_argument("--image", required=True, help="address of the image")
    made.add_argument("--model-prefix", required=True, help="s3:// prefix for archives")
    made.add_argument("--name", default="qc", help="of the endpoint (default: %(default)s)")
    made.add_argument("--instance-type", default="ml.c6i.2xlarge", help="default: %(default)s")
    made.add_argument("--instances", type=int, default=1, help="at most (default: %(default)s)")
    options = made.parse_args()
    plan = preflight.Plan(
        options.role_arn,
        options.image,
        options.model_prefix,
        options.name,
        options.instance_type,
        options.instances,
    )
    failed: list[str] = []
    for found in preflight.look(transaction(options, progress).account, plan):
        print(f"{found.state:<5} {found.check}: {found.says}")
        if found.state == "fail":
            failed.append(found.check)
    if failed:
        raise DeployError(f"not ready: {', '.join(failed)}")


if __name__ == "__main__":
    sys.exit(run(main))
