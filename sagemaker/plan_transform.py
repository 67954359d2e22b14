"""Turns a bucket prefix or a list of assets into balanced files of request records."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from defectscope.cli.analyze_options import parse_settings
from defectscope.client.aws import AwsTransport
from defectscope.deploy import catalogue
from defectscope.deploy.console import Progress, parser, run, transaction
from defectscope.deploy.uploads import upload_text
from defectscope.errors import DefectscopeError, UsageError

MEDIA = (".mp4", ".mov", ".mkv", ".mxf", ".ts", ".m2ts", ".mpg", ".webm", ".avi", ".wav", ".flac")
EXAMPLES = """examples:
  python sagemaker/plan_transform.py s3://qc-work/november --prefix s3://media/titles/
  python sagemaker/plan_transform.py s3://qc-work/november --list titles.jsonl --instances 8
  python sagemaker/plan_transform.py s3://qc-work/av1 --prefix s3://media/h264/ \
      --candidate s3://media/av1/
With --candidate the titles of both prefixes are compared: same path below the prefix, any suffix.
The list has one address a line, or one JSON object a line with uri and, where they are known,
duration_s, px_hz (width x height x frame rate), captions_uri, title, audio_layout and program.
Durations that are not known are read from the files' heads when the `engine` extra is installed.
"""


def main(progress: Progress) -> None:
    """Writes plan.json and round-1/*.jsonl below the work prefix."""
    made = parser("Plan a batch-transform run over a catalogue.", EXAMPLES)
    made.add_argument("work", help="s3:// prefix for the plan, the records and the answers")
    made.add_argument("--prefix", help="s3:// prefix; every media file below it is an asset")
    made.add_argument("--candidate", help="s3:// prefix of other versions of --prefix's titles")
    made.add_argument("--list", type=Path, help="file that lists the assets")
    made.add_argument("--segment-s", type=float, default=600.0, help="default: %(default)s")
    made.add_argument("--max-payload-mb", type=int, default=50, help="default: %(default)s")
    made.add_argument("--detectors", help="comma-separated names (default: all)")
    made.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="DETECTOR.PARAMETER=VALUE",
        help="in every record, e.g. audio_artifacts.sensitivity=low; may be given again",
    )
    made.add_argument("--detector-count", type=int, default=22, help="that the model serves")
    made.add_argument("--instances", type=int, default=1, help="that will share the files")
    made.add_argument("--files-per-instance", type=int, default=8, help="more files balance better")
    options = made.parse_args()
    if (options.prefix is None) == (options.list is None):
        raise UsageError("give either --prefix or --list")
    if options.candidate is not None and options.prefix is None:
        raise UsageError("--candidate stands beside --prefix, the baseline")
    steps = transaction(options, progress)
    if options.list:
        assets = catalogue.read_assets(options.list.read_text("utf-8"))
    else:
        transport = AwsTransport(region=steps.account.region, endpoint_url=options.endpoint_url)
        prefixes = [options.prefix, *([options.candidate] if options.candidate else [])]
        found = [uri for prefix in prefixes for uri, _ in transport.list(prefix, timeout_s=30.0)]
        assets = [catalogue.Asset(uri) for uri in found if uri.lower().endswith(MEDIA)]
        transport.close()
    pairs: dict[str, tuple[str, str]] = {}
    if options.candidate:
        pairs = catalogue.paired(options.prefix, options.candidate, assets)
        both = {asset_id for ids in pairs.values() for asset_id in ids}
        for asset in assets:
            if asset.id not in both:
                progress.say(f"{asset.uri}: without a counterpart, left out")
        assets = [asset for asset in assets if asset.id in both]
    assets = [_measured(asset, progress) for asset in assets]
    names = options.detectors.split(",") if options.detectors else None
    plan = catalogue.plan(
        assets,
        segment_s=options.segment_s,
        max_payload_mb=options.max_payload_mb,
        detectors=names,
        parameters=parse_settings(options.set),
        detector_count=options.detector_count,
    )
    plan = replace(plan, pairs=pairs)
    work = [pair for asset in plan.assets for pair in plan.records(asset)]
    files = catalogue.balanced(work, options.instances * options.files_per_instance)
    prefix = options.work.rstrip("/")
    upload_text(plan.to_json(), f"{prefix}/plan.json", transaction=steps)
    # Answers are stored below one prefix under these names: no round may use another's.
    for number, body in enumerate(files):
        address = f"{prefix}/round-1/1-{number:05d}.jsonl"
        upload_text(body.decode(), address, transaction=steps)
    if options.dry_run:
        print(steps.to_json())
        return
    progress.say(f"{len(plan.assets)} assets, {len(work)} records in {len(files)} files")
    print(f"{prefix}/round-1/")


def _measured(asset: catalogue.Asset, progress: Progress) -> catalogue.Asset:
    """Reads what is not known from the head of the file, where the engine is installed."""
    if asset.duration_s is not None:
        return asset
    try:
        from defectscope.media.opening import open_media
        from defectscope.media.source import resolve
    except ImportError:
        return asset
    try:
        with open_media(resolve(asset.uri)) as reader:
            info: Any = reader.info
            px_hz = None
            if info.video is not None:
                px_hz = float(info.video.width * info.video.height * info.video.frame_rate)
            return replace(asset, duration_s=float(info.duration_s), px_hz=px_hz)
    except DefectscopeError as error:
        # Its record will fail with a name; the plan goes on.
        progress.say(f"{asset.uri}: {error.code}")
        return asset


if __name__ == "__main__":
    sys.exit(run(main))
