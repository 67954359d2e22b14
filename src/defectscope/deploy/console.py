"""What the scripts in sagemaker/ share: common options, progress lines, exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TextIO

from defectscope.deploy.calls import Account, Transaction
from defectscope.deploy.limits import Kind, Limits
from defectscope.errors import DefectscopeError, UsageError


def parser(description: str, epilog: str) -> argparse.ArgumentParser:
    """Returns a parser with the options that every script takes."""
    made = argparse.ArgumentParser(
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = made.add_argument_group("where")
    group.add_argument("--region", help="AWS region (default: AWS_REGION or your AWS profile)")
    group.add_argument(
        "--endpoint-url",
        help="address to call in place of AWS's, for every service; `defectscope local env` "
        "prints the one of SageMaker on this machine",
    )
    group.add_argument(
        "--boto3",
        action="store_true",
        help="never use the SageMaker Python SDK (default: used where it works, when installed)",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="call nothing; print as JSON the calls that an empty account would get",
    )
    return made


def add_tags(made: argparse.ArgumentParser) -> None:
    """Adds --tag."""
    made.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="tag everything made; may be given several times",
    )


def add_limits(made: argparse.ArgumentParser) -> None:
    """Adds the one setting for time and the one for size."""
    made.add_argument(
        "--timeout-s",
        type=int,
        help="longest time for one answer in seconds; reaches the analysis, TorchServe, the job "
        "and the client (default: what SageMaker allows)",
    )
    made.add_argument(
        "--max-body-bytes",
        type=int,
        help="largest request and answer in bytes; reaches TorchServe, the job and the client "
        "(default: what SageMaker allows)",
    )


def limits(options: argparse.Namespace, kind: Kind) -> Limits:
    """Returns the limits that --timeout-s and --max-body-bytes ask for."""
    return Limits.of(kind, timeout_s=options.timeout_s, max_body_bytes=options.max_body_bytes)


def pairs(given: list[str], option: str) -> dict[str, str]:
    """Reads KEY=VALUE options.

    Raises:
        UsageError: One has no `=`.
    """
    found: dict[str, str] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not (separator and key):
            raise UsageError(f"{option} takes KEY=VALUE, not {text!r}")
        found[key] = value
    return found


@dataclass
class Progress:
    """One line that is written over on a terminal, and one line per change elsewhere."""

    stream: TextIO
    _last: str = ""

    def say(self, line: str) -> None:
        """Writes a line that stays."""
        self._end()
        self.stream.write(line + "\n")
        self.stream.flush()

    def state(self, state: str, waited_s: float) -> None:
        """Shows a state and for how long it has been waited for."""
        if self.stream.isatty():
            self.stream.write(f"\r{state:<20} {waited_s:6.0f} s")
            self._last = state
        elif state != self._last:
            self.stream.write(f"{state}\n")
            self._last = state
        self.stream.flush()

    def _end(self) -> None:
        if self._last and self.stream.isatty():
            self.stream.write("\n")
        self._last = ""


def transaction(options: argparse.Namespace, progress: Progress) -> Transaction:
    """Returns the transaction that a script's options ask for."""
    environ: Mapping[str, str] = os.environ
    region = options.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    account = Account(
        region=region, endpoint_url=options.endpoint_url, typed=False if options.boto3 else None
    )
    return Transaction(account, dry_run=options.dry_run, show=progress.say)


def run(main: Callable[[Progress], None]) -> int:
    """Runs a script's work and gives its exit code; failures are one line with a stable code."""
    progress = Progress(sys.stderr)
    try:
        main(progress)
    except DefectscopeError as error:
        where = f" (request {error.request_id})" if error.request_id else ""
        progress.say(f"{error.code}: {error.message}{where}")
        return error.exit_code
    except KeyboardInterrupt:
        progress.say("stopped; run it again to go on")
        return 130
    return 0
