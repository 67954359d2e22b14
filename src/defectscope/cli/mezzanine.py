"""`defectscope mezzanine`: films whose every frame names itself, made and read back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from defectscope.cli.rasters import rate_of, size_of
from defectscope.errors import EXIT_OK

_DESCRIPTION = """\
Makes a film whose every frame carries a QR code with its number (as those of the CTA WAVE Device
Observation Framework do) and whose sound can be placed to the sample; and reads a capture of it, so
that dropped, doubled and late frames and the offset of the sound are exact.
"""
_EXAMPLES = """\
examples:
  defectscope mezzanine make title.mp4 --seconds 30 --rate 50
  (play title.mp4 on the device, and record it at twice its rate)
  defectscope mezzanine read capture.mp4
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "mezzanine",
        help="make a film with numbered frames, or read its capture",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    make = verbs.add_parser("make", help="write the film")
    make.add_argument("path", metavar="FILE", type=Path)
    make.add_argument("--content", default="DS1", help="name of the title (default: %(default)s)")
    make.add_argument("--size", default="1280x720", metavar="WxH", help="(default: %(default)s)")
    make.add_argument(
        "--rate", default="25", metavar="R", help="frames a second, e.g. 30000/1001 (default: 25)"
    )
    make.add_argument("--seconds", type=float, default=30.0, help="length (default: %(default)s)")
    make.set_defaults(run=_make)
    read = verbs.add_parser("read", help="read a capture; prints JSON")
    read.add_argument("media", metavar="MEDIA", help="path or s3:// address of the capture")
    read.set_defaults(run=_read)


def _make(arguments: argparse.Namespace) -> int:
    from defectscope.capture import MezzanineSpec, write_mezzanine

    width, height = size_of(arguments.size)
    rate = rate_of(arguments.rate)
    spec = MezzanineSpec(arguments.content, width, height, rate, arguments.seconds)
    write_mezzanine(arguments.path, spec)
    sys.stdout.write(f"wrote {arguments.path}: {spec.frames} frames\n")
    return EXIT_OK


def _read(arguments: argparse.Namespace) -> int:
    from defectscope.capture import observe

    sys.stdout.write(observe(arguments.media).to_json(indent=2) + "\n")
    return EXIT_OK
