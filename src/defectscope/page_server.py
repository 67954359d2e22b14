"""What all pages that are served by this package have in common: who may ask, how it is answered.

Three bars stand before a page that a browser on this machine opens:

- the loopback interface alone is listened on, or a token is asked for;
- a request that names a foreign host is refused, so that no name can be pointed here (DNS
  rebinding);
- one that a page from elsewhere sends is refused by its `Origin`.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from defectscope.errors import InvalidParameterError

HOST = "127.0.0.1"
MAX_BODY_BYTES = 64 * 1024
HTML = "text/html; charset=utf-8"
_TIMEOUT_S = 30.0
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Tells whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def same_token(given: str | None, wanted: str) -> bool:
    """Compares two tokens in constant time."""
    return hmac.compare_digest((given or "").encode("utf-8", "replace"), wanted.encode())


def listen(
    port: int, handler: type[BaseHTTPRequestHandler], host: str = HOST
) -> ThreadingHTTPServer:
    """Returns a server that listens already and answers once `serve_forever` is called.

    Args:
        port: 0 takes a free one.
        handler: Answers one connection.
        host: Address to listen on.

    Raises:
        InvalidParameterError: The port is taken, or there is no such port or address.
    """
    try:
        server = ThreadingHTTPServer((host, port), handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidParameterError(f"port {port} of {host}: {reason.lower()}") from None
    server.daemon_threads = True
    return server


def url_of(server: ThreadingHTTPServer) -> str:
    """Returns where a server's pages are, with a slash at the end."""
    host, port = server.server_address[:2]
    return f"http://{host!s}:{port}/"


class PageHandler(BaseHTTPRequestHandler):
    """Answers one connection; a subclass says what lies where.

    Attributes:
        policy: The Content-Security-Policy of everything that is answered; empty where each page
            states its own.
    """

    policy: ClassVar[str] = ""
    server_version, sys_version = "defectscope", ""
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal is the user's, and addresses may hold a token."""

    def do_GET(self) -> None:
        """Hands a GET on."""
        self.get()

    def do_POST(self) -> None:
        """Hands a POST on."""
        self.post()

    def get(self) -> None:
        """Answers a GET."""
        self.refuse(404, "not_found", "there is nothing here")

    def post(self) -> None:
        """Answers a POST."""
        self.refuse(405, "not_allowed", "nothing is taken here")

    def is_local(self) -> bool:
        """Tells whether the request was addressed to this machine, by whatever port."""
        host = self.headers.get("Host", "")
        return any(host == name or host.startswith(name + ":") for name in _LOCAL_HOSTS)

    def is_from_elsewhere(self) -> bool:
        """Tells whether a page of another origin sent the request."""
        origin = self.headers.get("Origin")
        return origin is not None and origin != f"http://{self.headers.get('Host', '')}"

    def body_refusal(self, max_bytes: int = MAX_BODY_BYTES) -> int:
        """Returns the HTTP status with which a body is refused for its length; 0 takes it."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            return 411
        return 413 if int(length) > max_bytes else 0

    def body(self) -> bytes:
        """Returns the body, once `body_refusal` has taken it."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def head(
        self, status: int, kind: str, length: int | None, more: Mapping[str, str] | None = None
    ) -> None:
        """Sends status and headers.

        Args:
            status: HTTP status.
            kind: Content-Type.
            length: Content-Length in bytes; None where the answer ends with the connection.
            more: Further headers.
        """
        policy = {"Content-Security-Policy": self.policy} if self.policy else {}
        self.send_response(status)
        for name, value in {**_HEADERS, **policy, **(more or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer(
        self, status: int, kind: str, body: bytes, more: Mapping[str, str] | None = None
    ) -> None:
        """Sends a whole answer."""
        self.head(status, kind, len(body), more)
        self.wfile.write(body)

    def answer_json(self, status: int, body: Any) -> None:
        """Sends an answer as JSON."""
        self.answer(status, "application/json", json.dumps(body).encode())

    def refuse(self, status: int, code: str, message: str) -> None:
        """Sends an error as the endpoint does; a body that was not read ends the connection."""
        unread = self.command == "POST" and status != 400
        more = {"Connection": "close"} if unread else {}
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        self.answer(status, "application/json", body, more)
