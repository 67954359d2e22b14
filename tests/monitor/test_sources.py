"""Real senders of every protocol: what they send reaches a channel as a transport stream."""

from __future__ import annotations

import hashlib
import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest
from stream_sink import ENOUGH, WAIT_S, Sink

from defectscope.monitor.feeders import feeder_of
from defectscope.monitor.receiver import UdpReceiver
from defectscope.monitor.stream_clock import PACKET_BYTES

Streams = Callable[..., bytes]
SECONDS = 9.6
# What a socket holds by default, however late its thread comes.
AT_ONCE = 60 * 7 * PACKET_BYTES


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def sent_by_pyav(data: bytes, url: str, kind: str, **options: str) -> None:
    """Sends a film once, as fast as the receiver takes it; FLV has one track of sound."""
    with av.open(io.BytesIO(data), format="mpegts") as film:
        streams = [film.streams.video[0], film.streams.audio[0]]
        out: Any = av.open(url, "w", format=kind, options=options)
        made = {s.index: out.add_stream_from_template(s) for s in streams}
        for packet in film.demux(streams):
            if packet.dts is not None:
                packet.stream = made[packet.stream.index]
                out.mux(packet)
        out.close()


SEND = """
import sys, av
with av.open(sys.argv[1], format="mpegts") as film:
    streams = [film.streams.video[0], film.streams.audio[0]]
    out = av.open(sys.argv[2], "w", format="flv")
    made = {s.index: out.add_stream_from_template(s) for s in streams}
    for packet in film.demux(streams):
        if packet.dts is not None:
            packet.stream = made[packet.stream.index]
            out.mux(packet)
    out.close()
"""


