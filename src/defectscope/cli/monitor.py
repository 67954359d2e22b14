"""`defectscope monitor`: live channels, watched until stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from defectscope.errors import EXIT_OK, MediaNotFoundError

_DESCRIPTION = """\
Watches live channels and says what is wrong with them while it is: an alarm opens within two
seconds of what a detector needs to see, and clears when the defect has gone.

channels.toml:
  [[channel]]
  name = "news"
  url = "udp://@239.0.0.1:5000"      # unicast: udp://0.0.0.0:5000

  defectscope monitor channels.toml --events -     # one CloudEvent a line
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "monitor",
        help="watch live channels",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("channels", metavar="CHANNELS.toml", help="what is watched")
    parser.add_argument(
        "--events", metavar="PATH", default="-", help="where events go, `-` for standard output"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watches until interrupted."""
    from defectscope.monitor.config import read_config
    from defectscope.monitor.watch import watch

    path = Path(arguments.channels)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise MediaNotFoundError(f"{path}: {reason}") from None
    config = read_config(text, path.name)
    if arguments.events == "-":
        watch(config, sys.stdout)
        return EXIT_OK
    with Path(arguments.events).open("a", encoding="utf-8") as out:
        watch(config, out)
    return EXIT_OK
