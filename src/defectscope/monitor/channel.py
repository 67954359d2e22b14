"""One channel: receives, decodes, measures and decides, and opens again after an interruption."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from defectscope.errors import DefectscopeError
from defectscope.findings import Finding
from defectscope.media.live import Live, LiveOptions, open_live
from defectscope.media.live_reader import LiveReader
from defectscope.monitor.alarms import AlarmBook, Change, Key, Patience
from defectscope.monitor.channel_config import ChannelConfig
from defectscope.monitor.channel_facts import detectors_of, formats, loudness_of, restored
from defectscope.monitor.clips import clips_of
from defectscope.monitor.events import Clock, event_of
from defectscope.monitor.feeders import feeder_of
from defectscope.monitor.inlet import Inlet
from defectscope.monitor.lookers import looker_of
from defectscope.monitor.looks import Looks
from defectscope.monitor.overload import HURRIED_S, NAMES, SKIPPED, Distrust, Ladder
from defectscope.monitor.receiver import UdpReceiver
from defectscope.monitor.session import Decision, Session, moved
from defectscope.monitor.transport import TransportAnalyzer
from defectscope.monitor.transport_watch import DETECTOR, TransportWatch

_LOG = logging.getLogger(__name__)
# A stream that loses one datagram in a thousand is one lossy stream, not many.
PATIENCE = {"packet_loss": Patience(leave_s=20.0), "loudness": Patience(enter_s=30.0)}
# Waiting before a source is opened again: doubled each time, seconds.
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.25, 8.0
# A source that is only being opened gets so long until it is called lost, seconds.
_OPENING_S = 5.0

Emit = Callable[[dict[str, Any]], None]


class Channel:
    """Watches one channel from `start` to `close`.

    Attributes:
        config: What it watches.
        transport: What its transport stream shows.
        lag_s: How old the newest data were when they had been decided on, seconds.
        frames: Frames that were measured.
        decide_s: Processor time of deciding, seconds.
        reopened: How often the source was opened again.
        failures: How often watching failed.
        thumbnail: The latest frame as JPEG, empty before the first.
    """

    def __init__(
        self,
        config: ChannelConfig,
        emit: Emit,
        *,
        begun_wall_s: float | None = None,
        alarms: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Prepares to watch.

        Args:
            config: What is watched.
            emit: Takes events.
            begun_wall_s: When the channel was first watched, seconds since 1970: its programme's
                time is counted from there. None for now.
            alarms: Data of the events of alarms that are open from before.
        """
        self.config = config
        self.lag_s = self.decide_s = 0.0
        self.frames = self.reopened = self.failures = 0
        self.thumbnail = b""
        self._loudness: Mapping[str, float] = {}
        self._emit = emit
        self._detectors = detectors_of(config)
        self._measured = frozenset(d.name for d in self._detectors)
        self._alarms = AlarmBook(PATIENCE | dict(config.patience), self._told)
        self._inlet = Inlet(idle_s=config.idle_s)
        self._feeder = feeder_of(config.url, config.name, self._received)
        received = self._feeder.facts if isinstance(self._feeder, UdpReceiver) else None
        self.transport = TransportAnalyzer(received)
        self._watch = TransportWatch(self.transport, self._alarms, config.idle_s, self.programme_at)
        self._looks = None
        if config.looks is not None:
            self._looks = Looks(config.looks, looker_of(config.looks), self._looked, config.name)
        # Networks on an endpoint take nothing from this machine.
        self._ladder = Ladder(networks=config.looks is not None and not config.looks.endpoint)
        self._clips = None if config.clips is None else clips_of(config.clips, config.name)
        self._live: Live | None = None
        self._following: LiveReader | None = None
        self._distrust, self._behind_s = Distrust(config.pace.window_s), 0.0
        wall_s, now_s = time.time(), time.monotonic()
        # What the programme's time is where the session began.
        self._offset_s = max(0.0, wall_s - (wall_s if begun_wall_s is None else begun_wall_s))
        # Programme time, and when the data came that it was read from.
        self._anchor = (self._offset_s, now_s)
        self._clock = Clock(self._offset_s, wall_s)
        self._alarms.restore(restored(data, self._offset_s) for data in alarms)
        self._stopped = threading.Event()
        self._arrived = threading.Event()
        name = f"channel-{config.name}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def port(self) -> int:
        """The port that it receives on, 0 where it has none."""
        return self._feeder.port if isinstance(self._feeder, UdpReceiver) else 0

    def start(self) -> None:
        """Begins to watch."""
        self._watch.arrived(time.monotonic() + _OPENING_S)
        self._feeder.start()
        self._thread.start()

    def close(self) -> None:
        """Ends it; alarms that are open stay so."""
        self._stopped.set()
        self._feeder.close()
        self._inlet.close()
        self._arrived.set()
        if self._thread.is_alive():
            self._thread.join()
        for part in (self._looks, self._clips):
            if part is not None:
                part.close()

    def programme_at(self, at_s: float) -> float:
        """Returns programme time of what came at an instant of `time.monotonic`, seconds."""
        programme_s, anchor_s = self._anchor
        return programme_s + at_s - anchor_s

    def tick(self, now_s: float) -> None:
        """Looks at the transport; to be called a few times a second."""
        if self._ladder.level:
            evidence = {"level": NAMES[self._ladder.level], "behind_s": round(self._behind_s, 2)}
            key, at_s = Key(DETECTOR, "overload"), self.programme_at(now_s)
            self._alarms.raise_now(key, at_s, "major", evidence)
        self._watch.tick(now_s)
        if self._looks is not None and self.config.looks is not None:
            here = not self.config.looks.endpoint
            self._looks.tick(now_s, resting=here and self._ladder.level > 0)
            for name in self.config.looks.detectors:
                self._alarms.settle(name, self.programme_at(now_s))
        if self._clips is not None:
            self._clips.tick(now_s)

    def state(self) -> dict[str, Any]:
        """Returns how the channel is, for the wall and for metrics."""
        counts = self.transport.counts
        alarms = self._alarms.open_alarms()
        lost = self._watch.lost or not self.frames
        return {
            "channel": self.config.name,
            "state": "lost" if lost else "alarm" if alarms else "ok",
            "level": NAMES[self._ladder.level],
            "programme_s": round(self._clock.programme_s, 3),
            "lag_s": round(self.lag_s, 3),
            "frames": self.frames,
            "bytes": self.transport.bytes,
            "packets": counts.packets,
            "missing_packets": counts.missing,
            "overrun_bytes": self._inlet.overrun_bytes,
            "waiting_bytes": self._inlet.waiting_bytes,
            "errors": dict(counts.errors),
            "reopened": self.reopened,
            "failures": self.failures,
            "decide_s": round(self.decide_s, 3),
            "looks": 0 if self._looks is None else self._looks.looked,
            "looks_failed": 0 if self._looks is None else self._looks.failures,
            "alarms": sorted({alarm.key.defect for alarm in alarms}),
            "loudness": self._loudness,
        }

    def _received(self, data: bytes, at_s: float) -> None:
        if self._clips is not None:
            self._clips.push(data, at_s)
        if self._looks is not None:
            self._looks.push(data, at_s)
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
                    self._live = live
                    live.skip_frames(SKIPPED[self._ladder.level])
                    seen = self._watch_all(live)
                self.reopened += seen
                if seen:
                    delay_s = _FIRST_DELAY_S
                    continue
            except DefectscopeError as error:
                _LOG.info("%s: %s", self.config.name, error.message)
            except Exception:
                # Whatever a stream does to a detector or a decoder, it costs this channel alone.
                self.failures += 1
                _LOG.exception("%s: opened again after a failure", self.config.name)
            finally:
                self._live = None
            self._stopped.wait(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _watch_all(self, live: Live) -> bool:
        """Watches until the source ends; tells whether there was anything to see."""
        seen, self._following = False, None
        while not self._stopped.is_set() and (reader := self._following or live.next_reader()):
            if not seen:
                # The programme went on while nothing of it came.
                self._offset_s = max(self._offset_s, self.programme_at(self._inlet.begun_s))
            session = Session(reader, self._detectors, self.config.pace)
            session.resting = self._resting()
            session.run(
                partial(self._decided, session), partial(self._ended, live, reader, session)
            )
            self._offset_s += session.reached_s
            self.failures += sum(session.failed.values())
            seen = True
        return seen

    def _ended(self, live: Live, reader: LiveReader, session: Session) -> None:
        """Tells of another raster at once: what is left of the last takes a while to decide."""
        self._following = live.next_reader() if reader.changed else None
        if self._following is not None:
            evidence = formats(reader.info, self._following.info)
            self._watch.noted("format_change", self._offset_s + session.reached_s, evidence)

    def _decided(self, session: Session, decisions: Sequence[Decision]) -> None:
        offset_s, now_s = self._offset_s, time.monotonic()
        read_s = self._inlet.read_until_s
        if not self._inlet.has_ended:
            self.lag_s = now_s - read_s
        reached_s = offset_s + session.reached_s
        self._anchor = (reached_s, read_s)
        self._clock = Clock(reached_s, time.time() - self.lag_s)
        self.frames += session.taken_frames()
        self.decide_s += session.taken_decide_s()
        self.thumbnail = session.thumbnail or self.thumbnail
        self._climb(now_s, reached_s)
        session.resting, session.hurried = self._resting(), self._behind_s >= HURRIED_S
        for decision in decisions:
            if decision.detector == "loudness":
                self._loudness = loudness_of(decision.measured)
            name = decision.detector
            if not self._ladder.trusts(name) or self._distrust.covers(name, reached_s):
                continue
            self._alarms.decided(
                decision.detector,
                self._watch.damage.left(decision.findings(offset_s)),
                first_s=offset_s + decision.first_s,
                edge_s=offset_s + decision.edge_s,
                begun_s=offset_s,
            )

    def _climb(self, now_s: float, reached_s: float) -> None:
        """Leaves out more or less, and says so."""
        before, backlog_s = self._ladder.level, self._inlet.waiting_s(now_s)
        level, self._behind_s = self._ladder.update(backlog_s, now_s), backlog_s
        if level != before and self._live is not None:
            self._live.skip_frames(SKIPPED[level])
        # Frames that were left out look like defects until they have left the window.
        self._distrust.note(level, reached_s)

    def _resting(self) -> frozenset[str]:
        """Those whose word does not count for now."""
        return frozenset(d.name for d in self._detectors if not self._ladder.trusts(d.name))

    def _looked(self, findings: Sequence[Finding], from_s: float) -> None:
        """Takes what networks found in the seconds that came from an instant on."""
        found = moved(findings, self.programme_at(from_s))
        for finding in self._watch.damage.left(found):
            key = Key(finding.detector, finding.defect, finding.track)
            self._alarms.raise_now(key, finding.start_s, finding.severity, finding.evidence)
            self._alarms.raise_now(key, finding.end_s, finding.severity, finding.evidence)

    def _told(self, change: Change) -> None:
        event = event_of(self.config.name, change, self._clock, time.time())
        if change.state == "opened":
            now_s, alarm = time.monotonic(), change.alarm
            begun_s = now_s - max(0.0, self.programme_at(now_s) - alarm.start_s)
            if self._clips is not None:
                event["data"] |= self._clips.keep(alarm.alarm_id, begun_s, now_s, self.thumbnail)
            if self._looks is not None and alarm.key.detector in self._measured:
                self._looks.suspect(begun_s, now_s)
        self._emit(event)
