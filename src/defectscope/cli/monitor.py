"""`defectscope monitor`: live channels, watched until stopped."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from defectscope.errors import EXIT_OK, InvalidParameterError, MediaNotFoundError

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
    parser.add_argument(
        "--state",
        metavar="FOLDER",
        type=Path,
        help="keeps events and open alarms over restarts; without it nothing is kept",
    )
    parser.add_argument(
        "--groups",
        type=int,
        metavar="N",
        help="processes that share the channels; default: one per core",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watches until interrupted."""
    from defectscope.monitor.outputs import LineDelivery, SpooledOutput
    from defectscope.monitor.store import Store
    from defectscope.monitor.watch import Monitor, until_stopped

    path = Path(arguments.channels)
    if not path.is_file():
        raise MediaNotFoundError(f"{path}: no such file")
    if arguments.groups is not None and arguments.groups < 1:
        raise InvalidParameterError(f"--groups is at least 1, not {arguments.groups}")
    store = Store(":memory:" if arguments.state is None else arguments.state / "events.sqlite")
    with contextlib.ExitStack() as stack:
        stack.callback(store.close)
        out = sys.stdout
        if arguments.events != "-":
            out = stack.enter_context(Path(arguments.events).open("a", encoding="utf-8"))
        monitor = Monitor(path, store, arguments.groups)
        monitor.add_output(SpooledOutput(LineDelivery(out), store))
        until_stopped(monitor)
    return EXIT_OK
