"""The options of create_endpoint and update_endpoint, and the endpoint they describe."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from defectscope.deploy import scaling
from defectscope.deploy.archives import read_manifest
from defectscope.deploy.calls import Call, Transaction
from defectscope.deploy.console import add_limits, add_tags, limits, pairs
from defectscope.deploy.endpoint_spec import (
    Asynchronous,
    Capture,
    EndpointSpec,
    Network,
    Serverless,
    Variant,
)
from defectscope.deploy.limits import Kind
from defectscope.deploy.registry import approved_version, contents_of
from defectscope.deploy.uploads import upload_archive
from defectscope.errors import DeployError, UsageError


def add_options(made: argparse.ArgumentParser) -> None:
    """Adds everything that describes an endpoint."""
    made.add_argument("name", help="name of the endpoint")
    made.add_argument("--role-arn", help="execution role; see docs/deploy.md")
    model = made.add_argument_group("model (one of the three ways)")
    model.add_argument(
        "--archive",
        metavar="MODEL",
        help="archive built by build_archives, for example all_detectors; uploaded below "
        "--model-prefix unless the same contents are there",
    )
    model.add_argument("--archives", type=Path, default=Path("archives"), help="folder of archives")
    model.add_argument("--model-prefix", help="s3:// prefix for archives")
    model.add_argument("--model-data-url", help="s3:// address of a model.tar.gz that is there")
    model.add_argument(
        "--registered",
        metavar="GROUP",
        help="newest approved version of this model package group",
    )
    model.add_argument(
        "--unapproved", action="store_true", help="take the newest version, approved or not"
    )
    model.add_argument("--image", help="address of the image that push_image pushed")
    model.add_argument(
        "--environment",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="variable of the container, for example DEFECTSCOPE_ALLOWED_BUCKETS=media",
    )
    model.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=MODEL_DATA_URL@WEIGHT",
        help="a further production variant on the same image and instances",
    )
    size = made.add_argument_group("capacity")
    size.add_argument("--instance-type", default="ml.c6i.2xlarge", help="default: %(default)s")
    size.add_argument(
        "--instances", type=int, help="at first (default: 1, or what an endpoint has now)"
    )
    size.add_argument("--max-instances", type=int, help="scale automatically up to so many")
    size.add_argument("--min-instances", type=int, help="scale down to so many (async: 0)")
    size.add_argument(
        "--calls-per-minute",
        type=float,
        help="calls that one instance should get a minute, for scaling a real-time endpoint",
    )
    size.add_argument("--serverless", action="store_true", help="AWS runs it without instances")
    size.add_argument("--memory-mb", type=int, default=6144, help="serverless memory")
    size.add_argument(
        "--concurrency", type=int, default=2, help="calls at once (serverless, async)"
    )
    queue = made.add_argument_group("asynchronous")
    queue.add_argument("--async-output", metavar="S3_URI", help="makes the endpoint asynchronous")
    queue.add_argument("--async-failures", metavar="S3_URI", help="prefix for failures")
    queue.add_argument("--success-topic", metavar="ARN", help="SNS topic told of each success")
    queue.add_argument("--error-topic", metavar="ARN", help="SNS topic told of each failure")
    queue.add_argument(
        "--staging",
        metavar="S3_URI",
        help="where clients put what is too large for a call; `Client.for_endpoint` reads it from "
        "a tag (default for an asynchronous endpoint: staging beside --async-output)",
    )
    guard = made.add_argument_group("network, keys, capture")
    guard.add_argument("--subnet", action="append", default=[], help="subnet of a VPC")
    guard.add_argument("--security-group", action="append", default=[], help="group in the VPC")
    guard.add_argument(
        "--isolated", action="store_true", help="no network at all: only uploads can be analyzed"
    )
    guard.add_argument("--kms-key", help="key for volumes, answers and captured data")
    guard.add_argument("--capture", metavar="S3_URI", help="keep requests and answers there")
    guard.add_argument("--capture-percent", type=int, default=100, help="how many of them")
    add_limits(made)
    add_tags(made)


def spec_from(options: argparse.Namespace, transaction: Transaction) -> EndpointSpec:
    """Returns the endpoint that the options describe, its archive uploaded.

    Raises:
        UsageError: The options contradict one another.
    """
    if not options.role_arn:
        raise UsageError("an endpoint takes --role-arn, the role its containers run under")
    kind: Kind = "realtime"
    if options.serverless:
        kind = "serverless"
    elif options.async_output:
        kind = "async"
    first = _model(options, transaction)
    variants = [first]
    for text in options.variant:
        variants.append(_further(text, first))
    return EndpointSpec(
        name=options.name,
        role_arn=options.role_arn,
        variants=tuple(variants),
        limits=limits(options, kind),
        serverless=Serverless(options.memory_mb, options.concurrency)
        if options.serverless
        else None,
        asynchronous=Asynchronous(
            options.async_output,
            options.async_failures,
            options.success_topic,
            options.error_topic,
            options.concurrency,
        )
        if options.async_output
        else None,
        capture=Capture(options.capture, options.capture_percent) if options.capture else None,
        network=Network(tuple(options.subnet), tuple(options.security_group), options.isolated),
        kms_key_id=options.kms_key,
        tags=pairs(options.tag, "--tag"),
        staging_uri=options.staging or _staging_next_to(options.async_output),
    )


def _staging_next_to(async_output: str | None) -> str | None:
    """Returns the place beside that of an asynchronous endpoint's reports."""
    if async_output is None:
        return None
    bucket, _, prefix = async_output.removeprefix("s3://").rstrip("/").partition("/")
    parent = prefix.rpartition("/")[0]
    return "/".join(part for part in (f"s3://{bucket}", parent, "staging") if part)


