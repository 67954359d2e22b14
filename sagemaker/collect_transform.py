"""Merges the answers of transform jobs into one report per asset and a catalogue page."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from defectscope.client import Client
from defectscope.client.aws import AwsTransport
from defectscope.deploy import catalogue, catalogue_page, collect
from defectscope.deploy.console import Progress, parser, run, transaction
from defectscope.deploy.uploads import upload_text
from defectscope.errors import UsageError
from defectscope.findings import Report

EXAMPLES = """example:
  python sagemaker/collect_transform.py s3://qc-work/november --output november/
Run it as often as you like: what is done is not done again. Records that gave no answer go to
round-2/ (and so on) below the work prefix; submit that, then collect again.
"""


def main(progress: Progress) -> None:
    """Writes reports/, failures.json, catalogue.html and pairs/; prints the next round, if any."""
    made = parser("Collect what batch transform answered.", EXAMPLES)
    made.add_argument("work", help="s3:// prefix that plan_transform wrote to")
    made.add_argument("--answers", help="s3:// prefix of the answers (default: WORK/answers/)")
    made.add_argument("--output", type=Path, required=True, help="folder for the reports")
    made.add_argument("--endpoint", help="endpoint that merges (default: in this process)")
    made.add_argument("--files", type=int, default=8, help="files for the next round")
    made.add_argument("--html", action="store_true", help="write a page beside each report, too")
    options = made.parse_args()
    steps = transaction(options, progress)
    transport = AwsTransport(region=steps.account.region, endpoint_url=options.endpoint_url)
    work = options.work.rstrip("/")
    text = transport.get(f"{work}/plan.json", timeout_s=60.0)
    if text is None:
        raise UsageError(f"there is no plan at {work}/plan.json")
    plan = catalogue.Plan.from_json(text)

    def lines() -> Iterator[bytes]:
        for uri, _ in transport.list(options.answers or f"{work}/answers/", timeout_s=60.0):
            if uri.endswith(".out"):
                yield from (transport.get(uri, timeout_s=300.0) or b"").splitlines()

    found = collect.collect(plan, lines(), options.output, _merger(options, transport))
    analyzed = collect.read_reports(plan, options.output)
    suffix = _write_pages(analyzed, options.output) if options.html else ".json"
    failed = list(found.failed.values())
    page = catalogue_page.render(analyzed, failed, len(found.missing), suffix=suffix)
    (options.output / "catalogue.html").write_text(page, "utf-8")
    progress.say(
        f"{len(found.done)} done, {len(found.failed)} failed, {len(found.missing)} to run again"
    )
    for failure in found.failed.values():
        progress.say(f"  {failure['uri']}: {failure['code']}: {failure['message']}")
    if plan.pairs:
        whole, pairs = collect.write_pairs(plan, options.output)
        progress.say(f"{whole} of {pairs} pairs are whole; compare them with")
        folder = options.output / "pairs"
        progress.say(f"  defectscope compare {folder / 'baseline'} {folder / 'candidate'}")
    retry = found.retry(plan)
    if retry:
        bodies = catalogue.balanced(retry, options.files)
        newest = _newest_round(transport, work)
        if not _holds(transport, f"{work}/round-{newest}/", bodies):
            newest += 1
            for index, body in enumerate(bodies):
                address = f"{work}/round-{newest}/{newest}-{index:05d}.jsonl"
                upload_text(body.decode(), address, transaction=steps)
        print(f"{work}/round-{newest}/")
    if options.dry_run:
        print(json.dumps([call.as_dict() for call in steps.calls], indent=2))
    transport.close()


def _write_pages(analyzed: Sequence[tuple[catalogue.Asset, Report]], folder: Path) -> str:
    """Writes the reports as pages, those that are there left alone; returns their suffix."""
    try:
        from defectscope.report import write
    except ImportError:
        raise UsageError("--html takes the `engine` extra") from None
    for asset, report in analyzed:
        path = folder / "reports" / f"{asset.id}.html"
        if not path.exists():
            write(report, path)
    return ".html"


def _newest_round(transport: AwsTransport, work: str) -> int:
    names = {
        uri.removeprefix(f"{work}/round-").partition("/")[0]
        for uri, _ in transport.list(f"{work}/round-", timeout_s=60.0)
    }
    return max((int(name) for name in names if name.isdecimal()), default=0)


def _holds(transport: AwsTransport, prefix: str, bodies: Sequence[bytes]) -> bool:
    """Whether a round asks for just these records, so that collecting twice plans them once."""
    held = b"".join(
        transport.get(uri, timeout_s=60.0) or b"" for uri, _ in transport.list(prefix, timeout_s=60)
    )
    return sorted(held.splitlines()) == sorted(b"".join(bodies).splitlines())


def _merger(options: Any, transport: AwsTransport) -> collect.Merge:
    if options.endpoint:
        client = Client(endpoint_name=options.endpoint, transport=transport)
        return client.merge
    try:
        from defectscope.analysis import merge
    except ImportError:
        message = "merging takes --endpoint, or the `engine` extra"

        def refuse(_parts: list[Mapping[str, Any]]) -> Report:
            raise UsageError(message)

        return refuse
    return merge


if __name__ == "__main__":
    sys.exit(run(main))
