from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from defectscope.monitor.outputs import SpooledOutput
from defectscope.monitor.sender import Sender, Stream
from defectscope.monitor.store import Store
from defectscope.monitor.supervisor import spread

Streams = Callable[..., bytes]
SECONDS = 9.6
ENTRY = """
[[channel]]
name = "{}"
url = "udp://127.0.0.1:{}"
detectors = ["black_frames"]
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def event(number: int, state: str = "opened") -> dict[str, Any]:
    alarm_id = f"{number:032x}"
    data = {"alarm_id": alarm_id, "channel": "one", "state": state, "defect": "freeze"}
    return {"id": f"{alarm_id}-{state}", "data": data}


class Receiver:
    """A receiver that is down for a while, and drops what it has by its id."""

    name = "receiver"

    def __init__(self) -> None:
        self.down = True
        self.got: list[str] = []

    def send(self, events: list[dict[str, Any]]) -> None:
        if self.down:
            raise ConnectionError("down")
        self.got += [e["id"] for e in events]


def test_events_wait_for_a_receiver_over_restarts(tmp_path: Path) -> None:
    path, receiver = tmp_path / "events.sqlite", Receiver()
    for _ in range(2):
        store = Store(path)
        output = SpooledOutput(receiver, store)
        output.start()
        base = store.after(0, 100)
        for number in range(len(base), len(base) + 3):
            assert store.add(event(number), time.time())
            output.wake()
        time.sleep(0.1)
        output.stop()
        store.close()
    assert receiver.got == []
    receiver.down = False
    store = Store(path)
    assert store.waiting("receiver") == 6
    output = SpooledOutput(receiver, store)
    output.start()
    deadline_s = time.monotonic() + 60
    while len(receiver.got) < 6 and time.monotonic() < deadline_s:
        time.sleep(0.02)
    output.stop()
    assert receiver.got == [event(n)["id"] for n in range(6)]
    assert not store.add(event(2), time.time())
    assert len(store.open_alarms("one")) == 6
    store.add(event(2, "cleared"), time.time())
    assert len(store.open_alarms("one")) == 5
    store.close()


def test_channels_stay_where_they_are() -> None:
    first = spread(["a", "b", "c", "d"], 2, {})
    assert sorted(first.values()) == [0, 0, 1, 1]
    then = spread(["a", "c", "d", "e", "f"], 2, first)
    assert all(then[name] == first[name] for name in "acd")
    assert sorted(then.values()) in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []

    def start(config: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "defectscope", "monitor", str(config)]
        command += ["--state", str(tmp_path / "state"), "--events", str(tmp_path / "events.jsonl")]
        running.append(subprocess.Popen([*command, "--groups", "1"]))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def waited(condition: Callable[[], Any], timeout_s: float = 60.0) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.long
def test_a_killed_monitor_loses_no_alarm_and_tells_none_twice(
    streams: Streams, tmp_path: Path, run: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    port = free_port()
    config, told = tmp_path / "channels.toml", tmp_path / "events.jsonl"
    config.write_text(ENTRY.format("one", port))
    stream = Stream(streams(SECONDS, black=(1.0, 5.0)), SECONDS)
    first = run(config)
    with_black = Sender(stream, ("127.0.0.1", port))
    with_black.start()
    try:
        assert waited(lambda: len(lines(told)) >= 1)
        first.send_signal(signal.SIGKILL)
        first.wait()
        second = run(config)
        assert waited(lambda: any(e["data"]["state"] == "cleared" for e in lines(told)))
        second.terminate()
        assert second.wait(15) == 0
    finally:
        with_black.close()
    found = [e for e in lines(told) if e["data"]["defect"] == "black_frames"]
    assert len({e["id"] for e in found}) == len(found)
    assert [e["data"]["state"] for e in found[:2]] == ["opened", "cleared"]
    assert found[0]["data"]["alarm_id"] == found[1]["data"]["alarm_id"]


@pytest.mark.slow
def test_a_configuration_is_read_again_and_a_bad_one_changes_nothing(
    streams: Streams, tmp_path: Path, run: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    ports = [free_port(), free_port()]
    config, told = tmp_path / "channels.toml", tmp_path / "events.jsonl"
    config.write_text(ENTRY.format("one", ports[0]))
    monitor = run(config)
    stream = Stream(streams(SECONDS, black=(4.0, 6.0)), SECONDS)
    senders = [Sender(stream, ("127.0.0.1", port), speed=3.0) for port in ports]
    for sender in senders:
        sender.start()
    try:
        assert waited(lambda: lines(told))
        config.write_text("[[channel]]\nname = 3\n")
        os.utime(config, ns=(1, 1))
        count = len(lines(told))
        assert waited(lambda: len(lines(told)) > count + 1)
        config.write_text(ENTRY.format("one", ports[0]) + ENTRY.format("two", ports[1]))
        assert waited(lambda: any(e["data"]["channel"] == "two" for e in lines(told)))
        assert monitor.poll() is None
    finally:
        for sender in senders:
            sender.close()
    lost = [e for e in lines(told) if e["data"]["channel"] == "one"]
    assert {e["data"]["defect"] for e in lost} == {"black_frames"}