def test_rtmp_is_listened_for(streams: Streams, tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    path.write_bytes(streams(SECONDS))
    url = f"rtmp://127.0.0.1:{free_port(socket.SOCK_STREAM)}/live/k3y"
    sink = Sink()
    feeder = feeder_of(f"{url}?listen=1", "a", sink)
    feeder.start()
    try:
        # PyAV holds Python's lock while it connects, so that a process of its own sends; it fails
        # while nobody listens yet.
        assert sent_until(sink, [sys.executable, "-c", SEND, str(path), url])
    finally:
        feeder.close()
    assert sink.tracks() == ["audio ", "video 180"]


def sent_until(sink: Sink, command: list[str]) -> bool:
    """Runs a sender, again where it ends, until there is enough; tells whether there is."""
    ends_s = time.monotonic() + WAIT_S
    while len(sink.data) < ENOUGH and time.monotonic() < ends_s:
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as sender:
            while sender.poll() is None and len(sink.data) < ENOUGH and time.monotonic() < ends_s:
                time.sleep(0.05)
            sender.kill()
    return len(sink.data) >= ENOUGH


def test_multicast_is_joined(streams: Streams) -> None:
    port = free_port(socket.SOCK_DGRAM)
    sink = Sink()
    feeder = feeder_of(f"udp://127.0.0.1@239.255.18.7:{port}", "a", sink)
    assert isinstance(feeder, UdpReceiver)
    feeder.start()
    data = streams(SECONDS)[:AT_ONCE]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(
                socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1")
            )
            for at in range(0, len(data), 7 * PACKET_BYTES):
                sender.sendto(data[at : at + 7 * PACKET_BYTES], ("239.255.18.7", port))
        assert sink.has(len(data))
    finally:
        feeder.close()
    assert bytes(sink.data) == data


def test_rtp_is_received(streams: Streams) -> None:
    sink = Sink()
    port = free_port(socket.SOCK_DGRAM)
    feeder = feeder_of(f"rtp://127.0.0.1:{port}", "a", sink)
    assert isinstance(feeder, UdpReceiver)
    feeder.start()
    data = streams(SECONDS)[:AT_ONCE]
    try:
        sent_by_pyav(data, f"rtp://127.0.0.1:{port}?pkt_size=1328", "rtp_mpegts")
        assert sink.has(ENOUGH)
    finally:
        feeder.close()
    assert feeder.facts.missing == 0
    assert sink.tracks() == ["audio ", "video 180"]


def test_standard_input_is_read_to_its_end(streams: Streams, tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    path.write_bytes(streams(SECONDS))
    code = (
        "import sys, time\n"
        "from defectscope.monitor.feeders import feeder_of\n"
        "got = bytearray()\n"
        "feeder = feeder_of('-', 'a', lambda data, at_s: got.extend(data))\n"
        "feeder.start()\n"
        f"while len(got) < {path.stat().st_size}: time.sleep(0.05)\n"
        "feeder.close()\n"
        "import hashlib; print(hashlib.sha256(got).hexdigest())\n"
    )
    with path.open("rb") as film:
        ran = subprocess.run(
            [sys.executable, "-c", code],
            stdin=film,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=True,
        )
    assert ran.stdout.strip() == hashlib.sha256(path.read_bytes()).hexdigest()


class Files:
    """Serves a folder over HTTP, and notes what is asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        files = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(folder))

            def log_message(self, format: str, *args: Any) -> None:
                files.asked.append(self.path)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.place = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    made = Files(tmp_path)
    yield made
    made.close()


def packaged(data: bytes, folder: Path, name: str, kinds: tuple[str, ...]) -> None:
    """Writes a media playlist and its segments of one second."""
    with av.open(io.BytesIO(data), format="mpegts") as film:
        wanted = {"hls_time": "1", "hls_list_size": "0"}
        wanted["hls_segment_filename"] = str(folder / f"{name}%d.ts")
        out: Any = av.open(str(folder / f"{name}.m3u8"), "w", format="hls", options=wanted)
        streams = [s for s in film.streams if s.type in kinds]
        made = {s.index: out.add_stream_from_template(s) for s in streams}
        for packet in film.demux(streams):
            if packet.dts is not None:
                packet.stream = made[packet.stream.index]
                out.mux(packet)
        out.close()


VARIANT = "#EXT-X-STREAM-INF:BANDWIDTH={},RESOLUTION={}{}\n{}.m3u8\n"


@pytest.mark.parametrize("apart", [False, True])
def test_one_variant_of_a_playlist_is_read_with_its_own_sound(
    apart: bool, streams: Streams, files: Files, tmp_path: Path
) -> None:
    kinds = ("video",) if apart else ("video", "audio")
    packaged(streams(SECONDS), tmp_path, "big", kinds)
    packaged(streams(SECONDS, size=(160, 90)), tmp_path, "small", kinds)
    text = "#EXTM3U\n"
    for name in ("low", "high") if apart else ():
        packaged(streams(SECONDS), tmp_path, name, ("audio",))
        text += f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{name}",NAME="en",URI="{name}.m3u8"\n'
    text += VARIANT.format(100_000, "160x90", ',AUDIO="low"' if apart else "", "small")
    text += VARIANT.format(900_000, "320x180", ',AUDIO="high"' if apart else "", "big")
    (tmp_path / "all.m3u8").write_text(text)
    sink = Sink()
    feeder = feeder_of(f"http://{files.place}/all.m3u8", "a", sink)
    feeder.start()
    try:
        assert sink.has(ENOUGH)
    finally:
        feeder.close()
    assert sink.tracks() == ["audio ", "video 180"]
    assert not [path for path in files.asked if "small" in path or "low" in path]


class Conversation:
    """A server that speaks to one client after the other, in a thread of its own."""

    def __init__(self, speak: Callable[[socket.socket], None]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._speak = speak
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client:
                client.settimeout(WAIT_S)
                try:
                    self._speak(client)
                except OSError:
                    continue  # the client has gone

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(WAIT_S)


def rtsp_server(data: bytes) -> Callable[[socket.socket], None]:
    """Returns what serves a transport stream in RTP over the connection of RTSP (RFC 2326)."""
    sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\n"
    sdp += "a=control:track\r\n"

    def speak(client: socket.socket) -> None:
        lines = client.makefile("rb")
        while line := lines.readline():
            method = line.split()[0].decode()
            heads = {}
            while (head := lines.readline().strip()) and b":" in head:
                name, _, value = head.partition(b":")
                heads[name.lower()] = value.strip().decode()
            answer = f"RTSP/1.0 200 OK\r\nCSeq: {heads[b'cseq']}\r\nSession: 1\r\n"
            body = ""
            if method == "OPTIONS":
                answer += "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body = sdp
                answer += f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n"
            elif method == "SETUP":
                answer += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            client.sendall((answer + "\r\n" + body).encode())
            if method == "PLAY":
                break
        size = 7 * PACKET_BYTES
        for number, at in enumerate(range(0, len(data), size)):
            head = (
                bytes([0x80, 33]) + number.to_bytes(2, "big") + (3600 * number).to_bytes(4, "big")
            )
            packet = head + b"SSRC" + data[at : at + size]
            client.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
        client.recv(1)

    return speak


def pulled(url: str, server: Conversation) -> list[str]:
    """Returns the tracks of what a server plays when it is called."""
    sink = Sink()
    feeder = feeder_of(url, "a", sink)
    feeder.start()
    try:
        assert sink.has(ENOUGH)
    finally:
        feeder.close()
        server.close()
    return sink.tracks()


def test_rtsp_is_called(streams: Streams) -> None:
    server = Conversation(rtsp_server(streams(SECONDS)))
    assert pulled(f"rtsp://127.0.0.1:{server.port}/news", server) == ["audio ", "video 180"]


def text_of(value: str) -> bytes:
    return b"\x02" + len(value).to_bytes(2, "big") + value.encode()


def rtmp_server(flv: bytes) -> Callable[[socket.socket], None]:
    """Returns what plays a film of FLV over RTMP: Adobe's specification 1.0, plain handshake."""
    one, nothing = b"\x00\x3f\xf0" + bytes(6), b"\x05"

    def status(code: str) -> bytes:
        fields = {"level": "status", "code": code, "description": code}
        told = b"".join(text_of(k)[1:] + text_of(v) for k, v in fields.items())
        return b"\x03" + told + b"\x00\x00\x09"

    def message(kind: int, body: bytes, at_ms: int = 0, stream: int = 0) -> bytes:
        head = at_ms.to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind])
        return b"\x03" + head + stream.to_bytes(4, "little") + body

    def speak(client: socket.socket) -> None:
        said = bytearray()

        def until(text: bytes, after: int = 0) -> int:
            while (found := said.find(text)) < 0 or len(said) < found + len(text) + after:
                more = client.recv(65_536)
                if not more:
                    raise OSError
                said.extend(more)
            return found + len(text)

        until(b"\x03", 1536)
        client.sendall(b"\x03" + bytes(1536) + bytes(said[1:1537]))
        until(text_of("connect"), 9)
        client.sendall(message(1, (60_000).to_bytes(4, "big")))
        done = status("NetConnection.Connect.Success")
        client.sendall(message(20, text_of("_result") + one + nothing + done))
        # The number of a call comes after its name.
        at = until(text_of("createStream"), 9)
        call = bytes(said[at : at + 9])
        client.sendall(message(20, text_of("_result") + call + nothing + one))
        until(text_of("play"), 9)
        begun = text_of("onStatus") + b"\x00" + bytes(8) + nothing
        client.sendall(message(20, begun + status("NetStream.Play.Start"), stream=1))
        at = 13
        while at + 11 < len(flv):
            size = int.from_bytes(flv[at + 1 : at + 4], "big")
            if flv[at] in (8, 9):
                at_ms = int.from_bytes(flv[at + 4 : at + 7], "big")
                client.sendall(message(flv[at], flv[at + 11 : at + 11 + size], at_ms, 1))
            at += 15 + size
        client.recv(65_536)

    return speak


