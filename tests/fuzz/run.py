"""Fuzzes media, captions and requests with fixed seeds, in processes with bounds.

    python tests/fuzz/run.py --media 1000 --captions 1000 --requests 1000

A case fails when it ends in an error that is not defectscope's own, runs longer than the limit,
takes more memory than the bound, opens a connection, or leaves a file behind. Each is run again
by itself with `--only KIND:NUMBER`, and `--save PATH` writes its input.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from worker import case_of

_KINDS = ("media", "captions", "requests")
_START_S = 300.0
# A process is renewed so that what one case leaks is not another's fault.
_CASES_PER_PROCESS = 400


@dataclass
class Tally:
    """What became of the cases.

    Attributes:
        outcomes: How often each kind ended how.
        failures: Case and reason.
        slowest: Seconds and case.
        rss_mb: Largest resident memory of a process, megabytes.
        connections: How many connections the lures brought.
    """

    outcomes: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    rss_mb: int = 0
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Runner:
    """One process and what is asked of it."""

    def __init__(self, port: int, limit_s: float, memory_mb: int) -> None:
        self._port, self._limit_s, self._memory_mb = port, limit_s, memory_mb
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._left = 0

    def run(self, kind: str, number: int) -> dict[str, Any]:
        """Returns a case's answer; `failure` says why it failed."""
        if self._left == 0:
            self.close()
            self._start()
        self._left -= 1
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.write(f"{kind} {number}\n")
        process.stdin.flush()
        began_s = time.monotonic()
        answer: dict[str, Any] = {}
        while not answer:
            try:
                text = self._answers.get(timeout=0.2)
                answer = json.loads(text) if text else {"failure": "the process ended"}
            except queue.Empty:
                pass
            spent_s = time.monotonic() - began_s
            if spent_s > self._limit_s:
                answer = {"failure": "over its time limit"}
            elif max(self._resident_mb(), answer.get("rss_mb", 0)) > self._memory_mb:
                answer = {"failure": "over its memory limit"}
        answer["spent_s"] = time.monotonic() - began_s
        if answer["failure"]:
            self.close()
        return answer

    def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        environment = {**os.environ, "TMPDIR": self._folder.name, "SVT_LOG": "0"}
        environment |= {"DEFECTSCOPE_METRICS": "off", "OMP_NUM_THREADS": "1"}
        worker = Path(__file__).with_name("worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(worker), str(self._port), self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._answers = queue.Queue()
        threading.Thread(target=_pump, args=(self._process, self._answers), daemon=True).start()
        if self._answers.get(timeout=_START_S) != "ready\n":
            raise SystemExit("the worker does not start")
        self._left = _CASES_PER_PROCESS

    def _resident_mb(self) -> int:
        assert self._process is not None
        try:
            text = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        except OSError:
            return 0
        rows = [line for line in text.splitlines() if line.startswith("VmRSS")]
        return int(rows[0].split()[1]) // 1024 if rows else 0

    def close(self) -> None:
        """Ends the process."""
        self._left = 0
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _brief(failure: str) -> str:
    """Returns the last place of a traceback that is ours, and what was raised there."""
    lines = failure.strip().splitlines()
    ours = [line.strip() for line in lines if "defectscope/" in line and "File " in line]
    return f"{lines[-1]} at {ours[-1]}" if ours else lines[-1]


def _pump(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(line)
    answers.put("")


def _work(cases: queue.Queue[tuple[str, int]], runner: Runner, tally: Tally) -> None:
    while True:
        try:
            kind, number = cases.get_nowait()
        except queue.Empty:
            runner.close()
            return
        answer = runner.run(kind, number)
        with tally.lock:
            tally.outcomes[kind, answer.get("outcome", "failed")] += 1
            tally.rss_mb = max(tally.rss_mb, answer.get("rss_mb", 0))
            tally.slowest = max(tally.slowest, (answer["spent_s"], f"{kind}:{number}"))
            done = tally.outcomes.total()
            if done % 500 == 0:
                print(f"{done} cases", flush=True)
            if answer["failure"]:
                tally.failures.append((f"{kind}:{number}", answer["failure"]))
                print(f"{kind}:{number} {_brief(answer['failure'])}", flush=True)


def fuzz(cases: list[tuple[str, int]], *, workers: int, limit_s: float, memory_mb: int) -> Tally:
    """Runs cases side by side.

    Args:
        cases: Kind and number.
        workers: Processes.
        limit_s: Longest time of a case, seconds.
        memory_mb: Largest resident memory of a process, megabytes.
    """
    tally = Tally()

    class Lure(BaseRequestHandler):
        def handle(self) -> None:
            tally.connections += 1

    waiting: queue.Queue[tuple[str, int]] = queue.Queue()
    for case in cases:
        waiting.put(case)
    with ThreadingTCPServer(("127.0.0.1", 0), Lure) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        runners = [Runner(port, limit_s, memory_mb) for _ in range(workers)]
        threads = [
            threading.Thread(target=_work, args=(waiting, runner, tally)) for runner in runners
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.shutdown()
    lost = len(cases) - tally.outcomes.total()
    if lost:
        # A worker that never started has looked at nothing: that is no success.
        tally.failures.append(("workers", f"{lost} cases were not run"))
    if tally.connections:
        tally.failures.append(("lures", f"{tally.connections} connections were opened"))
    return tally


def main(arguments: list[str] | None = None) -> int:
    """Fuzzes as the command line asks; returns 1 where a case failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    for kind in _KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N", help=f"cases of {kind}")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first case of each kind"
    )
    parser.add_argument("--only", metavar="KIND:NUMBER", help="run one case")
    parser.add_argument("--save", type=Path, help="write the input of the one case")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit-s", type=float, default=20.0)
    parser.add_argument("--memory-mb", type=int, default=2000)
    asked = parser.parse_args(arguments)
    cases = [(k, asked.first + n) for k in _KINDS for n in range(getattr(asked, k))]
    if asked.only:
        # With its whole traceback.
        kind, number = asked.only.split(":")
        cases = [(kind, int(number))]
        if asked.save:
            _, data = case_of(kind, int(number), 9)
            asked.save.write_bytes(data[0] if kind == "requests" else data)
    began_s = time.monotonic()
    tally = fuzz(cases, workers=asked.workers, limit_s=asked.limit_s, memory_mb=asked.memory_mb)
    for case, failure in tally.failures if asked.only else ():
        print(case, failure)
    for (kind, outcome), count in sorted(tally.outcomes.items()):
        print(f"{kind:10} {outcome:24} {count}")
    print(
        f"{len(cases)} cases in {time.monotonic() - began_s:.0f} s; slowest "
        f"{tally.slowest[0]:.1f} s ({tally.slowest[1]}); memory {tally.rss_mb} MB; "
        f"{tally.connections} connections; {len(tally.failures)} failures"
    )
    return 1 if tally.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
