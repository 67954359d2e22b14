"""What a call to an endpoint costs beyond the analysis itself.

    python benchmarks/serving_overhead.py [--calls 60] [--detector all_detectors]

Judges the same clip of about 1 MB in this process, through a TorchServe, through the container's
port in front of it, and through the Python client and an endpoint of SageMaker on this machine, by
turns, so that all see the same load. The
overhead is taken within each call: the time the caller waited minus the time that the report says
the analysis took, so that a busy machine blurs it less. The difference of the medians, call minus
in-process, stands beside it. Small calls come first: Java compiles what it runs often, and a server
that has answered a few hundred calls answers sooner than one that has just started (`--warm-up 0`
shows how much).

On a machine that others use, waiting says little. So the processor time that a call to the endpoint
takes of the caller, of the local server and of TorchServe's frontend stands below: those three add
nothing but what they use themselves.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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
_ENDPOINT = "endpoint"


def in_process(media: bytes, name: str) -> float:
    """Evaluates here; returns the seconds that the analysis itself took."""
    report = analyze(media, detectors=None if name == ALL else (name,))
    report.to_json()
    return float(report.timing["wall_s"])


def through_torchserve(connection: http.client.HTTPConnection, media: bytes) -> float:
    """Evaluates behind TorchServe alone, over a kept connection."""
    headers = {"Content-Type": "video/mp4"}
    connection.request("POST", "/invocations", body=media, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"TorchServe answered {answer.status}")
    return float(json.loads(body)["timing"]["wall_s"])


def through_endpoint(client: Client, media: bytes) -> float:
    """Evaluates as a user of the client does."""
    return float(client.analyze(media).timing["wall_s"])


def processor_s(live: Live) -> dict[str, float]:
    """Returns what the local server and the frontend have spent so far, in seconds."""
    found = live.processes()
    return {
        kind: sum(sum(process.cpu_times()[:2]) for process in found[kind])
        for kind in ("local", "frontend")
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--calls", type=int, default=60, help="calls each way (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up", type=int, default=150, help="small calls before them (default: %(default)s)"
    )
    parser.add_argument("--detector", default=_DEFAULT, help="what is served (%(default)s)")
    options = parser.parse_args()
    calls: int = options.calls
    name: str = options.detector
    with tempfile.TemporaryDirectory() as scratch, live_endpoint(name) as live:
        media = megabyte_clip(Path(scratch) / "clip.mp4")
        small = small_clip(Path(scratch) / "small.mp4")
        with TorchServe(live.archive) as server, live.client() as client:
            server.wait_ready()
            connection = server.connect(60)
            container = Container(server, host="127.0.0.1", port=0)
            port = connection_to(container.url, 60)
            ways: dict[str, Callable[[], float]] = {
                "in-process": lambda: in_process(media, name),
                "TorchServe": lambda: through_torchserve(connection, media),
                "container": lambda: through_torchserve(port, media),
                _ENDPOINT: lambda: through_endpoint(client, media),
            }
            for _ in range(options.warm_up):
                through_torchserve(connection, small)
                through_torchserve(port, small)
                through_endpoint(client, small)
            waits_ms: dict[str, list[float]] = {way: [] for way in ways}
            extra_ms: dict[str, list[float]] = {way: [] for way in ways}
            caller_s = 0.0
            before_s: dict[str, float] = {}
            for turn in range(_UNCOUNTED + calls):
                if turn == _UNCOUNTED:
                    before_s = processor_s(live)
                for way, analyze_one in ways.items():
                    began_s, worked_s = time.perf_counter(), time.thread_time()
                    analysis_s = analyze_one()
                    waited_s = time.perf_counter() - began_s
                    if turn >= _UNCOUNTED:
                        if way == _ENDPOINT:
                            caller_s += time.thread_time() - worked_s
                        waits_ms[way].append(waited_s * 1000)
                        extra_ms[way].append((waited_s - analysis_s) * 1000)
            after_s = processor_s(live)
            connection.close()
            port.close()
            container.stop()
    print(f"{len(media) / 1e6:.2f} MB, {calls} calls each way, {name}; milliseconds")
    print(
        f"{'':<12} {'call, median (10-90 %)':>26} {'minus analysis':>22} {'minus in-process':>17}"
    )
    here_ms = statistics.median(waits_ms["in-process"])
    for way in ways:
        away_ms = statistics.median(waits_ms[way]) - here_ms
        print(f"{way:<12} {_spread(waits_ms[way]):>26} {_spread(extra_ms[way]):>22}", end=" ")
        print(f"{away_ms:>17.1f}")
    spent_s = {"caller": caller_s} | {kind: after_s[kind] - before_s[kind] for kind in after_s}
    parts = ", ".join(f"{kind} {1000 * total / calls:.1f}" for kind, total in spent_s.items())
    total_ms = 1000 * sum(spent_s.values()) / calls
    print(f"processor time of an endpoint's call, ms: {parts}; {total_ms:.1f} in all")
    print(f"load average {os.getloadavg()[0]:.1f}")


def _spread(values_ms: list[float]) -> str:
    tenths = statistics.quantiles(values_ms, n=10)
    return f"{statistics.median(values_ms):.1f} ({tenths[0]:.1f}-{tenths[-1]:.1f})"


if __name__ == "__main__":
    main()
