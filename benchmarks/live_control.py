"""Checks offline that the loop of a control programme is silent, before a long soak watches it.

    python benchmarks/live_control.py CLEAN.ts [--loops 3]

CLEAN.ts is a programme as live_programme.py or live_recut.py makes it, with its length in
CLEAN.json. Its loop is joined as the sender of the soak joins it, watched as fast as it goes with
all detectors that need no network, and decided in the same sliding windows. `defectscope analyze`
sees a programme once and whole: not its seam, nor what stands out of half a minute alone.
Prints one line an alarm and ends with 1 if there is any. Three loops of 56 s take three minutes.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from pathlib import Path

from defectscope.media.live import LiveOptions, open_live
from defectscope.monitor.alarms import AlarmBook, Change
from defectscope.monitor.channel import PATIENCE
from defectscope.monitor.channel_facts import detectors_of
from defectscope.monitor.config import read_config
from defectscope.monitor.sender import Stream
from defectscope.monitor.session import Decision, Session

_CONFIG = '[[channel]]\nname = "control"\nurl = "udp://127.0.0.1:1"\n'


def looped(path: Path, loops: int) -> bytes:
    """Returns a programme played several times in a row, as its sender plays it."""
    loop_s = float(json.loads(path.with_suffix(".json").read_text("utf-8"))["seconds"])
    out = bytearray()
    for due_s, datagram, _ in Stream(path.read_bytes(), loop_s).datagrams():
        if due_s >= loops * loop_s:
            break
        out += datagram
    return bytes(out)


def alarms_of(data: bytes) -> list[Change]:
    """Returns the alarms that a transport stream opens."""
    config = read_config(_CONFIG).channels["control"]
    changes: list[Change] = []
    book = AlarmBook(PATIENCE | dict(config.patience), changes.append)

    def take(decisions: Sequence[Decision]) -> None:
        for one in decisions:
            book.decided(
                one.detector,
                one.result.findings,
                first_s=one.first_s,
                edge_s=one.edge_s,
                begun_s=0.0,
            )

    with open_live(io.BytesIO(data), "control", LiveOptions()) as live:
        while (reader := live.next_reader()) is not None:
            Session(reader, detectors_of(config), config.pace).run(take)
    return [change for change in changes if change.state == "opened"]


def main() -> int:
    """Prints the alarms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("programme", type=Path)
    parser.add_argument("--loops", type=int, default=3)
    arguments = parser.parse_args()
    opened = alarms_of(looped(arguments.programme, arguments.loops))
    for change in opened:
        alarm = change.alarm
        print(f"{alarm.start_s:8.2f} s  {alarm.severity:8s} {alarm.key.defect}  {alarm.evidence}")
    print(f"{len(opened)} alarms in {arguments.loops} loops")
    return int(bool(opened))


if __name__ == "__main__":
    raise SystemExit(main())
