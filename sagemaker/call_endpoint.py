"""Calls an endpoint with a small built-in clip, or a file, and fails unless a report comes back."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from defectscope.client import Client
from defectscope.client.aws import AwsTransport
from defectscope.deploy.calls import Call
from defectscope.deploy.console import Progress, parser, run, transaction
from defectscope.errors import DeployError


def main(progress: Progress) -> None:
    """Prints the verdicts and how long the answer took."""
    made = parser(
        "Prove that an endpoint of any kind evaluates media.",
        "The built-in clip takes the `engine` extra; give --media without it.",
    )
    made.add_argument("name", help="name of the endpoint")
    made.add_argument("--media", type=Path, help="what to send (default: the built-in clip)")
    made.add_argument(
        "--staging",
        metavar="S3_URI",
        help="where media goes that an asynchronous endpoint shall read (default: by its tags)",
    )
    options = made.parse_args()
    steps = transaction(options, progress)
    if steps.dry_run:
        body = f"<{options.media or 'the built-in clip'}>"
        for call in (
            Call("sagemaker", "describe_endpoint", {"EndpointName": options.name}),
            Call(
                "sagemaker-runtime", "invoke_endpoint", {"EndpointName": options.name, "Body": body}
            ),
        ):
            steps.run(call, "")
        print(steps.to_json())
        return
    media: bytes | Path | None = options.media
    if media is None:
        from defectscope.serving.sample import sample_avi

        media = sample_avi()
    transport = AwsTransport(region=steps.account.region, endpoint_url=options.endpoint_url)
    began = time.monotonic()
    with Client.for_endpoint(
        options.name, transport=transport, staging_uri=options.staging
    ) as client:
        report = client.analyze(media)
    if not report.verdicts:
        raise DeployError(f"endpoint {options.name} answered without a verdict")
    for detector, entry in sorted(report.verdicts.items()):
        print(f"{detector:<24} {entry['verdict']}")
    progress.say(f"{len(report.verdicts)} verdicts in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    sys.exit(run(main))
