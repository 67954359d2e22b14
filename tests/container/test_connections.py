"""Connections that are kept from call to call, and those that must not be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from defectscope.container.connections import Connections

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
