"""Where a channel's transport stream comes from: sockets, files, pipes, other protocols.

Everything becomes bytes of a transport stream that are handed to one sink, with when they came. No
bytes say that a source was connected to again: what follows is another stream.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from defectscope.errors import DefectscopeError
from defectscope.media.ffmpeg_program import ffmpeg_program
from defectscope.media.live_remux import remux
from defectscope.monitor.pacing import Pacer
from defectscope.monitor.part_relay import (
    OPTIONS,
    Fetch,
    PartRelay,
    part_playlists,
    variant_playlists,
)
from defectscope.monitor.receiver import Sink, UdpReceiver
from defectscope.monitor.urls import check_url, udp_address

_LOG = logging.getLogger(__name__)
_READ_BYTES = 65_536
# A file that has ended may still grow; it is looked at so often, seconds.
_TAIL_S = 0.1
# A source that broke off is connected to again: doubled each time, seconds.
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 30.0


class Feeder(Protocol):
    """Hands on what comes."""

    def start(self) -> None:
        """Begins."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


def feeder_of(url: str, name: str, sink: Sink) -> Feeder:
    """Returns what feeds a channel from an address.

    Args:
        url: As `check_url` takes them; `-` is standard input.
        name: What the channel is called; messages never have the address.
        sink: Takes bytes and when they came.

    Raises:
        InvalidParameterError: It is no address that a channel can come from.
        MediaUnavailableError: A port is taken, or the relay is not installed.
    """
    kind = check_url(url)
    if kind in ("udp", "rtp"):
        return UdpReceiver(udp_address(url), sink, rtp=kind == "rtp")
    if kind == "-":
        return PumpFeeder(name, sink, lambda feeder: feeder.pump(sys.stdin.buffer, grows=False))
    if kind == "file":
        path = Path(url.removeprefix("file://"))
        return PumpFeeder(name, sink, lambda feeder: _pump_file(feeder, path))
    if kind in ("srt", "rist", "dash"):
        command = [_relay_program(), "-nostdin", "-loglevel", "quiet"]
        # Segments come in bursts; what SRT and RIST carry comes at its own pace. A relay that read
        # DASH as fast as it can would ask for segments that do not exist yet, and give up.
        paced = kind == "dash"
        command += ["-readrate", "1"] if paced else []
        command += ["-i", _plain(url), "-map", "0", "-c", "copy", "-f", "mpegts", "pipe:1"]
        return PumpFeeder(name, sink, lambda feeder: _pump_relay(feeder, command), paced=paced)
    listen = "listen=1" in url

    web = kind in ("http", "https")

    def work(feeder: PumpFeeder) -> None:
        fetch = Fetch(name)
        playlists = part_playlists(url, fetch) if web else []
        if playlists:
            with PartRelay(playlists, fetch) as relay:
                address = relay.address
                remux(address, name, feeder.take, feeder.is_going_on, more=OPTIONS)
            return
        playlists = variant_playlists(url, fetch) if web else []
        if len(playlists) > 1:
            with PartRelay(playlists, fetch, parts=False) as relay:
                remux(relay.address, name, feeder.take, feeder.is_going_on)
            return
        address = playlists[0] if playlists else url.replace("?listen=1", "")
        remux(address, name, feeder.take, feeder.is_going_on, listen=listen)

    return PumpFeeder(name, sink, work, paced=web)


class PumpFeeder:
    """Runs what reads a source in a thread, again and again when it breaks off.

    Args:
        name: What the channel is called.
        sink: Takes bytes and when they came.
        work: Reads the source until it breaks off.
        paced: It comes in bursts, and is handed on by its own clock.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        work: Callable[[PumpFeeder], None],
        *,
        paced: bool = False,
    ) -> None:
        self._name, self._sink, self._work = name, sink, work
        self._pacer = Pacer(self._hand_on, name) if paced else None
        # Whether anything has come, and whether what comes next is of a new connection.
        self._came = self._anew = False
        self._stopped = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name=f"feed-{name}", daemon=True)

    def start(self) -> None:
        """Begins."""
        if self._pacer is not None:
            self._pacer.start()
        self._thread.start()

    def close(self) -> None:
        """Ends it; a read that waits is left to its time-out."""
        self._stopped.set()
        if self._pacer is not None:
            self._pacer.close()
        child = self._child
        if child is not None:
            child.kill()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def is_going_on(self) -> bool:
        """Whether it shall go on."""
        return not self._stopped.is_set()

    def take(self, data: bytes) -> None:
        """Hands on received data, at once or when it is due."""
        push = self._hand_on if self._pacer is None else self._pacer.push
        if self._anew:
            push(b"")
        self._came, self._anew = True, False
        push(data)

    def pump(self, source: IO[bytes], *, grows: bool) -> None:
        """Reads a source to its end, or for ever where it may grow."""
        read = getattr(source, "read1", source.read)
        while self.is_going_on():
            data = read(_READ_BYTES)
            if data:
                self.take(data)
            elif not grows or self._stopped.wait(_TAIL_S):
                return

    def own(self, child: subprocess.Popen[bytes] | None) -> None:
        """Notes a process that ends with it."""
        self._child = child

    def _hand_on(self, data: bytes) -> None:
        self._sink(data, time.monotonic())

    def _run(self) -> None:
        delay_s = _FIRST_DELAY_S
        while self.is_going_on():
            began_s = time.monotonic()
            self._anew = self._came
            try:
                self._work(self)
            except DefectscopeError as error:
                _LOG.info("%s", error.message)
            except OSError as error:
                _LOG.info("%s: %s", self._name, (error.strerror or "cannot be read").lower())
            if time.monotonic() - began_s > _LONGEST_DELAY_S:
                delay_s = _FIRST_DELAY_S
            self._stopped.wait(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)


def _pump_file(feeder: PumpFeeder, path: Path) -> None:
    with path.open("rb") as file:
        feeder.pump(file, grows=True)


def _pump_relay(feeder: PumpFeeder, command: list[str]) -> None:
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        feeder.own(child)
        assert child.stdout is not None
        feeder.pump(child.stdout, grows=False)
        child.kill()
    feeder.own(None)


def _plain(url: str) -> str:
    return url.removeprefix("dash+") if url.startswith("dash+") else url


def _relay_program() -> str:
    return ffmpeg_program("srt://, rist:// and dash+https://", "live-relay")
