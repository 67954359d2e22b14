from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from defectscope.client import Client
from defectscope.client.fake import FakeTransport
from defectscope.errors import EndpointError, InvalidParameterError
from defectscope.findings import Finding, Report
from defectscope.monitor.channel import Channel
from defectscope.monitor.channel_config import ChannelConfig
from defectscope.monitor.config import read_config
from defectscope.monitor.events import schema
from defectscope.monitor.look_config import LookConfig
from defectscope.monitor.lookers import EndpointLooker, LocalLooker
from defectscope.monitor.looks import Looks
from defectscope.monitor.sender import Sender, Stream

Streams = Callable[..., bytes]
PACKET = b"\x47" + bytes(187)
FOUND = Finding("block_corruption", "block_corruption", 1.0, 1.5, 0.9, "major", {"area": 0.1})


class Eyes:
    """Looks at once and finds one thing, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.seen: list[bytes] = []
        self.fails = fails
        self._changed = threading.Condition()

    def look(self, media: bytes) -> Sequence[Finding]:
        with self._changed:
            self.seen.append(media)
            self._changed.notify_all()
        if self.fails:
            raise EndpointError("it is gone")
        return [FOUND]

    def wait_for(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.seen) >= count, 5.0)


def run(looks: Looks, eyes: Eyes, seconds: float, suspects: Sequence[float]) -> None:
    """Pushes a numbered packet every tenth of a second of a clock that runs as fast as it can."""
    waiting = sorted(suspects)
    for tenth in range(int(seconds * 10)):
        now_s = tenth / 10
        looks.push(tenth.to_bytes(4, "big"), now_s)
        looks.tick(now_s, resting=False)
        if waiting and now_s >= waiting[0]:
            waiting.pop(0)
            looks.suspect(now_s - 0.5, now_s)
        deadline_s = time.monotonic() + 60
        while looks._busy and time.monotonic() < deadline_s:
            time.sleep(0.001)


def tenths(media: bytes) -> list[int]:
    return [int.from_bytes(media[k : k + 4], "big") for k in range(0, len(media), 4)]


def test_a_suspect_is_looked_at_with_what_came_before_and_after() -> None:
    eyes, found = Eyes(), []
    looks = Looks(LookConfig(), eyes, lambda f, at_s: found.append((f, at_s)), "a")
    run(looks, eyes, 30.0, [20.0])
    looks.close()
    (media,) = eyes.seen
    # From 4 s before it began, 0.5 s earlier, to 2 s after it was noticed.
    assert tenths(media) == list(range(155, 221))
    assert found == [([FOUND], 15.5)]


def test_looks_keep_to_their_share_and_leave_suspects_room() -> None:
    eyes = Eyes()
    looks = Looks(LookConfig(share=0.1), eyes, lambda *_: None, "a")
    run(looks, eyes, 1000.0, [float(k) for k in range(600, 1000, 2)])
    looks.close()
    looked_s = sum(len(tenths(m)) for m in eyes.seen) / 10
    assert 80.0 <= looked_s <= 0.1 * 1000 + 6.0
    # Nobody suspected anything for ten minutes: some of it was looked at all the same.
    spots = [m for m in eyes.seen if tenths(m)[-1] < 6000]
    assert 3 <= len(spots) <= 10


def test_a_machine_that_cannot_keep_up_looks_at_nothing() -> None:
    eyes = Eyes()
    looks = Looks(LookConfig(share=1.0), eyes, lambda *_: None, "a")
    for second in range(100):
        looks.push(PACKET, float(second))
        looks.suspect(second - 1.0, float(second))
        looks.tick(float(second), resting=True)
    looks.close()
    assert eyes.seen == []


def test_a_look_that_fails_costs_itself_alone(caplog: pytest.LogCaptureFixture) -> None:
    eyes, found = Eyes(fails=True), []
    looks = Looks(LookConfig(share=1.0), eyes, lambda *f: found.append(f), "a")
    run(looks, eyes, 60.0, [10.0, 30.0])
    assert looks.failures == len(eyes.seen) >= 2
    assert looks.looked == 0
    looks.close()
    assert not found
    assert "a: not looked at (it is gone)" in caplog.text


def test_what_networks_find_is_alarmed_and_cleared(
    streams: Streams, events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    eyes = Eyes()
    monkeypatch.setattr("defectscope.monitor.channel.looker_of", lambda _: eyes)
    seconds = 9.6
    data = streams(seconds, black=(4.0, 6.0))
    looks = LookConfig(before_s=1.0, after_s=0.5)
    config = ChannelConfig("one", "udp://127.0.0.1:0", detectors=("black_frames",), looks=looks)
    channel = Channel(config, events)
    sender = Sender(Stream(data, seconds), ("127.0.0.1", channel.port))
    channel.start()
    sender.start()
    try:
        for _ in range(200):
            channel.tick(time.monotonic())
            if events.of("block_corruption", "cleared"):
                break
            time.sleep(0.1)
    finally:
        sender.close()
        channel.close()
    opened = events.of("block_corruption", "opened")[0]["data"]
    cleared = events.of("block_corruption", "cleared")[0]["data"]
    black = events.of("black_frames", "opened")[0]["data"]
    assert opened["alarm_id"] == cleared["alarm_id"]
    assert cleared["duration_s"] == pytest.approx(0.5, abs=0.05)
    # The look begins 1 s before the black, and what it found is 1 s into it.
    assert opened["start_s"] == pytest.approx(black["start_s"], abs=0.5)
    for event in events.all:
        jsonschema.validate(event, schema())
    assert eyes.seen[0][0] == 0x47


def test_an_endpoint_gets_no_more_than_a_body_holds() -> None:
    report = Report({}, (FOUND, Finding("freeze", "freeze", 0, 1, 1, "major", {})), {}, {}, {}, {})
    transport = FakeTransport([report])
    client = Client(endpoint_name="e", transport=transport, max_body_bytes=1000)
    looker = EndpointLooker(["block_corruption"], "e", client)
    found = looker.look(PACKET * 100)
    (call,) = transport.calls
    assert call.target == "e"
    assert call.body == PACKET * 5
    # The endpoint serves others as well; theirs is told by the channel itself.
    assert [f.detector for f in found] == ["block_corruption"]


def test_networks_in_this_process_find_what_is_broken(tmp_path: Path) -> None:
    from defectscope.simulate.positive_clips import positive_clip

    clip = positive_clip("block_corruption", tmp_path)
    found = LocalLooker(["block_corruption"]).look(clip.media.read_bytes())
    assert {f.defect for f in found} == {"block_corruption"}


CHANNEL = '[[channel]]\nname = "a"\nurl = "udp://127.0.0.1:5000"\n'


def test_who_looks_is_said_by_the_configuration_or_the_command() -> None:
    assert read_config(CHANNEL).channels["a"].looks is None
    text = '[looks]\nshare = 0.1\nendpoint = "e"\ndetectors = ["av_sync"]\n' + CHANNEL
    looks = read_config(text).channels["a"].looks
    assert looks == LookConfig(0.1, detectors=("av_sync",), endpoint="e")
    named = CHANNEL + 'detectors = ["freeze", "av_sync"]\n'
    looks = read_config(named).channels["a"].looks
    assert looks == LookConfig(detectors=("av_sync",))
    looks = read_config(CHANNEL, endpoint="f").channels["a"].looks
    assert looks == LookConfig(endpoint="f")
    # As many channels as there are go to it, whatever the document says.
    assert read_config(text, endpoint="f").channels["a"].looks == LookConfig(
        0.1, detectors=("av_sync",), endpoint="f"
    )


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        ("share = 2.0", "line 2: looks.share"),
        ("share = true", "line 2: looks.share"),
        ('detectors = ["freeze"]', "line 2: looks.detectors"),
        ("detectors = []", "line 2: looks.detectors"),
        ('endpoint = ""', "line 2: looks.endpoint"),
        ("budget = 1", "line 2: looks.budget"),
    ],
)
def test_a_bad_look_names_line_and_key(looks: str, reason: str) -> None:
    with pytest.raises(InvalidParameterError, match=reason):
        read_config(f"[looks]\n{looks}\n{CHANNEL}")