def scaling_from(options: argparse.Namespace, spec: EndpointSpec) -> list[Call]:
    """Returns the scaling calls that the options ask for, none without --max-instances.

    Raises:
        UsageError: A real-time endpoint is to be scaled without --calls-per-minute.
    """
    if options.max_instances is None or spec.serverless:
        return []
    calls: list[Call] = []
    for variant in spec.variants:
        if spec.asynchronous:
            calls += scaling.async_calls(
                spec.name,
                variant.name,
                max_instances=options.max_instances,
                min_instances=options.min_instances or 0,
                backlog_per_instance=2.0 * options.concurrency,
            )
            continue
        if options.calls_per_minute is None:
            raise UsageError("scaling a real-time endpoint takes --calls-per-minute")
        calls += scaling.realtime_calls(
            spec.name,
            variant.name,
            min_instances=options.min_instances or 1,
            max_instances=options.max_instances,
            calls_per_minute=options.calls_per_minute,
        )
    return calls


def _model(options: argparse.Namespace, transaction: Transaction) -> Variant:
    ways = [options.archive, options.model_data_url, options.registered]
    if sum(way is not None for way in ways) != 1:
        raise UsageError("give one of --archive, --model-data-url and --registered")
    shape: dict[str, Any] = {
        "instance_type": options.instance_type,
        "instance_count": options.instances,
        "environment": pairs(options.environment, "--environment"),
    }
    if options.registered:
        if transaction.dry_run:
            # Which version that is, an empty account does not know.
            arn = options.registered
        else:
            arn = approved_version(
                transaction.account, options.registered, any_status=options.unapproved
            )
            if options.unapproved:
                image, url = contents_of(transaction.account, arn)
                return Variant(image=image, model_data_url=url, **shape)
        return Variant(model_package_arn=arn, **shape)
    if not options.image:
        raise UsageError("--archive and --model-data-url take --image too")
    url = options.model_data_url
    if options.archive:
        if not options.model_prefix:
            raise UsageError("--archive takes --model-prefix, where archives go")
        url = uploaded(options.archives, options.archive, options.model_prefix, transaction)
    return Variant(image=options.image, model_data_url=url, **shape)


def uploaded(folder: Path, name: str, prefix: str, transaction: Transaction) -> str:
    """Uploads a built archive and gives its address.

    Raises:
        DeployError: It has not been built.
    """
    archive = read_manifest(folder).get(name)
    if archive is None:
        raise DeployError(f"{folder} holds no archive {name}: build_archives makes it")
    return upload_archive(
        folder / archive.model_data,
        prefix,
        name=name,
        content_sha256=archive.sha256,
        transaction=transaction,
    )


def _further(text: str, first: Variant) -> Variant:
    name, separator, rest = text.partition("=")
    url, at, weight = rest.rpartition("@")
    if not (separator and at and first.image):
        raise UsageError("--variant takes NAME=MODEL_DATA_URL@WEIGHT, and --image")
    try:
        share = float(weight)
    except ValueError:
        raise UsageError(f"the weight of variant {name} is no number: {weight!r}") from None
    return Variant(
        name=name,
        image=first.image,
        model_data_url=url,
        instance_type=first.instance_type,
        instance_count=first.instance_count,
        weight=share,
        environment=first.environment,
    )
