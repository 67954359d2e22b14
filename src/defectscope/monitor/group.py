"""A process that watches a group of channels; its parent speaks to it by lines of JSON.

    stdin   {"config": text, "endpoint": name, "channels": [name], "begun": {name: wall},
             "alarms": {name: [data]}}
    stdout  {"event": {...}} | {"states": [...]} | {"log": text}

It ends when its parent does: then its standard input ends.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import queue
import resource
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from defectscope.errors import DefectscopeError
from defectscope.monitor.channel import Channel
from defectscope.monitor.channel_config import ChannelConfig
from defectscope.monitor.config import read_config

_LOG = logging.getLogger(__name__)
# How often the transport of every channel is looked at, and how often states are told, seconds.
_TICK_S, _STATES_S = 0.25, 1.0
_RETRY_S = 5.0

Tell = Callable[[Mapping[str, Any]], None]


class Group:
    """The channels of one process."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._channels: dict[str, Channel] = {}
        self._waiting: dict[str, tuple[ChannelConfig, Mapping[str, Any], float]] = {}
        self._shown: dict[str, bytes] = {}

    def assign(self, message: Mapping[str, Any]) -> None:
        """Watches these channels and no others; what has not changed goes on untouched."""
        configs = read_config(message["config"], endpoint=message.get("endpoint", "")).channels
        wanted = {name: configs[name] for name in message["channels"]}
        for name in [n for n, c in self._channels.items() if wanted.get(n) != c.config]:
            self._channels.pop(name).close()
        self._waiting = {}
        for name, config in wanted.items():
            if name not in self._channels:
                self._open(config, message)

    def _open(self, config: ChannelConfig, message: Mapping[str, Any]) -> None:
        try:
            channel = Channel(
                config,
                lambda event: self._tell({"event": event}),
                begun_wall_s=message.get("begun", {}).get(config.name),
                alarms=message.get("alarms", {}).get(config.name, ()),
            )
        except DefectscopeError as error:
            # A port that is taken may be free later; the other channels go on.
            _LOG.error("%s: %s", config.name, error.message)
            self._waiting[config.name] = (config, message, time.monotonic() + _RETRY_S)
            return
        self._channels[config.name] = channel
        channel.start()

    def tick(self, now_s: float) -> None:
        """Looks at every channel's transport, and tries again what could not be opened."""
        for channel in self._channels.values():
            channel.tick(now_s)
        for name, (config, message, due_s) in list(self._waiting.items()):
            if now_s >= due_s:
                del self._waiting[name]
                self._open(config, message)

    def states(self) -> list[dict[str, Any]]:
        """Returns how every channel is; a thumbnail where there is a new one."""
        found: list[dict[str, Any]] = []
        for name, channel in self._channels.items():
            state = channel.state()
            frame = channel.thumbnail
            if frame and frame is not self._shown.get(name):
                self._shown[name] = frame
                state["thumbnail"] = base64.b64encode(frame).decode("ascii")
            found.append(state)
        for name in self._waiting:
            found.append({"channel": name, "state": "closed", "alarms": []})
        return found

    def close(self) -> None:
        """Ends all channels."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()


def usage() -> dict[str, float]:
    """Returns the processor time and the memory of this process, seconds and bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/statm", encoding="ascii") as statm:
        pages = int(statm.read().split()[1])
    return {"cpu_s": used.ru_utime + used.ru_stime, "rss_bytes": pages * resource.getpagesize()}


def serve(commands: TextIO, out: TextIO) -> None:
    """Watches what it is told to until the commands end."""
    lock = threading.Lock()

    def tell(message: Mapping[str, Any]) -> None:
        with lock:
            out.write(json.dumps(message, allow_nan=False, separators=(",", ":")) + "\n")
            out.flush()

    waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen() -> None:
        for line in commands:
            waiting.put(line)
        waiting.put(None)

    threading.Thread(target=listen, name="commands", daemon=True).start()
    group = Group(tell)
    due_s = time.monotonic()
    try:
        while True:
            try:
                line = waiting.get(timeout=_TICK_S)
            except queue.Empty:
                line = ""
            if line is None:
                return
            if line:
                group.assign(json.loads(line))
            now_s = time.monotonic()
            group.tick(now_s)
            if now_s >= due_s:
                due_s = now_s + _STATES_S
                tell({"states": group.states(), "process": usage()})
    except BrokenPipeError:
        return
    finally:
        group.close()


def main() -> None:
    """Runs as `python -m defectscope.monitor.group`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # Whatever writes to standard output by mistake shall not be taken for a message.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, out)


if __name__ == "__main__":
    main()
