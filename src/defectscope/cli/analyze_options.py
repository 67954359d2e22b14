"""What `defectscope analyze` takes: its options, their help, and what they mean together."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from defectscope.cli.outputs import add_options
from defectscope.errors import InvalidParameterError
from defectscope.findings import SEVERITIES

_DESCRIPTION = """\
Analyzes each MEDIA with every detector, shows a table of findings, and writes reports on request.

MEDIA is a path, a folder, a pattern in quotes, an HLS playlist or DASH manifest on disk, an s3://
address, an https:// address of a host that --allow-host names, or - for standard input. With
several, --json and --html name folders, which keep the folders of the media and get an index.html;
an unreadable MEDIA does not stop the others, and the exit status is that of the worst case.
"""
_EPILOG = """\
exit status: 0 done; 1 --fail-on was met or --profile says FAIL; 2 usage; 3 unreadable media;
4 the endpoint failed; 5 --profile says NOT JUDGED; 70 an internal error

examples:
  defectscope analyze film.mp4 --html film.html
  defectscope analyze master.mxf --profile ebu-r128 --edl master.edl
  defectscope analyze deliveries/ --recursive --profile house.toml --json out --html out --resume
  defectscope analyze film.mov --start 10:00:00:00 --end 10:05:00:00
"""
# Options of this machine's own analysis, which an endpoint does not know.
_LOCAL = ("workers", "waivers", "watch", "artifacts", "allow_host")


def add_options_to(commands: Any) -> argparse.ArgumentParser:
    """Adds the subcommand with its options and returns its parser."""
    parser = commands.add_parser(
        "analyze",
        help="find defects in media",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("media", nargs="*", metavar="MEDIA", help="path, folder, pattern, address or -")
    add(
        "--detectors",
        metavar="A,B",
        help="comma-separated names (see `defectscope detectors`); default: all",
    )
    add(
        "--profile",
        metavar="NAME",
        help="delivery profile (see `defectscope profiles`), or a house's own file of TOML; "
        "FAIL exits 1, NOT JUDGED 5",
    )
    add("--waivers", metavar="FILE", help="waivers.toml: findings that were accepted")
    add(
        "--compare",
        metavar="REPORT",
        help="an earlier report, or a folder of them: what is fixed, still there, new",
    )
    add("--captions", metavar="FILE", help="side-car captions: WebVTT, SubRip, TTML/IMSC, EBU STL")
    add("--endpoint", metavar="NAME", help="call this SageMaker endpoint instead")
    add("--region", metavar="REGION", help="AWS region of the endpoint")
    add(
        "--fail-on",
        choices=SEVERITIES,
        metavar="SEVERITY",
        help=f"exit 1 if a finding is this severe or worse ({', '.join(SEVERITIES)})",
    )
    add("--start", metavar="T", help="first instant: seconds, H:MM:SS.s or a timecode")
    add("--end", metavar="T", help="first instant after the interval, likewise")
    add(
        "--set",
        action="append",
        default=[],
        metavar="DETECTOR.PARAMETER=VALUE",
        help="replace a parameter, e.g. loudness.target_lufs=-24 (see `defectscope detectors`)",
    )
    add(
        "--audio-layout",
        metavar="LAYOUT",
        help="channels of the sound tracks that are heard together, counted from 1, "
        "e.g. 5.1=1-6,stereo=7,8; default: by their labels and number",
    )
    add(
        "--program",
        type=int,
        metavar="N",
        help="programme of a transport stream; default: the first with a frame",
    )
    add(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes: they share one programme, or take a file each where there are several",
    )
    add(
        "--artifacts",
        metavar="DIR",
        help="your own artifacts, as `defectscope-train export --out DIR` writes them, or a folder "
        "of several; default: DEFECTSCOPE_ARTIFACTS of the environment, then the released ones",
    )
    add(
        "--allow-host",
        action="append",
        metavar="HOST",
        help="read https:// addresses of this host, which is a public one; no redirect is followed",
    )
    add("--recursive", action="store_true", help="include subfolders")
    add("--resume", action="store_true", help="skip media that already have a report in --json")
    add("--watch", metavar="FOLDER", help="analyze files as they arrive in a folder, until ctrl-C")
    add_options(parser)
    return parser


def analysis_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns what `analyze` is called with.

    Raises:
        InvalidParameterError: An option does not go with another.
    """
    if arguments.endpoint is not None:
        for name in _LOCAL:
            if getattr(arguments, name) not in (None, 1):
                how = ": build its archive with them" if name == "artifacts" else ""
                raise InvalidParameterError(
                    f"--{name.replace('_', '-')} does not go to an endpoint{how}"
                )
    parameters = parse_settings(arguments.set)
    options: dict[str, Any] = {
        "detectors": arguments.detectors,
        "captions": arguments.captions,
        "profile": arguments.profile,
        "waivers": arguments.waivers,
        "start_s": arguments.start,
        "end_s": arguments.end,
        "parameters": parameters or None,
        "audio_layout": arguments.audio_layout,
        "program": arguments.program,
        "artifacts": arguments.artifacts,
        "allowed_hosts": arguments.allow_host or (),
    }
    if arguments.endpoint is None and arguments.detectors is None:
        from defectscope.detectors import not_installed, unfit_plugins

        for name, how in not_installed().items():
            sys.stderr.write(f"defectscope: {name} is left out; it needs: pip install {how}\n")
        for error in unfit_plugins():
            sys.stderr.write(f"defectscope: left out: {error.message}\n")
    if arguments.artifacts is not None and arguments.detectors is not None:
        _note_unused_artifacts(arguments.artifacts, arguments.detectors)
    return options


def _note_unused_artifacts(folder: str, detectors: str) -> None:
    from defectscope.engine.artifacts import own_artifacts

    held = own_artifacts(folder)
    if not set(held) & {name.strip() for name in detectors.split(",")}:
        sys.stderr.write(f"defectscope: {folder} is not used: it holds {', '.join(held)}\n")


def parse_settings(settings: list[str]) -> dict[str, dict[str, Any]]:
    """Returns `detector.parameter=value` settings as parameters by detector.

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
