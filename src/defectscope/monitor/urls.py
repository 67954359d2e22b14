"""Addresses of channels: which kinds there are, and how they are told without their secrets."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from defectscope.errors import InvalidParameterError
from defectscope.monitor.receiver import Address

# How each is read: by a socket of our own, by FFmpeg in this process, or by the relay.
SCHEMES = (
    "udp", "rtp", "file",
    "rtmp", "rtmps", "rtsp", "rtsps", "http", "https",
    "srt", "rist", "dash+http", "dash+https",
)  # fmt: skip
# Words, in a path or query, after which a secret stands.
_SECRET = re.compile(
    r"(?i)((?:pass(?:word|phrase|wd)?|token|key|secret|sig(?:nature)?|auth|streamid)=)[^&\s]*"
)


def check_url(url: str) -> str:
    """Returns how an address is read: its scheme; `dash` for `dash+https`; `-` for a pipe.

    Raises:
        InvalidParameterError: It is no address that a channel can come from.
    """
    if url == "-":
        return url
    scheme = url.split("://", 1)[0].lower() if "://" in url else ""
    if scheme not in SCHEMES:
        choice = ", ".join(f"{s}://" for s in SCHEMES)
        raise InvalidParameterError(f"{masked(url)} is none of {choice}")
    if scheme in ("udp", "rtp"):
        udp_address(url)
    return "dash" if scheme.startswith("dash+") else scheme


def udp_address(url: str) -> Address:
    """Reads `udp://[interface@]host:port` or `udp://@group:port`, as FFmpeg and VLC write it.

    Raises:
        InvalidParameterError: There is no port, or it is out of range.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidParameterError(f"{masked(url)} has no port from 1 to 65535") from None
    if port is None:
        raise InvalidParameterError(f"{masked(url)} has no port")
    query = parse_qs(parts.query)
    interface = (query.get("localaddr") or [parts.username or ""])[0]
    return Address(parts.hostname or "0.0.0.0", port, interface)


def masked(url: str) -> str:
    """Returns an address without user, password, stream key and other secrets."""
    if "://" not in url:
        return url
    scheme, rest = url.split("://", 1)
    place, slash, path = rest.partition("/")
    place = place.rsplit("@", 1)[-1].split("?")[0]
    shown = f"{scheme}://{place}"
    if scheme.lower().startswith(("rtmp", "rtsp", "http", "dash")) and slash:
        # What follows the first part of the path may be a key.
        first = path.split("?")[0].split("/")[0]
        return f"{shown}/{first}" + ("/..." if len(path) > len(first) else "")
    return _SECRET.sub(r"\1...", shown + (slash + path.split("?")[0] if slash else ""))
