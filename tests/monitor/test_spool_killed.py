from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

KILLS = 6
# Adds events as fast as they come and delivers them to a file, until it is killed; with `drain`
# it delivers what is left and ends. What is in the store is told before the next event.
SCRIPT = """
import os, sys, time
from defectscope.monitor.outputs import SpooledOutput
from defectscope.monitor.store import Store
from pathlib import Path

base, told, got = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def note(path, lines):
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, "".join(line + "\\n" for line in lines).encode())
    os.close(file)

class ToFile:
    name = "file"

    def send(self, events):
        note(got, [event["id"] for event in events])

store = Store(base)
output = SpooledOutput(ToFile(), store)
output.start()
if sys.argv[4] == "drain":
    output.wake()
    while store.waiting("file"):
        time.sleep(0.01)
    output.stop()
    sys.exit()
number = len(store.after(0, 1_000_000))
while True:
    alarm_id = f"{number:032x}"
    data = {"alarm_id": alarm_id, "channel": "one", "state": "opened", "defect": "freeze"}
    event_id = alarm_id + "-opened"
    store.add({"id": event_id, "data": data}, time.time())
    note(told, [event_id])
    output.wake()
    number += 1
"""


def test_kills_at_any_moment_lose_nothing_and_tell_nothing_under_another_id(tmp_path: Path) -> None:
    base, told, got = (tmp_path / name for name in ("events.sqlite", "told", "got"))
    command = [sys.executable, "-c", SCRIPT, str(base), str(told), str(got)]

    def lines(path: Path) -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    for kill in range(KILLS):
        child = subprocess.Popen([*command, "run"])
        before, deadline_s = len(lines(got)), time.monotonic() + 60
        while len(lines(got)) == before and time.monotonic() < deadline_s:
            time.sleep(0.01)
        time.sleep(0.013 * kill)
        child.kill()
        child.wait()
    subprocess.run([*command, "drain"], check=True, timeout=60)
    kept, delivered = lines(told), lines(got)
    assert len(kept) > KILLS
    # All that was kept has come, and one event is one identifier, however often it came.
    assert set(kept) <= set(delivered)
    first = list(dict.fromkeys(delivered))
    assert first == [f"{number:032x}-opened" for number in range(len(first))]
    # A kill can repeat what was being delivered, and no more: a batch of 50 at most.
    assert len(delivered) - len(first) <= KILLS * 50
