"""Runs the conformance suite against an account, bounded in cost, and cleans up whatever happens.

    python scripts/conformance_aws.py --bucket B --role ARN --image ADDRESS --yes
    python scripts/conformance_aws.py --dry-run

The suite may keep at most `--most-instances` instances for at most `--most-minutes`: the account is
asked every 30 s what it keeps, and where it is more, or later, the suite is ended and the clean-up
begins. An endpoint that is being updated counts twice, since both its fleets run. What the suite
makes is named `conformance-*`: endpoints, configurations, models and jobs of that name are removed
before and after, and the command fails when anything of the name is left. `--dry-run` runs the same
clean-up against a stand-in for AWS in which such things lie about.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import boto3
from botocore.exceptions import BotoCoreError, ClientError

PREFIX = "conformance-"
ROOT = Path(__file__).parents[1]
# What a cancelled build and a terminal that is closed send.
_ENDS = (signal.SIGTERM, signal.SIGHUP)


def left_over(client: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields how each thing of the suite's that is there is removed."""
    for operation, result, member, remove in (
        ("list_endpoints", "Endpoints", "EndpointName", "delete_endpoint"),
        (
            "list_endpoint_configs",
            "EndpointConfigs",
            "EndpointConfigName",
            "delete_endpoint_config",
        ),
        ("list_models", "Models", "ModelName", "delete_model"),
    ):
        for page in client.get_paginator(operation).paginate():
            for entry in page[result]:
                if entry[member].startswith(PREFIX):
                    yield remove, {member: entry[member]}
    for page in client.get_paginator("list_transform_jobs").paginate():
        for entry in page["TransformJobSummaries"]:
            running = entry["TransformJobStatus"] in ("InProgress", "Stopping")
            if entry["TransformJobName"].startswith(PREFIX) and running:
                yield "stop_transform_job", {"TransformJobName": entry["TransformJobName"]}


def clean(client: Any, *, within_s: float, pause_s: float = 10.0) -> int:
    """Removes everything of the suite's and returns how much of it is left.

    A network that is away, or an account that throttles, is asked again until the time is over.
    Where nobody could look, one thing counts as left.
    """
    deadline = time.monotonic() + within_s
    while True:
        left: list[tuple[str, dict[str, str]]] | None = None
        try:
            left = list(left_over(client))
        except (BotoCoreError, ClientError) as error:
            sys.stderr.write(f"cannot look what is left: {error}\n")
        for operation, request in left or ():
            try:
                getattr(client, operation)(**request)
            except (BotoCoreError, ClientError) as error:
                # An endpoint that is in transition is removed on the next round.
                sys.stderr.write(f"{operation} {request}: {error}\n")
        if left == [] or time.monotonic() > deadline:
            return 1 if left is None else len(left)
        time.sleep(pause_s)


def instances(client: Any) -> int:
    """Counts the instances that the suite's endpoints and jobs take now, or are about to take."""
    total = 0
    for page in client.get_paginator("list_endpoints").paginate(NameContains=PREFIX):
        for entry in page["Endpoints"]:
            if entry["EndpointName"].startswith(PREFIX):
                total += _of_endpoint(client, entry["EndpointName"])
    jobs = client.get_paginator("list_transform_jobs")
    for page in jobs.paginate(NameContains=PREFIX, StatusEquals="InProgress"):
        for entry in page["TransformJobSummaries"]:
            if entry["TransformJobName"].startswith(PREFIX):
                job = client.describe_transform_job(TransformJobName=entry["TransformJobName"])
                total += job["TransformResources"]["InstanceCount"]
    return total


def _of_endpoint(client: Any, name: str) -> int:
    endpoint = client.describe_endpoint(EndpointName=name)
    config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    # While an endpoint is being created it may not say yet what it will take. Serverless variants
    # have no instances.
    asked = {
        v["VariantName"]: v.get("InitialInstanceCount", 0) for v in config["ProductionVariants"]
    }
    for variant in endpoint.get("ProductionVariants", ()):
        counts = (variant.get("CurrentInstanceCount", 0), variant.get("DesiredInstanceCount", 0))
        if any(counts):
            asked[variant["VariantName"]] = max(counts)
    return sum(asked.values()) * (2 if endpoint["EndpointStatus"] == "Updating" else 1)


