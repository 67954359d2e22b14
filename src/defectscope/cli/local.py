"""`defectscope local`: SageMaker on this machine, up and down."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from defectscope.errors import EXIT_OK

_DESCRIPTION = """\
SageMaker on this machine: real TorchServe behind a server that speaks SageMaker, so that unmodified
boto3 code and the SageMaker SDK work without an AWS account.

  defectscope local up
  eval "$(defectscope local env)"     # points every AWS SDK of this shell at it
  defectscope local status
  defectscope local down              # leaves no process and no file behind
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "local",
        help="run SageMaker on this machine",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    up = actions.add_parser("up", help="start it; returns when it answers")
    up.add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    up.set_defaults(run=_up)
    for name, run, text in (
        ("env", _env, "print `export NAME=value` lines"),
        ("status", _status, "show endpoints, jobs and processes"),
        ("down", _down, "stop it and remove its files"),
    ):
        actions.add_parser(name, help=text).set_defaults(run=run)


def _up(arguments: argparse.Namespace) -> int:
    from defectscope.local import up

    state = up(port=arguments.port)
    sys.stdout.write(f"{state.endpoint_url} is ready (region {state.region}, pid {state.pid})\n")
    sys.stdout.write('Next: eval "$(defectscope local env)"\n')
    return EXIT_OK


def _env(_: argparse.Namespace) -> int:
    from defectscope.local import env

    for name, value in env().items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return EXIT_OK


def _status(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from defectscope.local import status

    now = status()
    if now is None:
        sys.stdout.write("not running; start it with `defectscope local up`\n")
        return EXIT_OK
    console = Console()
    console.print(
        f"{now.state.endpoint_url}  pid {now.state.pid}  {now.processes} processes", highlight=False
    )
    table = Table("what", "name", "state")
    for name, state in now.endpoints.items():
        table.add_row("endpoint", name, state)
    for name, state in now.transform_jobs.items():
        table.add_row("transform job", name, state)
    if table.row_count:
        console.print(table)
    return EXIT_OK


def _down(_: argparse.Namespace) -> int:
    from defectscope.local import down

    stopped = down()
    sys.stdout.write("stopped\n" if stopped else "nothing was running\n")
    return EXIT_OK
