"""`defectscope queue`, `review` and `retrain`: the whole loop on one machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defectscope.errors import EXIT_FAIL_ON, EXIT_OK, InvalidParameterError, MediaError

if TYPE_CHECKING:
    from defectscope.findings import Report
    from defectscope.learning.items import ReviewItem

_QUEUE = """\
Chooses items for a reviewer from media or reports, and makes a page for each. Of every six items,
three are the most suspicious, two the most uncertain and one is random; each is of another title.

  defectscope queue films/*.mp4 --out review/ --count 60 --detectors audio_artifacts
  defectscope review review/ --reviewer kn
  defectscope retrain review/ --held-out held_out/ --out models/

Reports of a batch, a live channel or an endpoint can be used in place of media. Their labels can be
used by `retrain` only if the reports have measurements.
"""
_REVIEW = """\
Serves the review page of a queue to this machine only: http://127.0.0.1:PORT/. It is used with the
keyboard; each answer is on disk before the next item is shown. --agreement prints how well
reviewers agree, and serves nothing.
"""
_RETRAIN = """\
Fits the decision of a detector to the labels of one or more queues, and compares it with the
version in service on held-out titles: media with a file NAME.truth.json beside each, as
`defectscope simulate` writes it ({"defects": []} for a clean one). A version that is worse on any
defect, beyond the 95 % interval over those titles, is refused, with status 1.

  defectscope retrain review/ --held-out held_out/ --out models/
  DEFECTSCOPE_ARTIFACTS=models defectscope analyze film.mp4
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommands."""
    queue = _command(commands, "queue", "choose what a reviewer should look at", _QUEUE)
    queue.add_argument(
        "inputs", nargs="*", metavar="MEDIA|REPORT.json", help="what items are chosen from"
    )
    queue.add_argument("--out", required=True, metavar="FOLDER", type=Path, help="the queue")
    queue.add_argument("--count", type=int, default=60, help="items of this round (60)")
    queue.add_argument("--detectors", default="", metavar="A,B", help="ask about these only")
    queue.add_argument(
        "--media", metavar="FOLDER", type=Path, help="folder with the reports' media"
    )
    queue.add_argument("--artifacts", metavar="FOLDER", help="your own versions of detectors")
    queue.add_argument("--seed", type=int, default=1, help="seed of the random items (1)")
    queue.add_argument("--keep-days", type=int, default=90, help="how long clips are kept (90)")
    queue.add_argument("--prune", action="store_true", help="delete clips that are older")
    queue.set_defaults(run=run_queue)
    review = _command(commands, "review", "review a queue with the keyboard", _REVIEW)
    review.add_argument("queue", metavar="QUEUE", type=Path, help="folder of `defectscope queue`")
    review.add_argument("--reviewer", default="me", help="initials or an account (me)")
    review.add_argument("--port", type=int, default=8377, help="0 takes a free one (8377)")
    review.add_argument("--agreement", action="store_true", help="how well reviewers agree")
    review.set_defaults(run=run_review)
    retrain = _command(
        commands, "retrain", "fit a detector's decision to reviewers' labels", _RETRAIN
    )
    retrain.add_argument(
        "queues", nargs="+", metavar="QUEUE", type=Path, help="folders of `defectscope queue`"
    )
    retrain.add_argument(
        "--held-out", required=True, metavar="FOLDER", type=Path, help="media with their truth"
    )
    retrain.add_argument(
        "--out", required=True, metavar="FOLDER", type=Path, help="where the new version goes"
    )
    retrain.add_argument(
        "--detector", default="audio_artifacts", help="which detector (audio_artifacts)"
    )
    retrain.add_argument("--artifacts", metavar="FOLDER", help="the version in service")
    retrain.set_defaults(run=run_retrain)


def _command(commands: Any, name: str, short: str, text: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=short,
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run_queue(arguments: argparse.Namespace) -> int:
    """Adds a round to a queue, with its evidence."""
    from defectscope.learning import queue_folder

    folder: Path = arguments.out
    if arguments.prune:
        gone = queue_folder.prune(folder, datetime.now(UTC).date())
        sys.stdout.write(f"{folder}: {'clips deleted' if gone else 'nothing to delete'}\n")
        return EXIT_OK
    if not arguments.inputs:
        raise InvalidParameterError("name media or reports to choose from")
    detectors = [name for name in arguments.detectors.split(",") if name]
    reports, media = _read(arguments, detectors)
    chosen = queue_folder.add_round(
        folder, reports, count=arguments.count, detectors=detectors, seed=arguments.seed,
        keep_days=arguments.keep_days,
    )  # fmt: skip
    drawn = _draw(folder, chosen.items, media)
    facts = queue_folder.read_facts(folder)
    sys.stdout.write(
        f"{folder}: round {facts.rounds}, {len(chosen.items)} items, {drawn} with evidence; "
        f"clips may be kept until {facts.keep_until}\n"
    )
    if not chosen.items:
        sys.stdout.write("nothing is left to ask: add media\n")
    return EXIT_OK


def run_review(arguments: argparse.Namespace) -> int:
    """Serves the page, or prints the agreement."""
    if arguments.agreement:
        return _agreement(arguments.queue)
    from defectscope.learning.review_server import ReviewServer
    from defectscope.learning.review_session import ReviewSession

    server = ReviewServer(ReviewSession(arguments.queue, arguments.reviewer), arguments.port)
    sys.stdout.write(f"{server.url}  (Ctrl-C ends it; every answer is on disk)\n")
    sys.stdout.flush()
    try:
        server.serve()
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    return EXIT_OK


def run_retrain(arguments: argparse.Namespace) -> int:
    """Fits, holds against the version in service, and writes what came of it."""
    from defectscope.engine.artifacts import artifact_folder, tuned
    from defectscope.learning import retrain
    from defectscope.learning.held_out import read_held_out
    from defectscope.learning.manifest import manifest

    name = arguments.detector
    if name not in retrain.SUPPORTED:
        raise InvalidParameterError(
            f"{name} does not learn from labels: {', '.join(retrain.SUPPORTED)}"
        )
    base = tuned(name, arguments.artifacts).artifact
    labels = manifest(arguments.queues, name, int(base.get("learning", {}).get("version", 0)) + 1)

    def analyzed(media: Path, detector: str) -> Report:
        return _analyze(media, [detector], arguments.artifacts)

    kept = arguments.out / "held_out"
    titles = read_held_out(arguments.held_out, name, analyzed, kept)
    outcome = retrain.retrain(base, labels, titles)
    folder = artifact_folder(name, arguments.artifacts)
    made = retrain.write_version(folder, arguments.out, base, outcome, labels)
    for defect, measures in outcome.comparison.items():
        for measure, d in measures.items():
            sys.stdout.write(
                f"{defect:<20} {measure.replace('_', ' '):<18} {d.before:.3f} to {d.after:.3f}  "
                f"(difference {d.low:+.3f} to {d.high:+.3f}, {outcome.events[defect]} events)\n"
            )
    for defect in outcome.left:
        sys.stdout.write(f"{defect:<20} not changed: no event of it is held out\n")
    if made is None:
        sys.stdout.write(f"refused: worse in {', '.join(outcome.worse)}\n")
        return EXIT_FAIL_ON
    version = json.loads((made / "detector.json").read_bytes())["version"]
    sys.stdout.write(f"{made}: {outcome.used} labels, version {version}\n")
    return EXIT_OK


def _read(
    arguments: argparse.Namespace, detectors: Sequence[str]
) -> tuple[list[Report], dict[str, Path]]:
    """Returns reports, and where the media of each title lies if it is at hand."""
    from defectscope.findings import Report
    from defectscope.learning.candidates import title_of

    reports: list[Report] = []
    media: dict[str, Path] = {}
    for given in arguments.inputs:
        path = Path(given)
        if path.suffix.lower() == ".json":
            try:
                report = Report.from_json(path.read_bytes())
            except OSError as error:
                reason = (error.strerror or "cannot be read").lower()
                raise InvalidParameterError(f"{path}: {reason}") from None
            name = title_of(report)
            where = (arguments.media / name) if arguments.media else Path(report.asset["uri"])
            if where.is_file():
                media[name] = where
        else:
            report = _analyze(path, detectors or None, arguments.artifacts)
            media[title_of(report)] = path
        reports.append(report)
    return reports, media


def _analyze(media: Path, detectors: Sequence[str] | None, artifacts: str | None) -> Report:
    from defectscope.desk.analyzing import analyze

    sys.stderr.write(f"analyzing {media}\n")
    names = None if detectors is None else list(detectors)
    report = analyze(media, detectors=names, measurements=True, artifacts=artifacts)
    return report


def _draw(folder: Path, items: Sequence[ReviewItem], media: dict[str, Path]) -> int:
    from defectscope.detectors.registry import load
    from defectscope.errors import UnknownDetectorError
    from defectscope.learning.evidence import draw

    drawn = 0
    for item in items:
        if item.title not in media:
            continue
        try:
            about_sound = "video" not in load(item.detector).needs.media
        except UnknownDetectorError:
            about_sound = False
        try:
            drawn += bool(draw(folder, item, media[item.title], about_sound=about_sound))
        except MediaError as error:
            # The question can still be answered by whoever has the title.
            sys.stderr.write(f"{item.title}: {error.message}\n")
    return drawn


def _agreement(queue: Path) -> int:
    from defectscope.learning.agreement import agreement, settled
    from defectscope.learning.labels import LabelFile

    labels = LabelFile(queue).current()
    for own in agreement(labels):
        low, high = own.kappa_interval
        sys.stdout.write(
            f"{own.reviewers[0]} and {own.reviewers[1]}: {own.same} of {own.items} alike "
            f"({own.share[0]:.2f} to {own.share[1]:.2f}), kappa {own.kappa:.2f} "
            f"({low:.2f} to {high:.2f})\n"
        )
    clear, disputed = settled(labels)
    sys.stdout.write(f"{len(clear)} items settled, {len(disputed)} in dispute\n")
    for item in disputed:
        sys.stdout.write(f"  {item}\n")
    return EXIT_OK
