"""One channel: receives, decodes, measures and decides, and opens again after an interruption."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from defectscope.detectors.registry import load_all
from defectscope.engine.contracts import Detector
from defectscope.errors import DefectscopeError
from defectscope.media.live import Live, LiveOptions, open_live
from defectscope.media.stream import StreamInfo
from defectscope.monitor.alarms import AlarmBook, Change, Patience
from defectscope.monitor.events import Clock, event_of
from defectscope.monitor.inlet import Inlet
from defectscope.monitor.receiver import Address, UdpReceiver
from defectscope.monitor.session import Decision, Pace, Session
from defectscope.monitor.transport import TransportAnalyzer
from defectscope.monitor.transport_watch import TransportWatch

_LOG = logging.getLogger(__name__)
# A stream that loses one datagram in a thousand is one lossy stream, not many.
PATIENCE = {"packet_loss": Patience(leave_s=20.0)}
# What needs a network, and looks at suspects alone.
LEARNED = frozenset({"block_corruption", "audio_artifacts", "av_sync"})
# Waiting before a source is opened again: doubled each time, seconds.
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.25, 8.0

Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """What is watched and how.

    Attributes:
        name: What it is called, on every output.
        url: Where it comes from.
        detectors: Names; empty for all that need no network.
        parameters: Parameters to replace, by detector.
        patience: How long a defect must last and be gone, by defect; `default` for others.
        pace: How often is decided, and over how much.
        idle_s: A source that gives nothing for so long is gone, seconds.
    """

    name: str
    url: str
    detectors: tuple[str, ...] = ()
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Any])
    patience: Mapping[str, Patience] = field(default_factory=dict[str, Patience])
    pace: Pace = field(default_factory=Pace)
    idle_s: float = 1.0


class Channel:
    """Watches one channel from `start` to `close`."""

    def __init__(self, config: ChannelConfig, address: Address, emit: Emit) -> None:
        self.config = config
        self._emit = emit
        self._detectors = _detectors_of(config)
        self._alarms = AlarmBook(PATIENCE | dict(config.patience), self._told)
        self._inlet = Inlet(idle_s=config.idle_s)
        self._receiver = UdpReceiver(address, self._received)
        self.transport = TransportAnalyzer()
        self._watch = TransportWatch(self.transport, self._alarms, config.idle_s, self.programme_at)
        self.lag_s = 0.0
        # Programme time, and when the data came that it was read from.
        self._anchor = (0.0, time.monotonic())
        # What the programme's time is where the session began.
        self._offset_s = 0.0
        self._clock = Clock(0.0, time.time())
        self._stopped = threading.Event()
        self._arrived = threading.Event()
        name = f"channel-{config.name}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def port(self) -> int:
        """The port that it receives on."""
        return self._receiver.port

    def start(self) -> None:
        """Begins to watch."""
        self._receiver.start()
        self._thread.start()

    def close(self) -> None:
        """Ends it; alarms that are open stay so."""
        self._stopped.set()
        self._receiver.close()
        self._inlet.close()
        self._arrived.set()
        if self._thread.is_alive():
            self._thread.join()

    def programme_at(self, at_s: float) -> float:
        """Returns programme time of what came at an instant of `time.monotonic`, seconds."""
        programme_s, anchor_s = self._anchor
        return programme_s + at_s - anchor_s

    def tick(self, now_s: float) -> None:
        """Looks at the transport; to be called a few times a second."""
        self._watch.tick(now_s)

    def _received(self, data: bytes, at_s: float) -> None:
        self._inlet.put(data, at_s)
        self._arrived.set()
        self._watch.arrived(at_s)
        changes = self.transport.tables.changes
        self.transport.push(data, at_s)
        if self.transport.tables.changes != changes:
            # A demuxer that is running never shows a track that came later.
            self._inlet.cut()

    def _work(self) -> None:
        delay_s = _FIRST_DELAY_S
        while not self._stopped.is_set():
            self._arrived.wait()
            if self._stopped.is_set():
                return
            self._arrived.clear()
            try:
                with open_live(self._inlet, self.config.name, LiveOptions()) as live:
                    if self._watch_all(live):
                        delay_s = _FIRST_DELAY_S
                        continue
            except DefectscopeError as error:
                _LOG.info("%s: %s", self.config.name, error.message)
            except Exception:
                _LOG.exception("%s: opened again after a failure", self.config.name)
            self._stopped.wait(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _watch_all(self, live: Live) -> bool:
        """Watches until the source ends; tells whether there was anything to see."""
        seen = changed = False
        before: StreamInfo | None = None
        while not self._stopped.is_set():
            reader = live.next_reader()
            if reader is None:
                break
            if not seen:
                # The programme went on while nothing of it came.
                self._offset_s = max(self._offset_s, self.programme_at(self._inlet.begun_s))
            elif changed:
                self._watch.noted("format_change", self._offset_s, _formats(before, reader.info))
            before = reader.info
            session = Session(reader, self._detectors, self.config.pace)
            session.run(lambda decisions, session=session: self._decided(session, decisions))
            self._offset_s += session.reached_s
            seen, changed = True, reader.changed
        return seen

    def _decided(self, session: Session, decisions: Sequence[Decision]) -> None:
        offset_s = self._offset_s
        read_s = self._inlet.read_until_s
        self.lag_s = time.monotonic() - read_s
        self._anchor = (offset_s + session.reached_s, read_s)
        self._clock = Clock(offset_s + session.reached_s, time.time() - self.lag_s)
        for decision in decisions:
            self._alarms.decided(
                decision.detector,
                self._watch.damage.left(decision.findings(offset_s)),
                first_s=offset_s + decision.first_s,
                edge_s=offset_s + decision.edge_s,
                begun_s=offset_s,
            )

    def _told(self, change: Change) -> None:
        self._emit(event_of(self.config.name, change, self._clock, time.time()))


def _formats(before: StreamInfo | None, now: StreamInfo) -> dict[str, Any]:
    """What the picture was, and what it is."""
    return {
        name: f"{info.video.width}x{info.video.height} {info.video.pixel_format}"
        for name, info in (("before", before), ("now", now))
        if info is not None and info.video is not None
    }


def _detectors_of(config: ChannelConfig) -> list[Detector]:
    if config.detectors:
        return load_all(config.detectors, config.parameters)
    from defectscope.detectors import names, not_installed

    absent = not_installed()
    measured = [name for name in names() if name not in LEARNED and name not in absent]
    return load_all(measured, config.parameters)
