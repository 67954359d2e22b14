from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from defectscope import analyze
from defectscope.engine.feeds import Feeds
from defectscope.monitor.channel import Channel
from defectscope.monitor.channel_config import ChannelConfig
from defectscope.monitor.clips import ClipConfig
from defectscope.monitor.events import as_line, schema
from defectscope.monitor.sender import Sender, Stream

Streams = Callable[..., bytes]
# Whole frames and whole runs of AAC: loops of it have no seam.
UNIT_S = 0.32


def test_another_raster_is_told_before_what_is_left_is_decided(
    streams: Streams, events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller = streams(10 * UNIT_S, size=(256, 144))
    config = ChannelConfig("one", "udp://127.0.0.1:0", detectors=("black_frames",))
    channel = Channel(config, events)
    told_first: list[bool] = []
    close = Feeds.close

    def closed(feeds: Feeds) -> Any:
        told_first.append(bool(events.of("format_change", "opened")))
        return close(feeds)

    monkeypatch.setattr(Feeds, "close", closed)
    channel.start()
    try:
        channel._received(streams(10 * UNIT_S), time.monotonic())
        channel._received(smaller, time.monotonic())
        assert events.wait_for("format_change", "opened", 60.0)
    finally:
        channel.close()
    (opened,) = events.of("format_change", "opened")
    assert opened["data"]["evidence"]["before"].startswith("320x180")
    assert opened["data"]["evidence"]["now"].startswith("256x144")
    assert told_first[0]


def test_after_an_outage_the_channel_is_watched_again(streams: Streams, events: Any) -> None:
    data = streams(30 * UNIT_S, black=(4.0, 6.0))
    config = ChannelConfig("one", "udp://127.0.0.1:0", detectors=("black_frames",), idle_s=0.5)
    channel = Channel(config, events)
    channel.start()
    try:
        channel._received(data, time.monotonic())
        assert events.wait_for("black_frames", "cleared", 60.0)
        frames, ends_s = channel.frames, time.monotonic() + 60.0
        while not channel.reopened and time.monotonic() < ends_s:
            time.sleep(0.05)
        assert channel.reopened == 1
        channel._received(data, time.monotonic())
        assert events.wait_for("black_frames", "cleared", 60.0, count=2)
    finally:
        channel.close()
    assert channel.frames > frames
    first, second = events.of("black_frames", "opened")
    assert first["id"] != second["id"]
    # The programme's time goes on over what did not come.
    assert second["data"]["start_s"] - first["data"]["start_s"] > 30 * UNIT_S


def test_black_is_alarmed_and_cleared(streams: Streams, events: Any, tmp_path: Path) -> None:
    seconds = 30 * UNIT_S
    data = streams(seconds, black=(4.0, 6.0))
    clips = ClipConfig(str(tmp_path), after_s=0.5)
    config = ChannelConfig("one", "udp://127.0.0.1:0", detectors=("black_frames",), clips=clips)
    channel = Channel(config, events)
    sender = Sender(Stream(data, seconds), ("127.0.0.1", channel.port), speed=6.0)
    channel.start()
    sender.start()
    try:
        assert events.wait_for("black_frames", "cleared", count=2)
    finally:
        sender.close()
        channel.close()
    opened, again = events.of("black_frames", "opened")[:2]
    cleared = events.of("black_frames", "cleared")[0]
    assert cleared["data"]["alarm_id"] == opened["data"]["alarm_id"] != again["data"]["alarm_id"]
    assert cleared["data"]["duration_s"] == pytest.approx(2.0, abs=0.05)
    # The programme's time goes on over the loop.
    apart_s = again["data"]["start_s"] - opened["data"]["start_s"]
    assert apart_s == pytest.approx(seconds, abs=0.05)
    for event in events.all:
        jsonschema.validate(event, schema())
        assert "\n" not in as_line(event)
    assert len({event["id"] for event in events.all}) == len(events.all)
    # The seconds around it are kept as they came, and a frame beside them.
    kept = opened["data"]["clip"]
    assert Path(opened["data"]["thumbnail"]).read_bytes()[:3] == b"\xff\xd8\xff"
    seen = analyze(kept, detectors=["black_frames"]).findings
    assert any(f.interval.duration_s > 1.5 for f in seen)
    assert "clip" not in cleared["data"]
