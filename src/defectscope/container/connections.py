"""Connections to one server that are kept from call to call.

A new connection takes TorchServe's frontend a millisecond, which a call on a kept one is spared.
"""

from __future__ import annotations

import http.client
import select
import threading
from collections.abc import Callable
from typing import TypeVar

from defectscope.container.addresses import connection_to

T = TypeVar("T")

# Idle ones beyond this are closed; as many calls at once as there are workers need no more.
_MOST_IDLE = 16


class Connections:
    """Lends connections to one address and keeps those that come back.

    Args:
        address: `http://host:port` or `unix:/path`.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._idle: list[http.client.HTTPConnection] = []
        self._closed = False
        self._lock = threading.Lock()

    def lend(self, timeout_s: float) -> http.client.HTTPConnection:
        """Returns a connection that nobody else has; the borrower closes it or gives it back.

        Args:
            timeout_s: Longest wait for each step on it.
        """
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return connection_to(self._address, timeout_s)
            if _still_open(connection):
                connection.timeout = timeout_s
                connection.sock.settimeout(timeout_s)
                return connection
            connection.close()

    def give_back(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse | None
    ) -> None:
        """Takes back a connection; one that cannot serve another call is closed.

        Args:
            connection: What was lent.
            response: The answer that came over it; None where there was none. Unless it was read
                to its end, what is left of it would pass for the next call's.
        """
        with self._lock:
            # The answer has closed a connection that the server will not keep: it has no socket.
            read = response is not None and response.isclosed()
            usable = read and _socket_of(connection) is not None
            if usable and not self._closed and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Closes those that are kept; what is given back later is closed then."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def asked(connection: http.client.HTTPConnection, ask: Callable[[], T]) -> T:
    """Returns what asking over a connection gives; asks again where a kept one was just closed.

    A server may close an idle connection at the moment a request sets out on it. It has then read
    nothing, or at least answered nothing, and a prediction can be made twice, so the request goes
    out once more, over a new connection. On a new connection nothing is repeated.

    Args:
        connection: As it was lent.
        ask: Sends the request over it and waits for the answer's head. What it raises is raised.
    """
    kept = _socket_of(connection) is not None
    try:
        return ask()
    except (BrokenPipeError, ConnectionResetError):
        if not kept:
            raise
    # It opens a new one when it is used next.
    connection.close()
    return ask()


def whole(response: http.client.HTTPResponse) -> None:
    """Checks, after the last block, that an answer came to its end: reading in blocks does not.

    Raises:
        http.client.IncompleteRead: The server left before that.
    """
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


def _socket_of(connection: http.client.HTTPConnection) -> object | None:
    return connection.sock


def _still_open(connection: http.client.HTTPConnection) -> bool:
    """Says whether the server has neither closed a connection nor sent what nobody asked for."""
    waiting = select.poll()
    waiting.register(connection.sock, select.POLLIN)
    return not waiting.poll(0)
