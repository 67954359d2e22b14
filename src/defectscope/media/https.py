"""Reads https resources in ranges, from public addresses only and without following redirects."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from defectscope.errors import (
    MediaNotFoundError,
    MediaRefusedError,
    MediaUnavailableError,
    ObjectTooLargeError,
    UnreadableMediaError,
)
from defectscope.media.ranged import RangedFile

# For each wait, and for a whole request: a host that sends a byte now and then holds nobody up.
_TIMEOUT_S, _LONGEST_S = 30.0, 120.0
# The largest resource that is begun with; larger ones are copied first.
MAX_RESOURCE_BYTES = 500_000_000_000
_MAX_CHARACTERS = 4096
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ATTEMPTS = 3
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

Connect = Callable[[str], http.client.HTTPSConnection]
"""Returns a connection to a host that may be talked to."""


@dataclass(frozen=True, slots=True)
class HttpsAddress:
    """A resource of a host.

    Attributes:
        host: In lower case.
        target: Path and query as they go onto the request line.
    """

    host: str
    target: str

    @property
    def uri(self) -> str:
        """The address as text, without its query, which may hold a signature."""
        return f"https://{self.host}{self.target.partition('?')[0]}"


def https_address(uri: str) -> HttpsAddress:
    """Returns the parts of an address; no message repeats it, for it may hold a password.

    Raises:
        MediaRefusedError: It is none, holds credentials, or names a port other than 443.
    """
    if len(uri) > _MAX_CHARACTERS or _CONTROL.search(uri):
        raise MediaRefusedError("the uri is too long, or holds control characters")
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise MediaRefusedError("the uri is not a valid https address") from None
    host = (parts.hostname or "").lower()
    if parts.username is not None or parts.password is not None or "\\" in uri or "@" in host:
        raise MediaRefusedError("the uri must not hold credentials")
    if parts.scheme.lower() != "https" or not host:
        raise MediaRefusedError("the uri is not a valid https address")
    if port not in (None, 443):
        raise MediaRefusedError("https addresses are read from port 443 only")
    if not uri.isascii() or " " in uri:
        raise MediaRefusedError("the uri must be percent-encoded")
    target = parts.path or "/"
    return HttpsAddress(host, f"{target}?{parts.query}" if parts.query else target)


def open_address(
    uri: str,
    allowed_hosts: Collection[str],
    *,
    connect: Connect | None = None,
    max_bytes: int = MAX_RESOURCE_BYTES,
) -> RangedFile:
    """Opens an address of a host that the caller has allowed by name.

    Args:
        uri: `https://host/path?query`.
        allowed_hosts: Hosts that may be asked, in lower case.
        connect: Makes the connection; to public addresses alone where None.
        max_bytes: The largest resource that is begun with.

    Raises:
        MediaRefusedError: The host was not allowed, is not a public one, or wants to redirect.
        ObjectTooLargeError: It has more bytes than the limit.
        MediaError: As `open_resource` does.
    """
    address = https_address(uri)
    if address.host not in {host.lower() for host in allowed_hosts}:
        raise MediaRefusedError(
            f"{address.host} is not asked for media unless it was allowed by name (--allow-host)"
        )
    file = open_resource(address.host, address.target, connect=connect or connect_public)
    if file.size > max_bytes:
        raise ObjectTooLargeError(f"{address.uri}: {file.size} bytes, the limit is {max_bytes}")
    return file


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
    if not all(_is_public(ipaddress.ip_address(address)) for address in addresses):
        raise MediaRefusedError(f"{host} is not a public address")
    connection = http.client.HTTPSConnection(host, timeout=_TIMEOUT_S)
    plain = socket.create_connection((addresses[0], 443), timeout=_TIMEOUT_S)
    try:
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    return connection


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


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
            limit_s = threading.Timer(_LONGEST_S, _cut, (connection,))
            limit_s.daemon = True
            try:
                limit_s.start()
                connection.request(
                    "GET", target, headers={"Accept-Encoding": "identity", **headers}
                )
                answer = connection.getresponse()
                data = answer.read(limit) if answer.status == 206 else b""
                match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                etag = answer.headers.get("ETag")
            finally:
                limit_s.cancel()
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


def _cut(connection: http.client.HTTPSConnection) -> None:
    """Ends what a connection waits for."""
    with contextlib.suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
