"""`defectscope render`: widens the stereo image of narrow loudspeakers."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from defectscope.errors import EXIT_OK, InvalidParameterError

_DESCRIPTION = """\
Renders the sound of a media file for a device with narrow loudspeakers: the centre is upmixed and
sent ahead, crosstalk of the sides is cancelled. Writes a file per driver, or what a measured head
hears of them, or headphones with the crosstalk of loudspeakers added.
"""
_EXAMPLES = """\
examples:
  defectscope render film.mp4 out/ --device two_narrow
  defectscope render song.flac out/ --device bar.json --set target_db=15 --set cap_db=6
  defectscope render song.flac out/ --output binaural --page out/song.html
  defectscope render song.flac out/ --output headphones --format wav

A device is a JSON file or one of bar_of_five, three_front, two_narrow. `--set` takes target_db,
cap_db, level_db (auto: as low as the cap needs), virtual_deg, half_span_deg, null_db, gain_db and
head (a SOFA file).
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Adds the command to those of `defectscope` and returns its parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "render",
        help="widen the stereo image of narrow loudspeakers",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="MEDIA", type=Path, help="anything with sound")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to write")
    parser.add_argument(
        "--device", default="two_narrow", metavar="NAME", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        default="drivers",
        choices=("drivers", "binaural", "headphones"),
        help="what comes out (default: %(default)s)",
    )
    parser.add_argument(
        "--format", default="flac", choices=("flac", "wav"), help="(default: %(default)s)"
    )
    parser.add_argument("--together", action="store_true", help="one file with all channels")
    parser.add_argument(
        "--plain", action="store_true", help="process nothing: the plain pair, to compare with"
    )
    parser.add_argument(
        "--page", type=Path, metavar="HTML", help="write a page with plots and an A/B player"
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the list below; may be repeated",
    )
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Renders and prints what was written as JSON.

    Raises:
        DefectscopeError: The media cannot be rendered, or a setting makes no sense.
    """
    from defectscope.spatial.chain import settings_from
    from defectscope.spatial.render import render_file

    given: dict[str, Any] = {"device": arguments.device, "output": arguments.output}
    given["processed"] = not arguments.plain
    for text in arguments.settings:
        name, found, value = text.partition("=")
        if not found:
            raise InvalidParameterError(f"--set takes NAME=VALUE, not {text!r}")
        given[name] = _value(value)
    settings = settings_from(given)
    rendering = render_file(
        arguments.source,
        arguments.folder,
        settings,
        stem=arguments.source.stem,
        container=arguments.format,
        together=arguments.together,
    )
    if arguments.page is not None:
        from defectscope.spatial.page import write_page

        write_page(arguments.page, arguments.source, settings)
    sys.stdout.write(json.dumps(rendering.as_dict(), indent=2) + "\n")
    if rendering.clipped:
        sys.stderr.write(
            f"defectscope: {rendering.clipped} samples were clipped: lower --set gain_db, "
            "or use --format wav\n"
        )
    return EXIT_OK


def _value(text: str) -> Any:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        return text
