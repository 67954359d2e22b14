"""Many callers at once, for minutes or hours: what they are answered, and what memory does.

    python benchmarks/endpoint_load.py [--callers 32] [--seconds 60] [--detector black_frames]
    python benchmarks/endpoint_load.py --minutes 60 --kill worker,frontend --kill-every 120

Every caller is a thread that calls the endpoint again as soon as it has its answer, nine times in
ten with a clip of half a second and else with one of 1 MB. Without `--kill` nothing is repeated.
With it, the processes named are ended by SIGKILL in turns, and the client repeats what its own
policy calls transient, up to `--attempts` times and without a budget; a caller that is refused for
good waits a second before its next call.

Each answer is held against the clip that was sent: one of another length is an answer to somebody
else's call. Calls that were begun and neither answered nor refused are lost. Every HTTP answer is
counted by its status, repeated ones too, and an error that is none of the declared ones is shown.
Resident memory of the workers, of TorchServe's frontend and of the local server is read once a
second; the medians of the first and the last third of the time are compared, after a tenth of the
time to warm up. A line each minute says how far it is.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import math
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
from live_endpoint import Live, live_endpoint, megabyte_clip, small_clip

from defectscope.analysis import analyze
from defectscope.client import CallEvent, Client, RetryBudget, RetryPolicy
from defectscope.errors import DefectscopeError

_LARGE_EVERY = 10
_KINDS = {"worker": "workers", "frontend": "frontend"}
# A report says how long the clip is; the two clips differ by seconds.
_SAME_S = 0.2
_PAUSE_S = 1.0
_LINE_EVERY_S = 60.0
# What an endpoint under load and after a kill may say, by the documentation; others are shown.
_DECLARED = ("throttled", "endpoint_timeout", "model_error", "overloaded")


class Callers:
    """Threads that call an endpoint until they are told to stop.

    Attributes:
        begun: Calls that were made.
        outcomes: Calls by what came of them: `ok`, `another's answer` or an error's code.
        waits_s: How long each call took.
        undeclared: The words of errors beyond those that an endpoint may answer under load.
    """

    def __init__(self, client: Client, count: int, clips: tuple[Clip, Clip]) -> None:
        self.begun = 0
        self.outcomes: Counter[str] = Counter()
        self.waits_s: list[float] = []
        self.undeclared: Counter[str] = Counter()
        self._client = client
        self._clips = clips
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

    def _call(self, number: int) -> None:
        while not self._stop.is_set():
            number += 1
            clip = self._clips[number % _LARGE_EVERY == 0]
            with self._lock:
                self.begun += 1
            began_s = time.perf_counter()
            try:
                report = self._client.analyze(clip.media)
                off_s = abs(report.asset["duration_s"] - clip.duration_s)
                outcome = "ok" if off_s < _SAME_S else "another's answer"
            except DefectscopeError as error:
                outcome = error.code
                if outcome not in _DECLARED:
                    with self._lock:
                        self.undeclared[error.message[:200]] += 1
                self._stop.wait(_PAUSE_S)
            with self._lock:
                self.outcomes[outcome] += 1
                self.waits_s.append(time.perf_counter() - began_s)


class Clip:
    """A clip and how long it is, as analyzed in this process."""

    def __init__(self, media: bytes) -> None:
        self.media = media
        self.duration_s: float = analyze(media, detectors=["black_frames"]).asset["duration_s"]


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


def kill(live: Live, kind: str) -> bool:
    """Ends one process of a kind by SIGKILL; says whether there was one."""
    for process in live.processes()[_KINDS[kind]]:
        with contextlib.suppress(psutil.Error):
            process.kill()
            return True
    return False


def main() -> None:
    """Measures and prints."""
    options = _options()
    # Repetitions are counted below; a line for each would hide that.
    logging.getLogger("defectscope.client").setLevel(logging.ERROR)
    length_s: float = options.minutes * 60 if options.minutes else options.seconds
    kinds = itertools.cycle(options.kill.split(",")) if options.kill else None
    series: dict[str, list[float]] = {}
    killed: Counter[str] = Counter()
    repeated: Counter[str] = Counter()
    answers: Counter[str] = Counter()

    def count(event: CallEvent) -> None:
        if event.kind == "retry":
            repeated[event.error_code or "?"] += 1

    with tempfile.TemporaryDirectory() as scratch, live_endpoint(options.detector) as live:
        small = small_clip(Path(scratch) / "small.mp4")
        large = megabyte_clip(Path(scratch) / "large.mp4")
        retry = RetryPolicy(attempts=options.attempts if kinds else 1)
        budget = RetryBudget(capacity=math.inf)
        with live.client(
            retry=retry,
            retry_budget=budget,
            connections=options.callers,
            hooks=(count,),
            answers=answers,
        ) as client:
            clips = (Clip(small), Clip(large))
            began_s = time.monotonic()
            with Callers(client, options.callers, clips) as callers:
                next_kill_s = began_s + options.kill_every
                next_line_s = began_s + _LINE_EVERY_S
                while (now_s := time.monotonic()) < began_s + length_s:
                    if now_s > began_s + length_s / 10:
                        for kind, size_mb in memory_mb(live).items():
                            series.setdefault(kind, []).append(size_mb)
                    if now_s > next_line_s:
                        next_line_s += _LINE_EVERY_S
                        _say(now_s - began_s, memory_mb(live), callers, killed)
                    # None is killed so late that the end comes before what it cost is known.
                    last_s = began_s + length_s - options.kill_every / 2
                    if kinds and next_kill_s <= now_s < last_s:
                        kind = next(kinds)
                        killed[kind] += kill(live, kind)
                        next_kill_s = now_s + options.kill_every
                    time.sleep(1.0)
            took_s = time.monotonic() - began_s
    outcomes, waits_s = callers.outcomes, sorted(callers.waits_s)
    print(f"{options.callers} callers, {took_s:.0f} s, detector {options.detector}")
    print(
        f"clips of {len(small) / 1e3:.0f} kB and {len(large) / 1e6:.2f} MB; load average", end=" "
    )
    print(f"{os.getloadavg()[0]:.1f}")
    if kinds:
        print(f"killed: {_listed(killed)}; repeated by the client: {_listed(repeated)}")
    print(f"HTTP answers: {_listed(answers)}")
    for words, number in callers.undeclared.most_common(5):
        print(f"not declared, {number} times: {words}")
    lost = callers.begun - sum(outcomes.values())
    print(f"{callers.begun} calls, {lost} lost; {_listed(outcomes)};", end=" ")
    tail_s = waits_s[int(0.99 * len(waits_s))]
    print(f"{sum(outcomes.values()) / took_s:.1f} calls/s,", end=" ")
    print(f"wait median {statistics.median(waits_s):.2f} s, 99 % {tail_s:.2f} s")
    _print_memory(series)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--minutes", type=float, default=None, help="in place of --seconds")
    parser.add_argument("--detector", default="black_frames")
    parser.add_argument("--kill", default="", help="worker, frontend or both, by commas")
    parser.add_argument("--kill-every", type=float, default=60.0, metavar="S")
    parser.add_argument("--attempts", type=int, default=12, help="of a call, with --kill")
    options = parser.parse_args()
    unknown = sorted(set(options.kill.split(",")) - {*_KINDS, ""})
    if unknown:
        parser.error(f"--kill takes {', '.join(_KINDS)}, not {unknown[0]!r}")
    return options


def _say(
    passed_s: float, sizes_mb: dict[str, float], callers: Callers, killed: Counter[str]
) -> None:
    memory = ", ".join(f"{kind} {size_mb:.0f}" for kind, size_mb in sizes_mb.items())
    print(
        f"{passed_s / 60:3.0f} min: {memory} MB; killed {_listed(killed)}; "
        f"{_listed(Counter(callers.outcomes))}; load {os.getloadavg()[0]:.0f}",
        flush=True,
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "none"


def _print_memory(series: dict[str, list[float]]) -> None:
    heads = f"{'first third':>12}{'last third':>12}{'change':>9}{'peak':>8}   tenth by tenth"
    print(f"{'resident MB':<12}{heads}")
    series["all"] = [sum(sizes) for sizes in zip(*series.values(), strict=True)]
    for kind, sizes in series.items():
        third = len(sizes) // 3
        first, last = statistics.median(sizes[:third]), statistics.median(sizes[-third:])
        change = f"{100 * (last / first - 1):+.1f} %" if first else "-"
        tenths = [sizes[len(sizes) * n // 10 : len(sizes) * (n + 1) // 10] for n in range(10)]
        medians = " ".join(f"{statistics.median(tenth):.0f}" for tenth in tenths if tenth)
        print(f"{kind:<12}{first:>12.0f}{last:>12.0f}{change:>9}{max(sizes):>8.0f}   {medians}")


if __name__ == "__main__":
    main()
