"""Connections to a server that listens on a port or on a Unix socket."""

from __future__ import annotations

import http.client
import socket


def connection_to(address: str, timeout_s: float) -> http.client.HTTPConnection:
    """Gives a connection to `http://host:port` or `unix:/path`; the caller closes it."""
    if address.startswith("unix:"):
        return UnixConnection(address.removeprefix("unix:"), timeout_s)
    return http.client.HTTPConnection(address.removeprefix("http://"), timeout=timeout_s)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, which no other user of the machine can reach."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Opens the socket."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        self.sock = sock
