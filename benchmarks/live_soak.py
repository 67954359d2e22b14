"""Live channels for half an hour, broken at known times: what is alarmed, when, and at what cost.

    python benchmarks/live_soak.py FAULTY.ts CLEAN.ts OUT [--channels 5] [--minutes 30] [--groups 2]

FAULTY.ts and CLEAN.ts are made by live_programme.py. The channels `c1`, `c2`, ... play FAULTY.ts
and are broken on the way as well; `control` plays CLEAN.ts. In OUT come events.jsonl, truth.json
and samples.jsonl: lag, memory and processor time every 5 s. live_judge.py holds them together.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

from defectscope.monitor.config_source import FileSource
from defectscope.monitor.outputs import LineDelivery, SpooledOutput
from defectscope.monitor.sender import Fault, Sender, Stream
from defectscope.monitor.store import Store
from defectscope.monitor.watch import Monitor

FIRST_PORT = 42_000
SECOND_LANGUAGE_PID = 258
# Faults on the way begin in the part of a loop that nothing else is wrong in, seconds.
QUIET_S = 112.0
# How much later each channel begins than the one before it, seconds.
APART_S = 5.3


def network_faults(every_s: float, seconds: float) -> list[Fault]:
    """Returns one fault in every so many seconds, kind after kind."""
    kinds: list[tuple[Any, float, float]] = [
        ("loss", 15.0, 0.001),
        ("outage", 5.0, 0.0),
        ("loss", 10.0, 0.01),
        ("clock_step", 1e9, 3.0),
        ("track_gone", 10.0, SECOND_LANGUAGE_PID),
        ("clock_step", 1e9, -30.0),
    ]
    found = []
    for loop in range(int(seconds // every_s)):
        kind, length_s, amount = kinds[loop % len(kinds)]
        at_s = loop * every_s + QUIET_S * every_s / 144.0
        if at_s + 40.0 < seconds:
            found.append(Fault(kind, at_s, length_s, amount))
    return found


def send(jobs: list[tuple[str, str, float, list[Fault], int]], seconds: float, out: str) -> None:
    """Sends all channels from one process and writes what was done to them."""
    senders: dict[str, Sender] = {}
    for number, (name, path, loop_s, faults, port) in enumerate(jobs):
        stream = Stream(Path(path).read_bytes(), loop_s, start_ticks=900_000)
        senders[name] = Sender(stream, ("127.0.0.1", port), faults, seed=number)
    # Channels that play the same are not in step: they would all be busiest at the same moment.
    ends_s = time.monotonic() + seconds
    for sender in senders.values():
        sender.start()
        time.sleep(APART_S)
    time.sleep(max(0.0, ends_s - time.monotonic()))
    for sender in senders.values():
        sender.close()
    truth = {
        name: {
            "began_wall_s": s.began_wall_s,
            "seconds": seconds - APART_S * k,
            "sent": s.sent,
            "held_up_s": s.held_up_s,
            "faults": [
                {"kind": f.kind, "at_s": f.at_s, "duration_s": f.duration_s, "amount": f.amount}
                | {"lost": s.lost[f], "offered": s.offered[f]}
                | {"lost_packets": s.lost_packets[f], "lost_between": s.lost_between.get(f)}
                | {"first_lost_s": s.first_lost_s.get(f)}
                for f in jobs[k][3]
            ],
        }
        for k, (name, s) in enumerate(senders.items())
    }
    Path(out).write_text(json.dumps(truth, indent=1))


def memory_bytes(pids: list[int]) -> int:
    """Returns the memory of some processes that no other shares."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total * 1024


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faulty", type=Path)
    parser.add_argument("clean", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--channels", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--groups", type=int, default=2)
    parser.add_argument("--every", type=float, help="seconds between faults on the way")
    parser.add_argument("--first-port", type=int, default=FIRST_PORT)
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    seconds = a.minutes * 60
    loop_s = json.loads(a.faulty.with_suffix(".json").read_text())["seconds"]
    clean_s = json.loads(a.clean.with_suffix(".json").read_text())["seconds"]
    names = [*(f"c{n}" for n in range(1, a.channels + 1)), "control"]
    jobs = []
    toml = "[alarms.loudness]\nenter_s = 3600.0\n\n"
    for number, name in enumerate(names):
        port = a.first_port + 2 * number
        toml += f'[[channel]]\nname = "{name}"\nurl = "udp://127.0.0.1:{port}"\n\n'
        control = name == "control"
        # Each channel is broken at other times, so that they do not all decide at once.
        lasts_s = seconds - APART_S * number
        faults = [] if control else network_faults(a.every or loop_s, lasts_s)
        path, length_s = (a.clean, clean_s) if control else (a.faulty, loop_s)
        jobs.append((name, str(path), length_s, faults, port))
    config = a.out / "channels.toml"
    config.write_text(toml)
    store = Store(a.out / "events.sqlite")
    monitor = Monitor(FileSource(config), store, a.groups)
    with (a.out / "events.jsonl").open("w") as events, (a.out / "samples.jsonl").open("w") as log:
        monitor.add_output(SpooledOutput(LineDelivery(events), store))
        worker = threading.Thread(target=monitor.run)
        worker.start()
        time.sleep(10.0)
        context = multiprocessing.get_context("spawn")
        truth = str(a.out / "truth.json")
        sender = context.Process(target=send, args=(jobs, seconds, truth))
        sender.start()
        while sender.is_alive():
            sender.join(5.0)
            board = monitor.board.snapshot()
            sample = {
                "wall_s": time.time(),
                "pss_bytes": memory_bytes(monitor.pids()),
                "cpu_s": sum(p.get("cpu_s", 0.0) for p in board["processes"]),
                "channels": {
                    c["channel"]: {
                        k: c.get(k)
                        for k in (
                            "state",
                            "lag_s",
                            "level",
                            "frames",
                            "overrun_bytes",
                            "reopened",
                            "failures",
                            "missing_packets",
                            "packets",
                            "decide_s",
                            "alarms",
                        )
                    }
                    for c in board["channels"]
                },
            }
            log.write(json.dumps(sample) + "\n")
            log.flush()
        time.sleep(5.0)
        monitor.stop()
        worker.join()
    store.close()


if __name__ == "__main__":
    main()
