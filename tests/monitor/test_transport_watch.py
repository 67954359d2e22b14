"""What is done to a stream on its way is alarmed, in time, and cleared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from defectscope.findings import Finding
from defectscope.monitor.alarms import AlarmBook, Change
from defectscope.monitor.sender import Fault, Sender, Stream
from defectscope.monitor.transport import TransportAnalyzer
from defectscope.monitor.transport_watch import TransportWatch

SECONDS = 9.6
IDLE_S, TICK_S = 1.0, 0.25
BEGUN_S, LASTS_S = 4.0, 3.0


class Watched:
    """A stream that is broken on its way, on a clock of its own."""

    def __init__(self, data: bytes, fault: Fault, seconds: float) -> None:
        self.changes: list[Change] = []
        self.analyzer = TransportAnalyzer()
        book = AlarmBook({}, self.changes.append)
        self.watch = TransportWatch(self.analyzer, book, IDLE_S, lambda at_s: at_s)
        stream = Stream(data, SECONDS)
        sender = Sender(stream, ("127.0.0.1", 9), [fault], seed=3)
        sender._socket.close()
        ticked_s = 0.0
        for due_s, datagram, rows in stream.datagrams():
            if due_s >= seconds:
                return
            while due_s >= ticked_s:
                self.watch.tick(ticked_s)
                ticked_s += TICK_S
            left = sender._broken(due_s, datagram, rows)
            if left:
                self.watch.arrived(due_s)
                self.analyzer.push(left, due_s)

    def only(self, state: str) -> Change:
        """Returns the one change of its kind."""
        (found,) = [c for c in self.changes if c.state == state]
        return found


def test_an_outage_is_told_and_ends(streams: Callable[..., bytes]) -> None:
    found = Watched(streams(SECONDS), Fault("outage", BEGUN_S, LASTS_S), 14.0)
    opened, cleared = found.only("opened"), found.only("cleared")
    assert opened.alarm.key.defect == "signal_lost"
    assert opened.at_s - BEGUN_S < IDLE_S + 2 * TICK_S
    assert opened.alarm.start_s == pytest.approx(BEGUN_S, abs=0.3)
    assert cleared.alarm.alarm_id == opened.alarm.alarm_id
    assert cleared.alarm.end_s == pytest.approx(BEGUN_S + LASTS_S, abs=0.3)
    # What a detector makes of the seconds without data is nothing of the programme's.
    frozen = Finding("freeze", "freeze", BEGUN_S, BEGUN_S + 0.6, 1.0, "major", {})
    assert not found.watch.damage.left([frozen])


def test_a_step_of_the_clock_is_told(streams: Callable[..., bytes]) -> None:
    found = Watched(streams(SECONDS), Fault("clock_step", BEGUN_S, 1e9, 30.0), 14.0)
    opened = found.only("opened")
    assert opened.alarm.key.defect == "clock_step"
    assert opened.at_s - BEGUN_S < 3 * TICK_S
    assert opened.alarm.evidence["step_s"] == pytest.approx(30.0, abs=0.3)
    assert found.only("cleared").alarm.key.defect == "clock_step"


def test_a_track_that_goes_is_told_and_comes_back(streams: Callable[..., bytes]) -> None:
    data = streams(SECONDS)
    whole = Watched(data, Fault("loss", 1e9, 0.0), 2.0)
    (sound,) = [t for t in whole.analyzer.tables.entries() if t.medium == "audio"]
    found = Watched(data, Fault("track_gone", BEGUN_S, LASTS_S, sound.pid), 14.0)
    opened = found.only("opened")
    assert (opened.alarm.key.defect, opened.alarm.key.track) == ("track_missing", sound.pid)
    assert opened.at_s - BEGUN_S < 1.0 + 3 * TICK_S
    assert found.only("cleared").at_s > BEGUN_S + LASTS_S


def test_what_loss_makes_of_the_frames_is_not_told_beside_it(
    streams: Callable[..., bytes],
) -> None:
    found = Watched(streams(SECONDS), Fault("loss", BEGUN_S, LASTS_S, 0.05), 14.0)
    assert {c.alarm.key.defect for c in found.changes} == {"packet_loss"}
    torn = Finding("tearing", "tearing", BEGUN_S + 1.0, BEGUN_S + 1.2, 1.0, "major", {})
    later = Finding("tearing", "tearing", 13.0, 13.2, 1.0, "major", {})
    assert found.watch.damage.left([torn, later]) == [later]
