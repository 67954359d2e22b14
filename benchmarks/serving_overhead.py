"""What a call to an endpoint costs beyond the analysis itself.

    python benchmarks/serving_overhead.py [--calls 60] [--detector all_detectors]
    python benchmarks/serving_overhead.py --detector all_detectors --ways in-process,endpoint

Judges the same clip of about 1 MB in this process, through a TorchServe, through the container's
port in front of it, and through the Python client and an endpoint of SageMaker on this machine, by
turns, so that all see the same load. The overhead is taken within each call: the time the caller
waited minus the time that the report says the analysis took, so that a busy machine blurs it less.
The median of the differences, call minus the in-process one of the same turn, stands beside it.
Small calls come first: Java compiles what it runs often, and a server that has answered a few
hundred calls answers sooner than one that has just started (`--warm-up 0` shows how much). They ask
for one quick detector, whatever is served.

On a machine that others use, waiting says little. So the processor time that a call to the endpoint
takes of the caller, of the local server and of TorchServe's frontend stands below, without what the
last two take while nobody calls: those three add nothing but what they use themselves. `--nice -15`
puts the caller and the endpoint's processes in front of the rest while calls are counted, which
takes the right to do so.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import msgspec
import psutil
from live_endpoint import Live, live_endpoint, megabyte_clip, small_clip

from defectscope.analysis import analyze
from defectscope.client import Client
from defectscope.container.addresses import connection_to
from defectscope.container.container import Container
from defectscope.container.torchserve import TorchServe
from defectscope.deploy.archives import ALL

_DEFAULT = "black_frames"
# The first calls of each kind make connections and fill caches in every process.
_UNCOUNTED = 5
# Processor times come in steps of 10 ms.
_IDLE_S = 5.0
_HERE = "in-process"
_TORCHSERVE = "TorchServe"
_CONTAINER = "container"
_ENDPOINT = "endpoint"
_WAYS = (_HERE, _TORCHSERVE, _CONTAINER, _ENDPOINT)
# SageMaker's header of a call's options.
_OPTIONS = "X-Amzn-SageMaker-Custom-Attributes"


def in_process(media: bytes, name: str) -> float:
    """Evaluates here; returns the seconds that the analysis itself took."""
    report = analyze(media, detectors=None if name == ALL else (name,))
    report.to_json()
    return float(report.timing["wall_s"])


def through_torchserve(
    connection: http.client.HTTPConnection, media: bytes, detectors: Sequence[str] | None = None
) -> float:
    """Evaluates behind TorchServe alone, over a kept connection."""
    headers = {"Content-Type": "video/mp4"}
    if detectors is not None:
        headers[_OPTIONS] = json.dumps({"detectors": list(detectors)})
    connection.request("POST", "/invocations", body=media, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"TorchServe answered {answer.status}")
    # Read as the client reads it.
    return float(msgspec.json.decode(body)["timing"]["wall_s"])


def through_endpoint(client: Client, media: bytes, detectors: Sequence[str] | None = None) -> float:
    """Evaluates as a user of the client does."""
    return float(client.analyze(media, detectors=detectors).timing["wall_s"])


def processor_s(live: Live) -> dict[str, float]:
    """Returns what the local server and the frontend have spent so far, in seconds."""
    found = live.processes()
    return {
        kind: sum(sum(process.cpu_times()[:2]) for process in found[kind])
        for kind in ("local", "frontend")
    }


@contextlib.contextmanager
def at_priority(nice: int | None) -> Generator[None]:
    """Runs this process and all its children at a priority while the block lasts."""
    if nice is None:
        yield
        return
    this = psutil.Process()
    before: dict[psutil.Process, int] = {}
    for process in (this, *this.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            before[process] = process.nice()
            _set_nice(process, nice)
    try:
        yield
    finally:
        for process, value in before.items():
            with contextlib.suppress(psutil.Error):
                _set_nice(process, value)


def _set_nice(process: psutil.Process, nice: int) -> None:
    # Linux keeps a priority for each thread, and a process's own is that of its first.
    for thread in process.threads():
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread.id, nice)


class Counted:
    """What was measured of the calls.

    Attributes:
        waits_ms: What the caller waited, by way.
        extra_ms: The same without what the report says the analysis took.
        caller_s: Processor time of the caller in calls to the endpoint.
        servers_s: Processor time of the local server and the frontend, which the other ways leave
            alone.
        idle_s: The same over as long a time without calls.
    """

    def __init__(self, ways: Sequence[str]) -> None:
        self.waits_ms: dict[str, list[float]] = {way: [] for way in ways}
        self.extra_ms: dict[str, list[float]] = {way: [] for way in ways}
        self.caller_s = 0.0
        self.servers_s: dict[str, float] = {}
        self.idle_s: dict[str, float] = {}


def idle_share(live: Live) -> dict[str, float]:
    """Returns what the local server and the frontend spend while nobody calls, each second."""
    before_s, began_s = processor_s(live), time.perf_counter()
    time.sleep(_IDLE_S)
    passed_s = time.perf_counter() - began_s
    return {kind: (s - before_s[kind]) / passed_s for kind, s in processor_s(live).items()}


def count_calls(live: Live, ways: dict[str, Callable[[], float]], calls: int) -> Counted:
    """Makes the calls by turns, after a few that are not counted."""
    found = Counted(tuple(ways))
    idle = idle_share(live)
    before_s: dict[str, float] = {}
    counted_s = 0.0
    for turn in range(_UNCOUNTED + calls):
        if turn == _UNCOUNTED:
            before_s, counted_s = processor_s(live), time.perf_counter()
        for way, analyze_one in ways.items():
            began_s, worked_s = time.perf_counter(), time.thread_time()
            analysis_s = analyze_one()
            waited_s = time.perf_counter() - began_s
            if turn >= _UNCOUNTED:
                if way == _ENDPOINT:
                    found.caller_s += time.thread_time() - worked_s
                found.waits_ms[way].append(waited_s * 1000)
                found.extra_ms[way].append((waited_s - analysis_s) * 1000)
    passed_s = time.perf_counter() - counted_s
    found.idle_s = {kind: share * passed_s for kind, share in idle.items()}
    found.servers_s = {kind: s - before_s[kind] for kind, s in processor_s(live).items()}
    return found


def main() -> None:
    """Measures and prints."""
    options = _options()
    name: str = options.detector
    chosen: list[str] = options.ways.split(",")
    with (
        tempfile.TemporaryDirectory() as scratch,
        live_endpoint(name) as live,
        live.client() as client,
        contextlib.ExitStack() as opened,
    ):
        media = megabyte_clip(Path(scratch) / "clip.mp4")
        small = small_clip(Path(scratch) / "small.mp4")
        ways: dict[str, Callable[[], float]] = {
            _HERE: lambda: in_process(media, name),
            _ENDPOINT: lambda: through_endpoint(client, media),
        }
        quick = (_DEFAULT,) if name == ALL else None
        first: list[Callable[[], float]] = [lambda: through_endpoint(client, small, quick)]
        if {_TORCHSERVE, _CONTAINER} & set(chosen):
            server = opened.enter_context(TorchServe(live.archive))
            server.wait_ready()
            connection = opened.enter_context(contextlib.closing(server.connect(60)))
            container = Container(server, host="127.0.0.1", port=0)
            opened.callback(container.stop)
            port = opened.enter_context(contextlib.closing(connection_to(container.url, 60)))
            ways[_TORCHSERVE] = lambda: through_torchserve(connection, media)
            ways[_CONTAINER] = lambda: through_torchserve(port, media)
            first.append(lambda: through_torchserve(connection, small, quick))
            first.append(lambda: through_torchserve(port, small, quick))
        for _ in range(options.warm_up):
            for call in first:
                call()
        with at_priority(options.nice):
            found = count_calls(live, {way: ways[way] for way in chosen}, options.calls)
    _print(found, options, len(media))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--calls", type=int, default=60, help="calls each way (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up", type=int, default=150, help="small calls before them (default: %(default)s)"
    )
    parser.add_argument("--detector", default=_DEFAULT, help="what is served (%(default)s)")
    parser.add_argument("--ways", default=",".join(_WAYS), help="by commas (%(default)s)")
    parser.add_argument("--nice", type=int, default=None, help="priority of the calls counted")
    options = parser.parse_args()
    unknown = sorted(set(options.ways.split(",")) - set(_WAYS))
    if unknown or not {_HERE, _ENDPOINT} <= set(options.ways.split(",")):
        parser.error(f"--ways takes {_HERE} and {_ENDPOINT}, and also {_TORCHSERVE}, {_CONTAINER}")
    if options.calls < 2:
        parser.error("--calls is at least 2")
    return options


def _print(found: Counted, options: argparse.Namespace, size: int) -> None:
    calls: int = options.calls
    print(f"{size / 1e6:.2f} MB, {calls} calls each way, {options.detector}; milliseconds")
    print(
        f"{'':<12} {'call, median (10-90 %)':>26} {'minus analysis':>22} {'minus in-process':>22}"
    )
    for way, waits_ms in found.waits_ms.items():
        pairs = zip(waits_ms, found.waits_ms[_HERE], strict=True)
        print(f"{way:<12} {_spread(waits_ms):>26} {_spread(found.extra_ms[way]):>22}", end=" ")
        print(f"{_spread([there - here for there, here in pairs]):>22}")
    working_s = {k: max(0.0, s - found.idle_s[k]) for k, s in found.servers_s.items()}
    spent_s = {"caller": found.caller_s} | working_s
    parts = ", ".join(f"{kind} {1000 * total / calls:.1f}" for kind, total in spent_s.items())
    idle = ", ".join(f"{kind} {1000 * total / calls:.1f}" for kind, total in found.idle_s.items())
    total_ms = 1000 * sum(spent_s.values()) / calls
    print(f"processor time of an endpoint's call, ms: {parts}; {total_ms:.1f} in all")
    print(f"left out as what they spend without calls, ms a call: {idle}")
    print(f"load average {os.getloadavg()[0]:.1f}")


def _spread(values_ms: list[float]) -> str:
    tenths = statistics.quantiles(values_ms, n=10)
    return f"{statistics.median(values_ms):.1f} ({tenths[0]:.1f}-{tenths[-1]:.1f})"


if __name__ == "__main__":
    main()