def bounded(
    command: list[str],
    client: Any,
    *,
    environment: dict[str, str],
    most_instances: int,
    within_s: float,
    every_s: float = 30.0,
) -> int:
    """Runs the suite for as long as it keeps within its bounds; returns its exit code, else 1."""
    deadline = time.monotonic() + within_s
    with subprocess.Popen(command, cwd=ROOT, env=environment) as suite:
        try:
            while True:
                try:
                    return suite.wait(max(0.0, min(every_s, deadline - time.monotonic())))
                except subprocess.TimeoutExpired:
                    pass
                if time.monotonic() >= deadline:
                    _say(f"ended after {within_s / 60:g} minutes")
                    return 1
                try:
                    found = instances(client)
                except (BotoCoreError, ClientError) as error:
                    # The bound in time holds all the same.
                    sys.stderr.write(f"cannot count instances: {error}\n")
                    continue
                if found > most_instances:
                    _say(f"ended: {found} instances, at most {most_instances} may run")
                    return 1
        finally:
            suite.kill()


def _end(number: int, _frame: object) -> NoReturn:
    # As an exception, so that what was begun is cleaned up.
    raise SystemExit(128 + number)


def rehearse() -> int:
    """Shows on a stand-in for AWS that the clean-up leaves nothing of its own, and all else."""
    from moto import mock_aws

    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    with mock_aws():
        client = boto3.client("sagemaker", region_name="eu-west-1", **keys)
        for name in (f"{PREFIX}a", "mine"):
            client.create_model(
                ModelName=name,
                ExecutionRoleArn="arn:aws:iam::123456789012:role/x",
                PrimaryContainer={"Image": "i"},
            )
            client.create_endpoint_config(
                EndpointConfigName=name,
                ProductionVariants=[
                    {
                        "VariantName": "main",
                        "ModelName": name,
                        "InstanceType": "ml.c5.large",
                        "InitialInstanceCount": 1,
                    }
                ],
            )
            client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        left = clean(client, within_s=10.0, pause_s=0.0)
        kept = [entry["EndpointName"] for entry in client.list_endpoints()["Endpoints"]]
        client.close()
    _say(f"{left} of the suite's own left, kept: {', '.join(kept)}")
    return 0 if left == 0 and kept == ["mine"] else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Runs the suite between two clean-ups; returns its exit code, or 1 where something is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("bucket", "role", "image"):
        parser.add_argument(f"--{name}", default=os.environ.get(f"CONFORMANCE_{name.upper()}"))
    parser.add_argument("--most-minutes", type=float, default=90.0)
    parser.add_argument("--most-instances", type=int, default=6, help="at once; more end the suite")
    parser.add_argument("--price", type=float, default=0.0, help="of one instance-hour, if known")
    parser.add_argument("--yes", action="store_true", help="yes, this costs money")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    if options.dry_run:
        return rehearse()
    if not (options.bucket and options.role and options.image and options.yes):
        parser.error("--bucket, --role, --image and --yes are needed; --dry-run needs none")
    hours = options.most_instances * options.most_minutes / 60
    bound = f", {hours * options.price:.2f} at most" if options.price else ""
    _say(f"at most {hours:.1f} instance-hours{bound}")
    environment = {
        **os.environ,
        "DEFECTSCOPE_CONFORMANCE_TARGET": "aws",
        "DEFECTSCOPE_CONFORMANCE_BUCKET": options.bucket,
        "DEFECTSCOPE_CONFORMANCE_ROLE": options.role,
        "DEFECTSCOPE_CONFORMANCE_IMAGE": options.image,
    }
    client = boto3.client("sagemaker")
    for number in _ENDS:
        signal.signal(number, _end)
    if clean(client, within_s=900.0):
        _say("an earlier run's endpoints cannot be removed: nothing was started")
        return 1
    status = 1
    try:
        status = bounded(
            [sys.executable, "-m", "pytest", "-q", "tests/conformance"],
            client,
            environment=environment,
            most_instances=options.most_instances,
            within_s=options.most_minutes * 60,
        )
    finally:
        # From here nothing but SIGKILL ends it: instances that run cost money.
        for number in (signal.SIGINT, *_ENDS):
            signal.signal(number, signal.SIG_IGN)
        left = clean(client, within_s=1800.0)
        _say("nothing is left" if not left else f"{left} things named {PREFIX}* are LEFT")
    return status or int(left > 0)


if __name__ == "__main__":
    sys.exit(main())
