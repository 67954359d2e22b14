"""Registers an archive as a version with its metrics, or approves and rejects a version."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from defectscope.deploy import registry
from defectscope.deploy.archives import read_manifest
from defectscope.deploy.console import Progress, add_tags, pairs, parser, run, transaction
from defectscope.deploy.endpoint_options import uploaded
from defectscope.deploy.uploads import upload_text
from defectscope.errors import DeployError, UsageError

EXAMPLES = """examples:
  python sagemaker/register_model.py freeze --image "$IMAGE" --model-prefix s3://models/defectscope
  python sagemaker/register_model.py freeze --approve "$VERSION_ARN" --reason "passed staging"
"""


def main(progress: Progress) -> None:
    """Registers, approves or rejects."""
    made = parser("Register a model version in the SageMaker model registry.", EXAMPLES)
    made.add_argument("model", help="what build_archives built, for example all_detectors")
    made.add_argument("--group", help="model package group (default: defectscope-MODEL)")
    made.add_argument("--image", help="address of the image")
    made.add_argument("--model-prefix", help="s3:// prefix for archives and metrics")
    made.add_argument("--archives", type=Path, default=Path("archives"), help="folder of archives")
    made.add_argument("--artifacts", type=Path, default=Path("model_artifacts"))
    made.add_argument("--approved", action="store_true", help="approved from the start")
    made.add_argument("--approve", metavar="ARN", help="approve this version and do nothing else")
    made.add_argument("--reject", metavar="ARN", help="reject this version and do nothing else")
    made.add_argument("--reason", default="", help="said with an approval or a rejection")
    add_tags(made)
    options = made.parse_args()
    with transaction(options, progress) as steps:
        if options.approve or options.reject:
            status = "Approved" if options.approve else "Rejected"
            registry.set_approval(options.approve or options.reject, status, options.reason, steps)
        else:
            if not (options.image and options.model_prefix):
                raise UsageError("registering takes --image and --model-prefix")
            url = uploaded(options.archives, options.model, options.model_prefix, steps)
            archive = read_manifest(options.archives)[options.model]
            artifact = {"version": archive.version, **_artifact(options.artifacts, options.model)}
            metrics_uri = upload_text(
                registry.metrics_document(artifact),
                url.removesuffix("model.tar.gz") + "metrics.json",
                transaction=steps,
            )
            arn = registry.register(
                registry.Registration(
                    group=options.group or f"defectscope-{options.model.replace('_', '-')}",
                    image=options.image,
                    model_data_url=url,
                    content_sha256=archive.sha256,
                    artifact=artifact,
                    metrics_uri=metrics_uri,
                    approval="Approved" if options.approved else "PendingManualApproval",
                    tags=pairs(options.tag, "--tag"),
                ),
                steps,
            )
            if arn:
                print(arn)
        if steps.dry_run:
            print(steps.to_json())


def _artifact(folder: Path, model: str) -> dict[str, object]:
    path = folder / model / "detector.json"
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError:
        raise DeployError(f"{path} is no JSON") from None


if __name__ == "__main__":
    sys.exit(run(main))