def test_rtmp_is_pulled(streams: Streams, tmp_path: Path) -> None:
    path = tmp_path / "film.flv"
    sent_by_pyav(streams(SECONDS), str(path), "flv")
    server = Conversation(rtmp_server(path.read_bytes()))
    assert pulled(f"rtmp://127.0.0.1:{server.port}/live/k3y", server) == ["audio ", "video 180"]


@pytest.mark.parametrize(
    ("received", "sent"),
    [("srt://127.0.0.1:{}?mode=listener", "srt://127.0.0.1:{}"), ("rist://@127.0.0.1:{}",) * 2],
)
def test_the_relay_listens(received: str, sent: str, streams: Streams, tmp_path: Path) -> None:
    relay = pytest.importorskip("imageio_ffmpeg", reason="the extra live-relay is not installed")
    port = free_port(socket.SOCK_DGRAM) // 2 * 2  # RIST takes an even one, and the one after it
    path = tmp_path / "film.ts"
    path.write_bytes(streams(SECONDS))
    command = [relay.get_ffmpeg_exe(), "-nostdin", "-loglevel", "quiet", "-re", "-stream_loop", "9"]
    command += ["-i", str(path), "-c", "copy", "-f", "mpegts", sent.replace("@", "").format(port)]
    sink = Sink()
    feeder = feeder_of(received.format(port), "a", sink)
    feeder.start()
    try:
        # A caller gives up while nobody listens yet.
        assert sent_until(sink, command)
    finally:
        feeder.close()
    assert sink.tracks() == ["audio ", "video 180"]


def test_dash_is_read(streams: Streams, files: Files, tmp_path: Path) -> None:
    relay = pytest.importorskip("imageio_ffmpeg", reason="the extra live-relay is not installed")
    (tmp_path / "film.ts").write_bytes(streams(SECONDS))
    command = [relay.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-i", "film.ts"]
    command += [
        "-c",
        "copy",
        "-tag:v",
        "avc1",
        "-tag:a",
        "mp4a",
        "-seg_duration",
        "2",
        "-f",
        "dash",
        "film.mpd",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=WAIT_S)
    sink = Sink()
    feeder = feeder_of(f"dash+http://{files.place}/film.mpd", "a", sink)
    feeder.start()
    try:
        assert sink.has(ENOUGH)
    finally:
        feeder.close()
    assert sink.tracks() == ["audio ", "video 180"]
