"""`defectscope monitor`: live channels, watched until stopped."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from defectscope.cli import monitor_plan
from defectscope.errors import EXIT_OK, InvalidParameterError

_DESCRIPTION = """\
Watches live channels. An alarm opens within two seconds after a detector has seen as much of a
defect as it needs, and clears when the defect has ended.

channels.toml:
  [[channel]]
  name = "news"
  url = "udp://@239.0.0.1:5000"      # unicast: udp://0.0.0.0:5000

  defectscope monitor channels.toml --events -     # one CloudEvent a line
  defectscope monitor channels.toml --wall :8080   # and a page of all channels
  defectscope monitor demo                         # a film, sent and broken on this machine
  defectscope monitor plan channels.toml --out infrastructure --image URI    # ECS tasks for them
"""
_TOKEN = "DEFECTSCOPE_MONITOR_TOKEN"


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "monitor",
        help="watch live channels",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "channels",
        nargs="+",
        metavar="[plan] CHANNELS.toml",
        help="what is watched: a file, s3://BUCKET/KEY or ssm://NAME; or `demo`",
    )
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
    parser.add_argument(
        "--endpoint",
        metavar="NAME",
        default="",
        help="SageMaker endpoint that suspicious seconds are sent to, for the detectors with a"
        " network; without it they run in these processes where the configuration has [looks]",
    )
    parser.add_argument(
        "--metric-lines",
        metavar="PATH",
        help="every minute a line for each channel in CloudWatch's embedded metric format,"
        " `-` for standard output",
    )
    parser.add_argument(
        "--wall",
        metavar="[HOST]:PORT",
        help="serve a page of all channels, and /metrics for Prometheus; on loopback unless HOST"
        f" says otherwise, and then with the token in {_TOKEN}",
    )
    parser.add_argument(
        "--otel",
        action="store_true",
        help="every minute metrics to OpenTelemetry's collector, over OTLP; where it is say the"
        " standard variables such as OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    monitor_plan.add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watches until interrupted."""
    from defectscope.monitor.config_source import config_source
    from defectscope.monitor.demo import prepared
    from defectscope.monitor.metric_lines import MetricLines
    from defectscope.monitor.outputs import LineDelivery, SpooledOutput
    from defectscope.monitor.store import Store
    from defectscope.monitor.watch import Monitor, until_stopped

    if arguments.groups is not None and arguments.groups < 1:
        raise InvalidParameterError(f"--groups is at least 1, not {arguments.groups}")
    *verb, place = arguments.channels
    if verb == ["plan"]:
        return monitor_plan.run(arguments, place)
    if verb:
        raise InvalidParameterError("one CHANNELS.toml is watched at a time")
    with contextlib.ExitStack() as stack:
        if place == "demo":
            place = str(stack.enter_context(prepared(_say)))
            arguments.wall = arguments.wall or ":8080"
        kept = ":memory:" if arguments.state is None else arguments.state / "events.sqlite"
        store = Store(kept)
        stack.callback(store.close)
        out = _opened(stack, arguments.events)
        monitor = Monitor(config_source(place), store, arguments.groups, arguments.endpoint)
        monitor.add_output(SpooledOutput(LineDelivery(out), store))
        if arguments.metric_lines is not None:
            monitor.add_output(MetricLines(monitor.board, _opened(stack, arguments.metric_lines)))
        if arguments.otel:
            from defectscope.monitor.otel_metrics import OtelMetrics

            monitor.add_output(OtelMetrics(monitor.board))
        if arguments.wall is not None:
            stack.callback(_wall(monitor, arguments.wall).stop)
        until_stopped(monitor)
    return EXIT_OK


def _opened(stack: contextlib.ExitStack, path: str) -> TextIO:
    """Opens a file to append to; `-` is standard output."""
    if path == "-":
        return sys.stdout
    return stack.enter_context(Path(path).open("a", encoding="utf-8"))


def _wall(monitor: Any, place: str) -> Any:
    from defectscope.monitor.wall import Wall

    host, colon, port = place.rpartition(":")
    if not colon or not port.isdigit():
        raise InvalidParameterError(f"--wall is [HOST]:PORT, not {place!r}")
    token = os.environ.get(_TOKEN) or None
    wall = Wall(monitor.board, host.strip("[]") or "127.0.0.1", int(port), token)
    wall.start()
    _say(f"wall at {wall.url}")
    return wall


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
