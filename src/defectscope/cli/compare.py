"""`defectscope compare`: a candidate beside its baseline, or two folders of titles."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defectscope.errors import EXIT_FAIL_ON, EXIT_MEDIA, EXIT_OK, InvalidParameterError

if TYPE_CHECKING:
    from defectscope.compare import CatalogueComparison, Comparison
    from defectscope.compare.pair import Progress

_DESCRIPTION = """\
Compares two versions of a title: an encode with its master, a new release with the last one.
Aligns them frame by frame (offset, dropped and doubled frames, edits, speed, crop), measures PSNR,
SSIM and XPSNR of the frames that they share, aligns the sound, and lists which findings are new,
fixed, worse, better or the same.

BASE and CANDIDATE are files, or folders with a file per title (same path, any suffix). For folders,
a paired test over the titles tells whether the candidates are worse, and how large a change it
could detect. Folders of captured sessions (NAME.session.json) are two builds of an application:
times to the first frame, stalls, seeks and findings over all devices and titles, regressions first.
Reports (.json), or folders of them, are compared without their media, as batch jobs leave them.
"""
_EXAMPLES = """\
exit status:
  0  compared                      2  the command line is invalid
  1  worse, with --fail-on-worse   3  not comparable, or media that cannot be read

examples:
  defectscope compare master.mov encode.mp4
  defectscope compare master.mov encode.mp4 --html compare.html
  defectscope compare master.mov encode.mp4 --json - | jq .alignment.dropped
  defectscope compare release-41/ release-42/ --json result.json --junit result.xml --fail-on-worse
  defectscope compare a.mp4 b.mp4 --detectors freeze,stutter --every 10
  defectscope compare sessions/8.3.0/ sessions/8.4.0/ --junit release.xml --fail-on-worse
  defectscope compare november/pairs/baseline/ november/pairs/candidate/ --json result.json
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "compare",
        help="compare two versions of a title, or two catalogues",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("base", metavar="BASE", help="the baseline: a file or a folder")
    parser.add_argument("candidate", metavar="CANDIDATE", help="the candidate: likewise")
    parser.add_argument(
        "--detectors", metavar="A,B", help="comma-separated names to run on both; default: all"
    )
    parser.add_argument("--json", metavar="PATH", help="write the comparison; `-` for stdout")
    parser.add_argument(
        "--html",
        metavar="PATH",
        help="write a page that switches or wipes between both; files beside it are played",
    )
    parser.add_argument("--junit", metavar="PATH", help="write a test case per title as JUnit XML")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="measure every N-th pair of frames alone"
    )
    parser.add_argument(
        "--no-metrics", action="store_true", help="leave PSNR, SSIM and XPSNR out: a decode less"
    )
    parser.add_argument(
        "--vmaf", action="store_true", help="measure VMAF v1 and CAMBI, too (extra `vmaf`)"
    )
    parser.add_argument(
        "--fail-on-worse", action="store_true", help="exit 1 if the candidate is worse"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compares and prints; returns the exit status.

    Raises:
        DefectscopeError: They cannot be compared.
    """
    if arguments.every < 1:
        raise InvalidParameterError(f"--every is at least 1, not {arguments.every}")
    if arguments.vmaf and arguments.no_metrics:
        raise InvalidParameterError("--vmaf measures what --no-metrics leaves out")
    paths = [Path(p) for p in (arguments.base, arguments.candidate)]
    folders = [path.is_dir() for path in paths]
    if any(folders) and not all(folders):
        raise InvalidParameterError("BASE and CANDIDATE are both files or both folders")
    if all(folders):
        if arguments.html is not None:
            raise InvalidParameterError("--html shows two files, not two folders")
        from defectscope.cli.compare_builds import compare_builds
        from defectscope.release.matrix import has_sessions

        sessions = [has_sessions(path) for path in paths]
        if all(sessions):
            return compare_builds(arguments)
        if any(sessions):
            raise InvalidParameterError("one folder holds captured sessions, the other does not")
        return _compare_folders(arguments)
    from defectscope.cli.comparison_table import print_comparison
    from defectscope.compare.junit import junit_of

    found = _compared(arguments.base, arguments.candidate, arguments)
    print_comparison(found, to_stderr=arguments.json == "-")
    if arguments.html is not None:
        from defectscope.compare.page import write_comparison

        write_comparison(found, arguments.html, arguments.base, arguments.candidate)
    title = Path(arguments.candidate).name
    _write(found, junit_of({title: found}, {}), arguments)
    return EXIT_FAIL_ON if arguments.fail_on_worse and found.verdict == "worse" else EXIT_OK


def _compare_folders(arguments: argparse.Namespace) -> int:
    from defectscope.cli.comparison_table import print_catalogue
    from defectscope.compare import compare_catalogue
    from defectscope.compare.junit import junit_of

    def one(title: str, base: Path, candidate: Path) -> Comparison:
        sys.stderr.write(f"defectscope: comparing {title}\n")
        return _compared(str(base), str(candidate), arguments)

    found = compare_catalogue(Path(arguments.base), Path(arguments.candidate), one)
    print_catalogue(found, to_stderr=arguments.json == "-")
    _write(found, junit_of(found.comparisons, found.failed), arguments)
    if arguments.fail_on_worse and found.verdict == "worse":
        return EXIT_FAIL_ON
    return EXIT_MEDIA if found.failed else EXIT_OK


def _compared(base: str, candidate: str, arguments: argparse.Namespace) -> Comparison:
    from defectscope.compare import compare
    from defectscope.compare.reports import compare_reports, is_report, read_report

    reports = [is_report(Path(p)) for p in (base, candidate)]
    if any(reports):
        if not all(reports):
            raise InvalidParameterError("BASE and CANDIDATE are both reports or both media")
        if arguments.vmaf or arguments.detectors is not None or arguments.html is not None:
            raise InvalidParameterError("--vmaf, --detectors and --html take media, not reports")
        return compare_reports(read_report(Path(base)), read_report(Path(candidate)))
    names = arguments.detectors
    with _progress() as progress:
        return compare(
            base,
            candidate,
            detectors=None if names is None else [n.strip() for n in names.split(",") if n.strip()],
            quality=not arguments.no_metrics,
            every=arguments.every,
            vmaf=arguments.vmaf,
            progress=progress,
        )


@contextmanager
def _progress() -> Generator[Progress | None, None, None]:
    """A line on a terminal: the step and the programme time reached."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("comparing") as status:
        yield lambda name, reached_s: status.update(f"{name} {reached_s:.0f} s")


def _write(
    found: Comparison | CatalogueComparison, junit: str, arguments: argparse.Namespace
) -> None:
    from defectscope.report.saving import write_text

    text = found.to_json(indent=2) + "\n"
    if arguments.json == "-":
        sys.stdout.write(text)
    elif arguments.json is not None:
        write_text(Path(arguments.json), text)
    if arguments.junit is not None:
        write_text(Path(arguments.junit), junit)
