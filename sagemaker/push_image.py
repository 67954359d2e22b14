"""Builds the container image and pushes it to the account's registry."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import defectscope
from defectscope.deploy import image
from defectscope.deploy.calls import Call
from defectscope.deploy.console import Progress, parser, run, transaction
from defectscope.errors import UsageError

EXAMPLES = """examples:
  built from this checkout and pushed under a tag that follows its contents:
    python sagemaker/push_image.py --accelerator cuda
  AWS's own image, and its warning:
    python sagemaker/push_image.py --aws-image
"""


def main(progress: Progress) -> None:
    """Prints the image's address on standard output."""
    made = parser("Build and push the image that serves the archives.", EXAMPLES)
    made.add_argument("--repository", default="defectscope", help="default: %(default)s")
    made.add_argument("--accelerator", choices=["cpu", "cuda"], default="cpu")
    made.add_argument(
        "--torch-index-url",
        default=os.environ.get("TORCH_INDEX_URL"),
        help="mirror of the package index of PyTorch's CPU builds, for --accelerator cpu "
        "(default: TORCH_INDEX_URL, else PyTorch's own)",
    )
    made.add_argument(
        "--image-tag", help="default: VERSION-ACCELERATOR-HASH, the hash being that of the sources"
    )
    made.add_argument("--account-id", help="default: the caller's own")
    made.add_argument("--checkout", type=Path, default=Path(), help="folder with the sources")
    made.add_argument("--aws-image", action="store_true", help="print AWS's image instead")
    made.add_argument("--instance-type", default="ml.c6i.2xlarge", help="for --aws-image")
    options = made.parse_args()
    with transaction(options, progress) as steps:
        region = steps.account.region
        if not region:
            raise UsageError("no AWS region: pass --region or set AWS_REGION")
        if options.aws_image:
            address, warning = image.aws_image(region=region, instance_type=options.instance_type)
            progress.say(f"warning: {warning}")
            print(address)
            return
        account_id = options.account_id
        if account_id is None and steps.dry_run:
            # An account's number is asked of the account.
            account_id = "000000000000"
        if account_id is None:
            account_id = steps.account.call(Call("sts", "get_caller_identity"))["Account"]
        address = image.push_image(
            account_id=account_id,
            region=region,
            repository=options.repository,
            tag=options.image_tag
            or image.content_tag(options.checkout, defectscope.__version__, options.accelerator),
            accelerator=options.accelerator,
            checkout=options.checkout,
            torch_index_url=options.torch_index_url if options.accelerator == "cpu" else None,
            transaction=steps,
        )
        print(steps.to_json() if steps.dry_run else address)


if __name__ == "__main__":
    sys.exit(run(main))
