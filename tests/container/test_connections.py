"""Connections that are kept from call to call, and those that must not be."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from defectscope.container.connections import Connections, asked
from defectscope.local.exchange import exchange

BODY = b"x" * 200_000


class Server(ThreadingHTTPServer):
    """Answers every request with the same body, and counts its connections."""

    daemon_threads = True
    accepted = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.accepted += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        if self.path == "/last":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(BODY)
        if self.path == "/silent-end":
            # As a server that is killed, or that lets go of what is idle.
            self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


def call(kept: Connections, path: str = "/", *, read: int | None = None) -> bytes:
    connection = kept.lend(5.0)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read(read)
    kept.give_back(connection, response)
    return body


def test_calls_one_after_another_share_a_connection(server: Server) -> None:
    kept = Connections(f"http://127.0.0.1:{server.server_port}")
    assert [call(kept) for _ in range(5)] == [BODY] * 5
    assert server.accepted == 1
    kept.close()


def test_two_borrowers_never_have_the_same(server: Server) -> None:
    kept = Connections(f"http://127.0.0.1:{server.server_port}")
    call(kept)
    one, other = kept.lend(5.0), kept.lend(5.0)
    assert one is not other
    for connection in (one, other):
        kept.give_back(connection, None)


def test_an_answer_that_was_not_read_to_its_end_is_never_the_next_ones(server: Server) -> None:
    kept = Connections(f"http://127.0.0.1:{server.server_port}")
    assert call(kept, read=10) == BODY[:10]
    assert call(kept) == BODY
    assert server.accepted == 2
    kept.close()


@pytest.mark.parametrize("path", ["/last", "/silent-end"])
def test_a_connection_that_the_server_ends_is_not_used_again(server: Server, path: str) -> None:
    kept = Connections(f"http://127.0.0.1:{server.server_port}")
    for number in (1, 2, 3):
        assert call(kept, path) == BODY
        # The end arrives after the answer.
        threading.Event().wait(0.1)
        assert server.accepted == number
    kept.close()


def test_what_comes_back_after_the_end_is_closed(server: Server) -> None:
    kept = Connections(f"http://127.0.0.1:{server.server_port}")
    connection = kept.lend(5.0)
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    kept.close()
    kept.give_back(connection, response)
    assert connection.sock is None


def test_each_borrower_has_its_own_patience(server: Server) -> None:
    kept = Connections(f"http://127.0.0.1:{server.server_port}")
    call(kept)
    connection = kept.lend(0.25)
    assert connection.sock.gettimeout() == 0.25
    kept.give_back(connection, None)


class Leaving:
    """A server that answers one request on a connection, and closes as the next one arrives.

    Args:
        within: Whether it begins the second answer before it does.
        left: How many connections it leaves so; it serves the later ones to their end.
    """

    def __init__(self, *, left: int = 1, within: bool = False) -> None:
        self.left, self.within = left, within
        self.bodies: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            number += 1
            with connection, connection.makefile("rb") as lines:
                first = True
                while head := lines.readline():
                    length = 0
                    while (line := lines.readline().strip().lower()) not in (b"",):
                        if line.startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    self.bodies.append(lines.read(length))
                    if not first and number <= self.left:
                        if self.within:
                            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh")
                        break
                    first = False
                    assert head.startswith(b"POST")
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    def close(self) -> None:
        # It wakes up whoever waits in accept, which closing alone does not.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def sent(kept: Connections, body: bytes) -> bytes:
    connection = kept.lend(5.0)
    deadline_s = time.monotonic() + 5
    file = io.BytesIO(b"before" + body)
    file.seek(6)
    response = None
    try:
        answer, response = exchange(connection, file, len(body), [], deadline_s, None)
        return answer.read()
    finally:
        kept.give_back(connection, response)


def test_a_request_is_repeated_where_a_kept_connection_closes_under_it() -> None:
    server = Leaving()
    kept = Connections(server.url)
    try:
        assert [sent(kept, body) for body in (b"one", b"two", b"three")] == [b"hi"] * 3
        # Whole, and from its start.
        assert server.bodies == [b"one", b"two", b"two", b"three"]
    finally:
        kept.close()
        server.close()


def test_it_is_repeated_once() -> None:
    server = Leaving(left=2)
    kept = Connections(server.url)
    calls = 0

    def ask() -> None:
        nonlocal calls
        calls += 1
        raise ConnectionResetError

    try:
        assert sent(kept, b"one") == b"hi"
        connection = kept.lend(5.0)
        with pytest.raises(ConnectionResetError):
            asked(connection, ask)
        assert calls == 2
        # On a new connection nothing is.
        with pytest.raises(ConnectionResetError):
            asked(connection, ask)
        assert calls == 3
    finally:
        kept.close()
        server.close()


def test_an_answer_that_breaks_off_is_not_asked_for_again() -> None:
    server = Leaving(within=True)
    kept = Connections(server.url)
    try:
        assert sent(kept, b"one") == b"hi"
        with pytest.raises(http.client.IncompleteRead):
            sent(kept, b"two")
        assert server.bodies == [b"one", b"two"]
    finally:
        kept.close()
        server.close()
