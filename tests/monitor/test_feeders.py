from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from stream_sink import Sink

from defectscope.errors import InvalidParameterError, MediaUnavailableError
from defectscope.media.encoding import VideoEncoding
from defectscope.media.live_remux import remux
from defectscope.media.writer import write_clip
from defectscope.monitor import feeders
from defectscope.monitor.datagrams import Datagrams, RtpPayload
from defectscope.monitor.feeders import feeder_of
from defectscope.monitor.stream_clock import PACKET_BYTES, SYNC_BYTE
from defectscope.monitor.urls import check_url
from defectscope.simulate.synthetic.material import Footage

Streams = Callable[..., bytes]
SECONDS = 9.6


def test_a_growing_file_is_followed(streams: Streams, tmp_path: Path) -> None:
    data = streams(SECONDS, black=(4.0, 6.0))
    path = tmp_path / "growing.ts"
    path.write_bytes(data[:100_000])
    sink = Sink()
    feeder = feeder_of(f"file://{path}", "a", sink)
    feeder.start()
    try:
        assert sink.has(100_000)
        with path.open("ab") as file:
            file.write(data[100_000:150_000])
        assert sink.has(150_000)
    finally:
        feeder.close()
    assert bytes(sink.data) == data[:150_000]


def test_rtp_gives_what_it_carries() -> None:
    rtp_payload = RtpPayload(Datagrams())
    packet = bytes([SYNC_BYTE]) + bytes(PACKET_BYTES - 1)
    head = bytes([0x80, 33, 0, 1]) + bytes(8)
    assert rtp_payload(head + packet) == packet
    # Two contributing sources, an extension of one word, and four bytes of padding.
    head = bytes([0x80 | 0x20 | 0x10 | 2, 33, 0, 2]) + bytes(8)
    extension = bytes([0, 0, 0, 1]) + bytes(4)
    assert rtp_payload(head + bytes(8) + extension + packet + bytes([0, 0, 0, 4])) == packet
    assert rtp_payload(packet) == b""
    assert rtp_payload(b"") == b""


def test_rtp_numbers_tell_what_is_missing() -> None:
    facts = Datagrams()
    take = RtpPayload(facts)

    def came(*numbers: int) -> int | None:
        for number in numbers:
            take(bytes([0x80, 33]) + (number % 65_536).to_bytes(2, "big") + bytes(8) + b"x")
        return facts.missing

    assert came(65_530, 65_531) == 0
    # Over the wrap; 65,532 to 65,536 did not come.
    assert came(65_537) == 5
    # One of them came late after all.
    assert came(65_534, 65_538) == 4
    # The sender began anew.
    assert came(20_000, 20_001) == 4


@pytest.fixture
def http(streams: Streams, tmp_path: Path) -> Iterator[str]:
    data = streams(SECONDS, black=(4.0, 6.0))
    encoding = VideoEncoding(96, 64, Fraction(25), codec="libsvtav1", crf=None, bit_rate=200_000)
    frames = Footage(seed=4, width=96, height=64, frames=10)
    write_clip(tmp_path / "av1.mkv", frames=frames, video=encoding)
    av1 = (tmp_path / "av1.mkv").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            playlist = b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
            body = playlist if "m3u8" in self.path else av1 if "av1" in self.path else data
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_protocol_becomes_a_transport_stream(http: str) -> None:
    sink = Sink()
    remux(http + "/live.ts", "a", sink, lambda: True)
    assert len(sink.data) > 100_000
    assert len(sink.data) % PACKET_BYTES == 0
    assert sink.data[0] == sink.data[PACKET_BYTES] == SYNC_BYTE


def test_video_that_a_transport_stream_does_not_hold_is_named(http: str) -> None:
    sink = Sink()
    with pytest.raises(MediaUnavailableError, match="a: its video is av1, which a transport"):
        remux(http + "/av1.mkv", "a", sink, lambda: True)
    assert sink.data == b""


def test_a_playlist_that_names_a_local_file_gives_nothing(http: str) -> None:
    sink = Sink()
    with pytest.raises(MediaUnavailableError) as caught:
        remux(http + "/x.m3u8?token=s3cr3t", "a", sink, lambda: True)
    assert "s3cr3t" not in caught.value.message
    assert sink.data == b""


def test_what_is_not_there_is_said_without_its_address() -> None:
    with pytest.raises(MediaUnavailableError) as caught:
        remux("http://127.0.0.1:1/s3cr3t", "news", Sink(), lambda: True)
    assert caught.value.message.startswith("news: cannot be reached")
    assert "s3cr3t" not in caught.value.message


@pytest.mark.parametrize(
    "url", ["udp://h:1", "rtp://@239.0.0.1:5004", "rtmp://h/a/b", "dash+https://h/x.mpd", "-"]
)
def test_addresses_that_are_some(url: str) -> None:
    assert check_url(url)


@pytest.mark.parametrize("url", ["", "udp://h", "gopher://h/x", "h:1", "concat:a|b", "/dev/video0"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InvalidParameterError):
        check_url(url)


@pytest.mark.parametrize("scheme", ["dash+https", "srt"])
def test_a_relay_reads_segments_at_their_pace_and_tells_of_a_new_connection(
    scheme: str, streams: Streams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = streams(SECONDS)[: 188 * 200]
    (tmp_path / "data.ts").write_bytes(data)
    program = tmp_path / "relay"
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\ncat {tmp_path}/data.ts\n')
    program.chmod(0o755)
    monkeypatch.setattr(feeders, "_relay_program", lambda: str(program))
    parts: list[bytes] = []
    again = threading.Event()

    def sink(data: bytes, _at_s: float) -> None:
        parts.append(data)
        if not data:
            again.set()

    feeder = feeder_of(f"{scheme}://h:1/x", "a", sink)
    feeder.start()
    try:
        assert again.wait(15.0)
    finally:
        feeder.close()
    asked = (tmp_path / "asked").read_text().split()
    assert ("-readrate" in asked) is (scheme == "dash+https")
    # The first connection is told by its data alone.
    assert parts[0]
    assert b"".join(parts[: parts.index(b"")]) == data
