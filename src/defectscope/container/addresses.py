"""Ports and Unix sockets: places for them, and connections to who listens there."""

from __future__ import annotations

import contextlib
import http.client
import socket
import tempfile
from pathlib import Path

from defectscope.errors import ServingError

# Source: unix(7): sun_path holds 108 bytes. The longest name below is `tmp/.ts.sock.9000`.
_LONGEST_TEMP_DIR = 60


def connection_to(address: str, timeout_s: float) -> http.client.HTTPConnection:
    """Returns a connection to `http://host:port` or `unix:/path`; the caller closes it."""
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


def free_ports(count: int, *, within: tuple[int, int] | None = None) -> list[int]:
    """Returns TCP ports on loopback that nobody listens on now.

    Args:
        count: How many.
        within: First and last port to choose from; any port where None.

    Raises:
        ServingError: There are not as many.
    """
    candidates = [0] * count if within is None else range(within[0], within[1] + 1)
    with contextlib.ExitStack() as held:
        found: list[int] = []
        for candidate in candidates:
            sock = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                sock.bind(("127.0.0.1", candidate))
                found.append(int(sock.getsockname()[1]))
            if len(found) == count:
                return found
    raise ServingError(
        f"no {count} free ports" + (f" in {within[0]}-{within[1]}" if within else "")
    )


def socket_folder() -> Path:
    """Makes a folder whose path leaves room for sockets: their paths end at about 100 bytes."""
    folder = Path(tempfile.gettempdir()).resolve()
    if len(str(folder)) > _LONGEST_TEMP_DIR and Path("/tmp").is_dir():
        folder = Path("/tmp")
    return Path(tempfile.mkdtemp(prefix="defectscope-ts-", dir=folder))
