"""Many callers at once for a minute: which errors they see, and whether memory stays flat.

    python benchmarks/endpoint_load.py [--callers 32] [--seconds 60] [--detector black_frames]

Every caller is a thread that calls the endpoint again as soon as it has its answer, nine times in
ten with a clip of half a second and else with one of 1 MB, and repeats nothing. Resident memory of
the workers, of TorchServe's frontend and of the local server is read once a second; the medians of
the first and the last third of the time are compared, after a tenth of the time to warm up.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
from live_endpoint import Live, live_endpoint, megabyte_clip, small_clip

from defectscope.client import Client, RetryPolicy
from defectscope.errors import DefectscopeError

_LARGE_EVERY = 10


class Callers:
    """Threads that call an endpoint until they are told to stop.

    Attributes:
        outcomes: Calls by what came of them: `ok` or an error's code.
        waits_s: How long each call took.
    """

    def __init__(self, client: Client, count: int, small: bytes, large: bytes) -> None:
        self.outcomes: Counter[str] = Counter()
        self.waits_s: list[float] = []
        self._client = client
        self._media = (small, large)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(count)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def forget(self) -> None:
        """Drops what was counted so far."""
        with self._lock:
            self.outcomes.clear()
            self.waits_s.clear()

    def _call(self, number: int) -> None:
        while not self._stop.is_set():
            number += 1
            began_s = time.perf_counter()
            try:
                self._client.analyze(self._media[number % _LARGE_EVERY == 0])
                outcome = "ok"
            except DefectscopeError as error:
                outcome = error.code
            with self._lock:
                self.outcomes[outcome] += 1
                self.waits_s.append(time.perf_counter() - began_s)


def memory_mb(live: Live) -> dict[str, float]:
    """Returns the resident memory in MB of each kind of process."""
    sizes: dict[str, float] = {}
    for kind, processes in live.processes().items():
        total = 0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        sizes[kind] = total / 1e6
    return sizes


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--detector", default="black_frames")
    options = parser.parse_args()
    series: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch, live_endpoint(options.detector) as live:
        small = small_clip(Path(scratch) / "small.mp4")
        large = megabyte_clip(Path(scratch) / "large.mp4")
        retry = RetryPolicy(attempts=1)
        with (
            live.client(retry=retry, connections=options.callers) as client,
            Callers(client, options.callers, small, large) as callers,
        ):
            time.sleep(options.seconds / 10)
            callers.forget()
            began_s = time.monotonic()
            while time.monotonic() - began_s < options.seconds:
                for kind, size_mb in memory_mb(live).items():
                    series.setdefault(kind, []).append(size_mb)
                time.sleep(1.0)
            took_s = time.monotonic() - began_s
            outcomes, waits_s = Counter(callers.outcomes), sorted(callers.waits_s)
    print(f"{options.callers} callers, {took_s:.0f} s, detector {options.detector}")
    print(
        f"clips of {len(small) / 1e3:.0f} kB and {len(large) / 1e6:.2f} MB; load average", end=" "
    )
    print(f"{os.getloadavg()[0]:.1f}")
    print(", ".join(f"{outcome}: {count}" for outcome, count in sorted(outcomes.items())), end="; ")
    tail_s = waits_s[int(0.99 * len(waits_s))]
    print(f"{sum(outcomes.values()) / took_s:.0f} calls/s,", end=" ")
    print(f"wait median {statistics.median(waits_s):.2f} s, 99 % {tail_s:.2f} s")
    heads = f"{'first third':>12}{'last third':>12}{'change':>9}{'peak':>8}   tenth by tenth"
    print(f"{'resident MB':<12}{heads}")
    series["all"] = [sum(sizes) for sizes in zip(*series.values(), strict=True)]
    for kind, sizes in series.items():
        third = len(sizes) // 3
        first, last = statistics.median(sizes[:third]), statistics.median(sizes[-third:])
        change = f"{100 * (last / first - 1):+.1f} %"
        tenths = [sizes[len(sizes) * n // 10 : len(sizes) * (n + 1) // 10] for n in range(10)]
        medians = " ".join(f"{statistics.median(tenth):.0f}" for tenth in tenths if tenth)
        print(f"{kind:<12}{first:>12.0f}{last:>12.0f}{change:>9}{max(sizes):>8.0f}   {medians}")


if __name__ == "__main__":
    main()
