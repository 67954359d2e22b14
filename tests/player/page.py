"""A page in headless Chromium that plays clips under observation, and a server for both."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TYPES = {
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".mp4": "video/mp4",
    ".html": "text/html",
    ".json": "application/json",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".m4s": "video/iso.segment",
}
# What is sent at once; before each part a test may hold the network back.
PART_BYTES = 16384
# Plays a clean clip with a pause, two seeks and a hidden tab.
DISTURBED = """async () => {
    const v = document.getElementById('v');
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    await play('/clips/clean.mp4');
    await until(() => v.currentTime > 1.2);
    v.pause(); await wait(900); await v.play();
    await until(() => v.currentTime > 2.2);
    v.currentTime = 4; await until(() => v.currentTime > 4.6);
    v.currentTime = 0.5; await until(() => v.currentTime > 1.0);
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    const measured = handle.status().frames.measured;
    await wait(600);
    const meanwhile = handle.status().frames.measured - measured;
    Object.defineProperty(document, 'hidden', { value: false });
    document.dispatchEvent(new Event('visibilitychange'));
    await until(() => v.currentTime > 2.6);
    return { log, meanwhile, events: events.map((e) => [e.type, e.duration_ms]),
             state: handle.status().state };
}"""
# Plays a film by its segments, as players do; those of the second half come only once it waits.
HELD = """async () => {
    const v = document.getElementById('v');
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    const bytes = async (name) => (await fetch(`/films/clean/${name}`)).arrayBuffer();
    const part = (number) => `part-0-${String(number).padStart(3, '0')}.m4s`;
    const source = new MediaSource();
    const opened = new Promise((done) => source.addEventListener('sourceopen', done));
    await watch();
    await until(() => handle.status().state !== 'starting');
    v.src = URL.createObjectURL(source);
    await opened;
    const buffer = source.addSourceBuffer('video/mp4; codecs="avc1.64001e"');
    const append = async (name) => {
        const added = new Promise((done) => buffer.addEventListener('updateend', done));
        buffer.appendBuffer(await bytes(name));
        await added;
    };
    await append('init-0.mp4');
    for (let number = 1; number <= 4; number += 1) await append(part(number));
    await v.play();
    const waited = await until(() => v.currentTime > 2 && v.readyState < 3);
    await wait(1200);
    const shown = handle.status().frames.measured;
    for (let number = 5; number <= 10; number += 1) await append(part(number));
    source.endOfStream();
    const ended = await until(() => v.ended, 40000);
    await wait(400);
    return { waited, ended, shown, log, findings: handle.findings(), status: handle.status(),
             events: (window.events ?? []).map((e) => [e.type, e.duration_ms]) };
}"""
PAGE = Path(__file__).with_name("page.html").read_text("utf-8")


class Site:
    """Files of some folders, one page, and what was posted to it."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders = folders
        self.posted: list[Any] = []
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.page = PAGE.encode()
        self.gate: Callable[[str, int], None] = lambda path, at: None
        self.answering: dict[str, Callable[[], bytes]] = {}
        self.taking: dict[str, Callable[[bytes], None]] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path in site.taking:
                    site.taking[self.path](body)
                else:
                    site.posted.append(json.loads(body))
                self._send(204, b"", "text/plain")

            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                suffix = Path(path).suffix
                if path == "/":
                    self._send(200, site.page, "text/html")
                elif path in site.answering:
                    self._send(200, site.answering[path](), "text/plain")
                elif path in site.files:
                    self._send(200, site.files[path], TYPES.get(suffix, "text/plain"))
                elif (file := site.find(path)) is not None:
                    self._file(path, file.read_bytes(), TYPES.get(suffix, "text/plain"))
                else:
                    self._send(404, b"", "text/plain")

            def _file(self, path: str, body: bytes, kind: str) -> None:
                wanted = self.headers.get("Range")
                if not wanted:
                    self.send_response(200)
                    self._head(len(body), kind)
                    self._parts(path, body, 0, len(body))
                    return
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start, stop = int(first), int(last) + 1 if last else len(body)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(body)}")
                self._head(stop - start, kind)
                self._parts(path, body, start, stop)

            def _parts(self, path: str, body: bytes, start: int, stop: int) -> None:
                for at in range(start, stop, PART_BYTES):
                    site.gate(path, at)
                    try:
                        self.wfile.write(body[at : min(at + PART_BYTES, stop)])
                    except OSError:
                        return

            def _send(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self._head(len(body), kind)
                self.wfile.write(body)

            def _head(self, length: int, kind: str) -> None:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(length))
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Cache-Control", "no-store")
                for name, value in site.headers.items():
                    self.send_header(name, value)
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.other_origin = self.origin.replace("127.0.0.1", "localhost")

    def find(self, path: str) -> Path | None:
        """Returns the file of a path, where one of the folders has it."""
        for prefix, folder in self.folders.items():
            if path.startswith(prefix):
                file = folder / path.removeprefix(prefix)
                return file if file.is_file() else None
        return None


@contextmanager
def served(folders: dict[str, Path]) -> Iterator[Site]:
    """Serves folders until the block ends."""
    site = Site(folders)
    thread = threading.Thread(target=site.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()


def opened(browser: Any, site: Site, errors: list[str]) -> Any:
    """Opens the page and gives it once its script has run."""
    page = browser.new_page(viewport={"width": 700, "height": 420})
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site.origin + "/")
    page.wait_for_selector("html[data-ready]")
    return page
