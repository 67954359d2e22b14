"""A collector on this machine, for trying it out and for the demo page."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from defectscope.player.collector import Collector
from defectscope.player.payload import MAX_BYTES

_TIMEOUT_S = 10.0


def serve(file: Path, port: int, origins: Collection[str] | None = None) -> ThreadingHTTPServer:
    """Returns a server of `POST /player` that appends payloads to a file.

    Args:
        file: Lines of JSON.
        port: 0 for any; the address is `server_address`.
        origins: Origins that may send; None lets all.
    """
    lock = threading.Lock()
    file.parent.mkdir(parents=True, exist_ok=True)

    def keep(line: str) -> None:
        with file.open("a", encoding="utf-8") as out:
            out.write(line + "\n")

    collector = Collector(keep, origins=origins)

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing: players send all the time."""

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != "/player" or not length.isdecimal():
                self._answer(404 if self.path != "/player" else 411, ())
                return
            if int(length) > MAX_BYTES:
                self.close_connection = True
                self._answer(413, (f"a payload has at most {MAX_BYTES} bytes",))
                return
            body = self.rfile.read(int(length))
            with lock:
                outcome = collector.take(body, self.headers.get("Origin"))
            self._answer(outcome.status, outcome.refused)

        def _answer(self, status: int, refused: tuple[str, ...]) -> None:
            body = json.dumps({"refused": refused}).encode() if status != 204 else b""
            self.send_response(status)
            # Beacons read no answer; other callers may.
            self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
