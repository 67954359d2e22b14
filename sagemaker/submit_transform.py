"""Starts a batch-transform job over the manifests that plan_transform wrote."""

from __future__ import annotations

import sys

from defectscope.client.transform import MAX_PAYLOAD_MB
from defectscope.deploy import transform
from defectscope.deploy.calls import tag_list
from defectscope.deploy.console import (
    Progress,
    add_limits,
    add_tags,
    limits,
    pairs,
    parser,
    run,
    transaction,
)
from defectscope.deploy.endpoint_spec import EndpointSpec, Network, Variant, model_resource
from defectscope.errors import UsageError

EXAMPLES = """example:
  python sagemaker/submit_transform.py catalogue-2026-11 --role-arn "$ROLE_ARN" --image "$IMAGE" \\
      --model-data-url "$MODEL_DATA_URL" \\
      --input s3://batches/catalogue/round-1/ --output s3://batches/catalogue/answers/ --instances 8
"""


def main(progress: Progress) -> None:
    """Makes the model if need be and starts the job; one of that name runs only once."""
    made = parser("Run detectors over a catalogue with SageMaker batch transform.", EXAMPLES)
    made.add_argument("job", help="name of the job; also that of the model when one is made")
    made.add_argument("--input", required=True, help="s3:// prefix of JSON-lines records")
    made.add_argument("--output", required=True, help="s3:// prefix for the answers")
    made.add_argument("--manifest", action="store_true", help="--input is a SageMaker manifest")
    made.add_argument("--model", help="SageMaker model that is there")
    made.add_argument("--role-arn", help="execution role, to make a model")
    made.add_argument("--image", help="address of the image, to make a model")
    made.add_argument("--model-data-url", help="s3:// address of model.tar.gz, to make a model")
    made.add_argument(
        "--environment", action="append", default=[], metavar="KEY=VALUE", help="of the container"
    )
    made.add_argument("--instance-type", default="ml.c6i.2xlarge", help="default: %(default)s")
    made.add_argument("--instances", type=int, default=1, help="how many (default: %(default)s)")
    made.add_argument(
        "--concurrent",
        type=int,
        default=2,
        help="records at once on each instance: one per worker (default: %(default)s)",
    )
    made.add_argument(
        "--retries", type=int, default=1, choices=range(4), help="repetitions of a failed record"
    )
    made.add_argument("--subnet", action="append", default=[], help="subnet of a VPC")
    made.add_argument("--security-group", action="append", default=[], help="group in the VPC")
    made.add_argument("--kms-key", help="key for answers and volumes")
    add_limits(made)
    add_tags(made)
    options = made.parse_args()
    if not 1 <= options.concurrent <= MAX_PAYLOAD_MB:
        raise UsageError(
            f"--concurrent is 1 to {MAX_PAYLOAD_MB}, not {options.concurrent}: SageMaker allows "
            f"{MAX_PAYLOAD_MB} MB in flight on an instance, and a record may have 1 MB"
        )
    bound = limits(options, "batch")
    tags = pairs(options.tag, "--tag")
    with transaction(options, progress) as steps:
        model = options.model
        if model is None:
            spec = EndpointSpec(
                name=options.job,
                role_arn=options.role_arn or "",
                variants=(
                    Variant(
                        name="batch",
                        image=options.image,
                        model_data_url=options.model_data_url,
                        environment=pairs(options.environment, "--environment"),
                    ),
                ),
                limits=bound,
                network=Network(tuple(options.subnet), tuple(options.security_group)),
                tags=tags,
            )
            resource = model_resource(spec, spec.variants[0])
            steps.ensure(resource)
            model = str(resource.make.request["ModelName"])
        payload_mb = min(bound.max_payload_mb, MAX_PAYLOAD_MB // options.concurrent)
        name = transform.submit(
            steps,
            job_name=options.job,
            model_name=model,
            input_uri=options.input,
            output_uri=options.output,
            instance_type=options.instance_type,
            instance_count=options.instances,
            manifest=options.manifest,
            max_concurrent=options.concurrent,
            max_payload_mb=payload_mb,
            timeout_s=bound.timeout_s,
            max_retries=options.retries,
            kms_key_id=options.kms_key,
            tags={tag["Key"]: tag["Value"] for tag in tag_list(tags)},
        )
        if steps.dry_run:
            print(steps.to_json())
            return
    progress.say(f"watch_transform.py {name} follows it")


if __name__ == "__main__":
    sys.exit(run(main))
