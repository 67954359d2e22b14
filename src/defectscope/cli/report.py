"""`defectscope report`: draws the page of a report that was written earlier, or serves it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from defectscope.errors import EXIT_OK, InvalidParameterError, MalformedRequestError
from defectscope.findings import Report

_DESCRIPTION = """\
Draws the page of a report. With --media it has frames, waveforms and spectrograms, and plays the
media where that lies beside the page; --proxy puts a small copy there. With --serve the page is
served on this machine alone: it plays the media wherever it lies, and what is accepted or rejected
in it goes to waivers.toml, which `defectscope analyze --waivers` reads. A folder of reports, as
`analyze --json FOLDER` leaves it, is served with a page that links to all.
"""
_EPILOG = """\
examples:
  defectscope report master.json --html master.html --media master.mov --proxy
  defectscope report master.json --serve --media master.mov
  defectscope report out/ --serve
  defectscope report master.json --serve --media master.mxf --proxy --waivers show/waivers.toml
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "report",
        help="draw or serve the page of a report.json, or of a folder of them",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("report", metavar="REPORT.json", help="a report; with --serve also a folder of reports")
    add("--html", metavar="OUT", help="where the page goes; omit for a table only")
    add("--media", metavar="FILE", help="the media; default for --serve: what the report names")
    add("--captions", metavar="FILE", help="side-car captions, for the text of what is wrong")
    add("--proxy", action="store_true", help="play a small copy (360 lines, H.264 and AAC)")
    add("--serve", action="store_true", help="serve the page on this machine until ctrl-C")
    add("--port", type=int, default=0, metavar="N", help="port of --serve; default: any free one")
    add(
        "--waivers",
        metavar="FILE",
        help="where --serve keeps decisions; default: waivers.toml beside the report",
    )
    add("--profile", metavar="NAME", help="with --serve: decide the rules of this profile again")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the table, and writes or serves the page."""
    from rich.console import Console

    from defectscope.report import print_report, write
    from defectscope.report.playing import proxy_of

    for name in ("port", "waivers", "profile"):
        if getattr(arguments, name) and not arguments.serve:
            raise InvalidParameterError(f"--{name} goes with --serve")
    if arguments.proxy and not (arguments.html or arguments.serve):
        raise InvalidParameterError("--proxy goes with --html or --serve")
    if Path(arguments.report).is_dir():
        return _serve_folder(Path(arguments.report), arguments)
    report = _read(Path(arguments.report))
    media = None if arguments.media is None else Path(arguments.media)
    if arguments.proxy and media is None and not arguments.serve:
        raise InvalidParameterError("--proxy is made of --media FILE")
    print_report(report, Console())
    if arguments.html is not None:
        page = Path(arguments.html)
        if arguments.proxy and media is not None:
            _make_proxy(media, proxy_of(page))
        try:
            write(report, page, media, captions=arguments.captions)
        except OSError as error:
            raise InvalidParameterError(f"{page}: {error.strerror}") from None
        sys.stderr.write(f"wrote {page}\n")
    if arguments.serve:
        _serve(report, arguments, media or _named_by(report))
    return EXIT_OK


def _read(path: Path) -> Report:
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise InvalidParameterError(f"{path}: {reason}") from None
    except ValueError:
        raise MalformedRequestError(f"{path}: this is not JSON") from None
    return Report.from_dict(data)


def _make_proxy(media: Path, path: Path) -> None:
    from defectscope.media.proxy import write_proxy

    write_proxy(media, path)
    sys.stderr.write(f"wrote {path}\n")


def _named_by(report: Report) -> Path | None:
    """The media that a report names, where it is still the same file."""
    from defectscope.desk.analyzing import sha256_of

    uri = str(report.asset.get("uri", ""))
    if "://" in uri or not uri or not Path(uri).is_file():
        return None
    stated = report.asset.get("sha256")
    return Path(uri) if stated is None or sha256_of(uri) == stated else None


def _serve(report: Report, arguments: argparse.Namespace, media: Path | None) -> None:
    path = Path(arguments.waivers or Path(arguments.report).with_name("waivers.toml"))
    _serve_all([(Path(arguments.report).name, report, media)], path, arguments)


def _serve_folder(folder: Path, arguments: argparse.Namespace) -> int:
    """Serves all reports below a folder.

    Raises:
        InvalidParameterError: There is none, or an option is about one report.
    """
    for name in ("html", "media", "captions"):
        if getattr(arguments, name):
            raise InvalidParameterError(f"--{name} is of one report, not of a folder")
    if not arguments.serve:
        raise InvalidParameterError(f"{folder} is a folder: --serve shows the reports in it")
    found: list[tuple[str, Report, Path | None]] = []
    for path in sorted(folder.rglob("*.json")):
        try:
            report = _read(path)
        except MalformedRequestError:
            continue
        found.append((path.relative_to(folder).as_posix(), report, _named_by(report)))
    if not found:
        raise InvalidParameterError(f"{folder}: there is no report in it")
    _serve_all(found, Path(arguments.waivers or folder / "waivers.toml"), arguments)
    return EXIT_OK


def _serve_all(
    reports: Sequence[tuple[str, Report, Path | None]],
    waivers: Path,
    arguments: argparse.Namespace,
) -> None:
    from defectscope.cli.summary import Row, index_page
    from defectscope.desk.decisions import Decisions
    from defectscope.desk.review_server import Reviewed, ReviewServer

    captions = None if arguments.captions is None else Path(arguments.captions)
    with tempfile.TemporaryDirectory(prefix="defectscope-") as folder:
        reviewed: list[Reviewed] = []
        for number, (_, report, media) in enumerate(reports):
            decisions = Decisions(report, waivers, _profile_of(report, arguments.profile))
            playing = None
            if arguments.proxy and media is not None:
                playing = Path(folder) / f"{number}.mp4"
                _make_proxy(media, playing)
            reviewed.append(Reviewed(decisions, media, playing, captions))

        def index() -> str:
            rows = [
                Row(name, one.decisions.current(), links={"review": Path(str(number))})
                for number, ((name, *_), one) in enumerate(zip(reports, reviewed, strict=True))
            ]
            return index_page(rows, Path(), f"{len(rows)} reports; decisions go to {waivers.name}")

        server = ReviewServer(reviewed, index=index, port=arguments.port)
        sys.stderr.write(f"decisions go to {waivers}\n{server.address}\nctrl-C ends it\n")
        sys.stderr.flush()
        server.serve()


def _profile_of(report: Report, named: str | None) -> Any:
    """The profile that decided the report, as it was then; or the one that is named."""
    from defectscope.errors import ProfileError
    from defectscope.profiles import load_profile

    if named is not None:
        return load_profile(named)
    if report.profile is None:
        return None
    try:
        profile = load_profile(str(report.profile.get("id", "")))
    except ProfileError:
        profile = None
    if profile is None or profile.sha256 != report.profile.get("sha256"):
        name = report.profile.get("id")
        sys.stderr.write(
            f"defectscope: the profile {name!r} of the report is not at hand as it was: its rules "
            "are not decided again (--profile NAME names one)\n"
        )
        return None
    return profile
