"""Deletes an endpoint with its scaling, configuration and models; again is harmless."""

from __future__ import annotations

import sys

from defectscope.deploy import endpoint
from defectscope.deploy.console import Progress, parser, run, transaction


def main(progress: Progress) -> None:
    """Deletes the endpoint and waits until it is gone."""
    made = parser(
        "Delete an endpoint and what create_endpoint made for it.",
        "Archives in S3, images, registered versions and reports stay.",
    )
    made.add_argument("name", help="name of the endpoint")
    options = made.parse_args()
    with transaction(options, progress) as steps:
        there = endpoint.delete_endpoint(options.name, steps)
        if steps.dry_run:
            print(steps.to_json())
            return
        if not there:
            progress.say(f"endpoint {options.name}: not there")
            return
        endpoint.wait(steps.account, options.name, watch=progress.state, gone=True)


if __name__ == "__main__":
    sys.exit(run(main))
