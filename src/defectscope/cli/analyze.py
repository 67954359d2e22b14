"""`defectscope analyze`: judges media here or through an endpoint."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defectscope.cli.complain import complain, diagnose
from defectscope.errors import (
    EXIT_FAIL_ON,
    EXIT_MEDIA,
    EXIT_OK,
    DefectscopeError,
    InvalidParameterError,
)
from defectscope.findings import NOT_ASKED, SEVERITIES, Report, Severity

if TYPE_CHECKING:
    from defectscope.engine.engine import Progress
    from defectscope.media import MediaLike

_DESCRIPTION = """\
Judges each MEDIA with every detector, shows a table of findings, and writes reports on request.

MEDIA is a path, an s3:// address, or - for standard input. With several MEDIA, --json and --html
name folders, which get
one FILENAME.EXT.json (or .html) each; one bad MEDIA does not stop the others, and the exit status
is the worst of all.
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "analyze",
        help="find defects in media",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("media", nargs="+", metavar="MEDIA", help="path, s3:// address or -")
    parser.add_argument(
        "--detectors",
        metavar="A,B",
        help="comma-separated names (see `defectscope detectors`); default: all",
    )
    parser.add_argument(
        "--captions", metavar="FILE", help="side-car captions: WebVTT, SubRip, TTML/IMSC, EBU STL"
    )
    parser.add_argument(
        "--json", metavar="PATH", help="write report.json here; `-` for standard output"
    )
    parser.add_argument("--html", metavar="PATH", help="write a self-contained report page here")
    parser.add_argument("--endpoint", metavar="NAME", help="call this SageMaker endpoint instead")
    parser.add_argument("--region", metavar="REGION", help="AWS region of the endpoint")
    parser.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        metavar="SEVERITY",
        help=f"exit 1 if a finding is this severe or worse ({', '.join(SEVERITIES)})",
    )
    parser.add_argument("--start", type=float, metavar="S", help="first second judged")
    parser.add_argument("--end", type=float, metavar="S", help="first second not judged")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="DETECTOR.PARAMETER=VALUE",
        help="replace a parameter, e.g. loudness.target_lufs=-24 (see `defectscope detectors`)",
    )
    parser.add_argument(
        "--audio-layout",
        metavar="LAYOUT",
        help="channels of the sound tracks that are heard together, counted from 1, "
        "e.g. 5.1=1-6,stereo=7,8; default: by their labels and number",
    )
    parser.add_argument(
        "--program",
        type=int,
        metavar="N",
        help="programme of a transport stream; default: the first with a picture",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that share a programme"
    )
    parser.add_argument(
        "--artifacts",
        metavar="DIR",
        help="your own artifacts, as `defectscope-train export --out DIR` writes them, or a folder "
        "of several; default: DEFECTSCOPE_ARTIFACTS of the environment, then the released ones",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Judges all media; gives the worst exit status."""
    parameters = parse_settings(arguments.set)
    several = len(arguments.media) > 1
    if several and arguments.json == "-":
        raise InvalidParameterError("--json - takes one MEDIA; name a folder for several")
    worst = EXIT_OK
    for media in arguments.media:
        try:
            report = _judge(media, arguments, parameters)
            _write(report, media, arguments, several=several)
        except DefectscopeError as error:
            worst = max(worst, complain(error, about=Path(media).name))
            continue
        except ModuleNotFoundError:
            raise
        except Exception as error:
            # A fault of this program: the other media are analyzed all the same.
            worst = max(worst, diagnose(error, about=Path(media).name))
            continue
        if arguments.endpoint is None and _nothing_seen(report):
            worst = max(worst, EXIT_MEDIA)
        if _reaches(report.worst_severity(), arguments.fail_on):
            worst = max(worst, EXIT_FAIL_ON)
    return worst


def _nothing_seen(report: Report) -> bool:
    """Tells whether no picture and no sound that a detector asked for could be looked at."""
    if "video" not in report.asset and "audio" not in report.asset:
        return True
    tracks = [t for t in report.tracks if t.get("medium") in ("video", "audio")]
    asked = [t for t in tracks if t.get("reason") != NOT_ASKED]
    return bool(asked) and not any(t.get("judged") for t in asked)


def parse_settings(settings: list[str]) -> dict[str, dict[str, Any]]:
    """Gives `detector.parameter=value` settings as parameters by detector.

    Raises:
        InvalidParameterError: A setting is not of that form.
    """
    parameters: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        detector, dot, parameter = name.partition(".")
        if not (equals and dot and detector and parameter):
            raise InvalidParameterError(f"--set wants DETECTOR.PARAMETER=VALUE, not {setting!r}")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        parameters.setdefault(detector, {})[parameter] = value
    return parameters


def _judge(
    media: str, arguments: argparse.Namespace, parameters: dict[str, dict[str, Any]]
) -> Report:
    detectors = None
    if arguments.detectors is not None:
        detectors = [d.strip() for d in arguments.detectors.split(",") if d.strip()]
    if arguments.endpoint is not None:
        if arguments.artifacts is not None:
            raise InvalidParameterError(
                "--artifacts do not go to an endpoint: build its archive with them"
            )
        captions = arguments.captions
        if captions is not None and "://" not in captions:
            raise InvalidParameterError("an endpoint takes --captions as an s3:// address")
        from defectscope.client import Client

        client = Client(endpoint_name=arguments.endpoint, region=arguments.region)
        return client.analyze(
            media,
            detectors=detectors,
            captions_uri=captions,
            parameters=parameters or None,
            audio_layout=arguments.audio_layout,
            program=arguments.program,
            start_s=arguments.start,
            end_s=arguments.end,
        )
    from defectscope.analysis import analyze
    from defectscope.detectors import not_installed, unfit_plugins

    if detectors is None:
        for name, how in not_installed().items():
            sys.stderr.write(f"defectscope: {name} is left out; it needs: pip install {how}\n")
        for error in unfit_plugins():
            sys.stderr.write(f"defectscope: left out: {error.message}\n")
    from defectscope.media.source import resolve

    # What comes through a pipe can be taken down once.
    source = media if "://" in media else resolve(media)
    with _progress_bar(source, Path(media).name) as progress:
        return analyze(
            source,
            detectors=detectors,
            captions=arguments.captions,
            start_s=arguments.start,
            end_s=arguments.end,
            parameters=parameters or None,
            workers=arguments.workers,
            progress=progress,
            audio_layout=arguments.audio_layout,
            program=arguments.program,
            artifacts=arguments.artifacts,
        )


@contextmanager
def _progress_bar(media: MediaLike, name: str) -> Generator[Progress | None, None, None]:
    """A bar on a terminal: programme time done, and how much faster than real time."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from defectscope.media import open_media
    from defectscope.media.source import resolve

    with open_media(resolve(media)) as reader:
        total_s = reader.info.duration_s
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[programme]}"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(name, total=total_s or None, programme="", speed="")

        def advance(reached_s: float) -> None:
            elapsed_s = bar.tasks[0].elapsed or 0.0
            speed = f"{reached_s / elapsed_s:.1f}x" if elapsed_s > 0.5 else ""
            programme = f"{_clock(reached_s)} / {_clock(total_s)}"
            bar.update(task, completed=reached_s, programme=programme, speed=speed)

        yield advance


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(int(time_s), 60)
    return f"{minutes // 60:d}:{minutes % 60:02d}:{seconds:02d}"


def _write(report: Report, media: str, arguments: argparse.Namespace, *, several: bool) -> None:
    from rich.console import Console

    from defectscope.report import print_report

    # Standard output belongs to the JSON when it was asked for there.
    to_stdout = arguments.json == "-"
    print_report(report, Console(stderr=to_stdout))
    if to_stdout:
        sys.stdout.write(report.to_json(indent=2) + "\n")
    elif arguments.json is not None:
        _save(_target(arguments.json, media, ".json", several), report.to_json(indent=2) + "\n")
    if arguments.html is not None:
        from defectscope.report import render

        local = None if "://" in media else Path(media)
        page = render(report, media=local)
        _save(_target(arguments.html, media, ".html", several), page)


def _target(path: str, media: str, suffix: str, several: bool) -> Path:
    if several or path.endswith("/") or Path(path).is_dir():
        return Path(path) / (Path(media).name + suffix)
    return Path(path)


def _save(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise InvalidParameterError(f"{path}: {(error.strerror or 'no').lower()}") from None


def _reaches(severity: Severity | None, bound: Severity | None) -> bool:
    if severity is None or bound is None:
        return False
    return SEVERITIES.index(severity) >= SEVERITIES.index(bound)
