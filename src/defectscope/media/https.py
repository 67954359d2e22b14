"""Reads https resources in ranges, from public addresses only and without following redirects."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable

from defectscope.errors import (
    MediaNotFoundError,
    MediaRefusedError,
    MediaUnavailableError,
    UnreadableMediaError,
)
from defectscope.media.ranged import RangedFile

_TIMEOUT_S = 30.0
_ATTEMPTS = 3
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

Connect = Callable[[str], http.client.HTTPSConnection]
"""Returns a connection to a host that may be talked to."""


def connect_public(host: str) -> http.client.HTTPSConnection:
    """Connects to a host when every address that its name has is a public one.

    The connection goes to the very address that was checked, so that a name server cannot give
    another answer the second time; the certificate is checked against the name.

    Raises:
        MediaRefusedError: The name leads into a private, local or reserved network.
        OSError: There is no such host, or it does not answer.
    """
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not all(ipaddress.ip_address(address).is_global for address in addresses):
        raise MediaRefusedError(f"{host} is not a public address")
    connection = http.client.HTTPSConnection(host, timeout=_TIMEOUT_S)
    plain = socket.create_connection((addresses[0], 443), timeout=_TIMEOUT_S)
    try:
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    return connection


def open_resource(host: str, target: str, *, connect: Connect = connect_public) -> RangedFile:
    """Opens `https://host/target` as a seekable file that fetches only what is read.

    Args:
        host: Host name, already allowed by the caller's policy.
        target: Path and query.
        connect: Makes the connection.

    Raises:
        MediaRefusedError: The host is not a public one, or wants to redirect.
        MediaNotFoundError: There is no such resource, or it may not be read.
        MediaUnavailableError: It cannot be reached.
        UnreadableMediaError: It is empty, or not served in ranges.
    """
    label = f"https://{host}{target.partition('?')[0]}"
    size, etag = _probe(host, target, label, connect)

    def fetch(first: int, last: int) -> bytes:
        headers = {"Range": f"bytes={first}-{last - 1}", **({"If-Match": etag} if etag else {})}
        status, content_range, data = _get(host, target, headers, last - first, label, connect)
        if status == 412 or (content_range is not None and content_range[2] != size):
            raise UnreadableMediaError(f"{label}: the resource changed while it was read")
        if status != 206 or content_range is None or content_range[0] != first:
            raise UnreadableMediaError(f"{label}: the host does not serve ranges")
        if len(data) != last - first:
            raise MediaUnavailableError(f"{label}: the host gave less than it promised")
        return data

    return RangedFile(fetch, size, name=target.partition("?")[0].rpartition("/")[2])


def _probe(host: str, target: str, label: str, connect: Connect) -> tuple[int, str | None]:
    status, content_range, _ = _get(host, target, {"Range": "bytes=0-0"}, 1, label, connect)
    if status in (401, 403, 404, 410):
        raise MediaNotFoundError(f"{label}: no such resource, or it may not be read")
    if 300 <= status < 400:
        raise MediaRefusedError(f"{label}: redirects are not followed")
    if status >= 500 or status == 429:
        raise MediaUnavailableError(f"{label}: the host answered {status}")
    if status == 416:
        raise UnreadableMediaError(f"{label}: the resource is empty")
    if status != 206 or content_range is None:
        raise UnreadableMediaError(f"{label}: the host does not serve ranges (status {status})")
    return content_range[2], content_range[3]


def _get(
    host: str, target: str, headers: dict[str, str], limit: int, label: str, connect: Connect
) -> tuple[int, tuple[int, int, int, str | None] | None, bytes]:
    """One GET, tried again where the network fails; never reads more than `limit` bytes."""
    for attempt in range(_ATTEMPTS):
        try:
            connection = connect(host)
            try:
                connection.request(
                    "GET", target, headers={"Accept-Encoding": "identity", **headers}
                )
                answer = connection.getresponse()
                data = answer.read(limit) if answer.status == 206 else b""
                match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                etag = answer.headers.get("ETag")
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            if attempt + 1 == _ATTEMPTS:
                kind = type(error).__name__
                raise MediaUnavailableError(f"{label}: cannot be reached ({kind})") from None
            continue
        if match is None:
            return answer.status, None, data
        strong = etag if etag and not etag.startswith("W/") else None
        first, last, size = (int(number) for number in match.groups())
        return answer.status, (first, last, size, strong), data
    raise AssertionError("the loop returns or raises")
