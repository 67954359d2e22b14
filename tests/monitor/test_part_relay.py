from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from defectscope.errors import MediaUnavailableError
from defectscope.monitor.feeders import feeder_of
from defectscope.monitor.part_relay import Fetch, PartRelay, part_playlists

Streams = Callable[..., bytes]
SECONDS, PARTS = 9.6, 24
HEAD = (
    "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:6\n"
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.2\n"
    "#EXT-X-PART-INF:PART-TARGET=0.4\n"
)
MASTER = (
    "#EXTM3U\n"
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="low",NAME="x",URI="low.m3u8"\n'
    "#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=320x180\nbest.m3u8\n"
    '#EXT-X-STREAM-INF:BANDWIDTH=100000,RESOLUTION=160x90,AUDIO="low"\nsmall.m3u8\n'
)


class Packager:
    """Makes a segment part by part, and never comes to its end."""

    def __init__(self, data: bytes, head: str = HEAD) -> None:
        self.asked: list[str] = []
        self.users: list[str | None] = []
        packets = len(data) // 188
        edges = [188 * (packets * n // PARTS) for n in range(PARTS + 1)]
        parts = [data[a:b] for a, b in pairwise(edges)]
        self.released = threading.Event()
        packager = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                packager.asked.append(self.path)
                packager.users.append(self.headers.get("Authorization"))
                where = urlsplit(self.path)
                if where.path == "/master.m3u8":
                    self.answer(MASTER.encode())
                elif where.path == "/away.m3u8":
                    self.send_response(302)
                    self.send_header("Location", "file:///etc/passwd")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif where.path == "/moved.m3u8":
                    self.send_response(302)
                    self.send_header("Location", f"http://{packager.place}/master.m3u8")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif where.path.endswith(".m3u8"):
                    wanted = parse_qs(where.query).get("_HLS_part", ["2"])
                    if int(wanted[0]) >= PARTS:
                        packager.released.wait(20.0)
                    count = min(int(wanted[0]) + 1, PARTS)
                    told = [
                        f'#EXT-X-PART:DURATION=0.4,URI="part{n}.ts",INDEPENDENT=YES\n'
                        if n == 0
                        else f'#EXT-X-PART:DURATION=0.4,URI="part{n}.ts"\n'
                        for n in range(count)
                    ]
                    whole = "#EXTINF:9.6,\nsegment6.ts\n"
                    self.answer((head + whole + "".join(told)).encode())
                elif where.path.startswith("/part"):
                    self.answer(parts[int(where.path[5:].removesuffix(".ts"))])
                else:
                    self.answer(data)

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.place = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def packager(streams: Streams) -> Iterator[Packager]:
    made = Packager(streams(SECONDS))
    yield made
    made.close()


def test_parts_reach_the_channel_before_their_segment_is_whole(
    packager: Packager, streams: Streams
) -> None:
    got = bytearray()
    enough = threading.Event()

    def sink(data: bytes, _at_s: float) -> None:
        got.extend(data)
        if len(got) > 60_000:
            enough.set()

    feeder = feeder_of(f"http://user:s3cr3t@{packager.place}/master.m3u8", "a", sink)
    feeder.start()
    try:
        assert enough.wait(60.0)
    finally:
        packager.released.set()
        feeder.close()
    assert not [path for path in packager.asked if "segment" in path]
    assert not [path for path in packager.asked if "small" in path or "low" in path]
    asked = [path for path in packager.asked if path.startswith("/part")]
    assert asked[0] == "/part0.ts"
    assert len(asked) == len(set(asked))
    assert "/best.m3u8?_HLS_msn=7&_HLS_part=3" in packager.asked
    # FFmpeg gives the user's name where it is asked for it, which nobody does here.
    told = zip(packager.asked, packager.users, strict=True)
    assert all(user for path, user in told if ".m3u8" in path)
    assert got[0] == got[188] == 0x47


def test_who_has_no_parts_is_read_by_whole_segments(streams: Streams) -> None:
    plain = Packager(streams(SECONDS), HEAD.replace("#EXT-X-PART-INF:PART-TARGET=0.4\n", ""))
    try:
        assert part_playlists(f"http://{plain.place}/x.m3u8", Fetch("a")) == []
    finally:
        plain.close()


def test_encrypted_parts_are_left_to_the_reader_of_segments(streams: Streams) -> None:
    key = '#EXT-X-KEY:METHOD=AES-128,URI="k"\n'
    secret = Packager(streams(SECONDS), HEAD + key)
    try:
        assert part_playlists(f"http://{secret.place}/x.m3u8", Fetch("a")) == []
    finally:
        secret.close()


def test_the_best_variant_is_taken_alone(packager: Packager) -> None:
    base = f"http://{packager.place}"
    assert part_playlists(f"{base}/master.m3u8", Fetch("a")) == [f"{base}/best.m3u8"]
    assert part_playlists(f"{base}/best.ts", Fetch("a")) == []


def test_nothing_leads_to_a_file_and_no_message_has_the_address(packager: Packager) -> None:
    with pytest.raises(MediaUnavailableError) as caught:
        Fetch("news")(f"http://{packager.place}/away.m3u8?token=s3cr3t")
    assert caught.value.message.startswith("news: ")
    assert "s3cr3t" not in caught.value.message
    with pytest.raises(MediaUnavailableError, match="cannot be reached"):
        Fetch("news")("file:///etc/passwd")


def test_strangers_on_this_machine_get_nothing(packager: Packager) -> None:
    fetch = Fetch("a")
    with PartRelay([f"http://{packager.place}/best.m3u8"], fetch) as relay:
        text, _ = fetch(relay.address)
        assert text.startswith("#EXTM3U")
        assert "part0.ts" in text
        server = relay.address.rsplit("/", 2)[0]
        for path in ("/", "/0.m3u8", "/x/0.m3u8"):
            with pytest.raises(MediaUnavailableError, match="404"):
                fetch(server + path)
    with pytest.raises(MediaUnavailableError):
        fetch(relay.address)


def test_a_password_does_not_follow_a_redirect(packager: Packager) -> None:
    Fetch("a")(f"http://user:s3cr3t@{packager.place}/moved.m3u8")
    assert packager.asked == ["/moved.m3u8", "/master.m3u8"]
    assert packager.users[0] is not None
    assert packager.users[1] is None
