"""What a caller may pass as media, told apart without decoding anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from defectscope.client.transport import split_s3
from defectscope.errors import MediaNotFoundError, UnreadableMediaError, UsageError

Media = str | os.PathLike[str] | bytes | BinaryIO

OCTETS = "application/octet-stream"

_BY_SUFFIX = {
    ".aac": "audio/aac",
    ".ac3": "audio/ac3",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".avi": "video/x-msvideo",
    ".flac": "audio/flac",
    ".m2ts": "video/mp2t",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpeg",
    ".mxf": "video/mxf",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".ts": "video/mp2t",
    ".wav": "audio/wav",
    ".webm": "video/webm",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Media with its content type: at an s3:// address, in memory, in a file or in a stream.

    Attributes:
        label: What to call it in messages and, without an address, in reports.
        content_type: By suffix, else by the first bytes, else application/octet-stream.
        uri: Its s3:// or https:// address, when it has one.
        data: Its bytes, when they are in memory.
        path: Its file.
        stream: Its file object, at the position where the media begins.
        size_bytes: How much there is; None for an address or a stream that cannot seek.
    """

    label: str
    content_type: str
    uri: str | None = None
    data: bytes | None = None
    path: Path | None = None
    stream: BinaryIO | None = None
    size_bytes: int | None = None

    def read(self) -> bytes:
        """Returns all bytes of media that is not at an address."""
        if self.data is not None:
            return self.data
        if self.path is not None:
            return self.path.read_bytes()
        if self.stream is None:
            raise UsageError(f"{self.label} is read by the endpoint, not here")
        return self.stream.read()


def source(media: Media, *, content_type: str | None = None) -> Source:
    """Returns media in a form that can be sent.

    Args:
        media: A path, the bytes, an s3:// or https:// address, or a file object opened for bytes.
        content_type: Taken as it is when given.

    Raises:
        MediaNotFoundError: There is no such file.
        UnreadableMediaError: The media is empty.
        UsageError: It is none of the above.
    """
    if isinstance(media, (bytes, bytearray, memoryview)):
        data = bytes(media)
        _refuse_empty(len(data), "the bytes passed as media are empty")
        return Source("(bytes)", content_type or _sniff(data), data=data, size_bytes=len(data))
    if isinstance(media, str) and "://" in media:
        return _address(media, content_type)
    if isinstance(media, (str, os.PathLike)):
        return _file(Path(media), content_type)
    if callable(getattr(media, "read", None)):
        return _stream(media, content_type)
    raise UsageError(f"media is a path, bytes, an address or a file object, not {type(media)!r}")


def _address(uri: str, content_type: str | None) -> Source:
    scheme = uri.partition("://")[0]
    if scheme == "s3":
        try:
            _, key = split_s3(uri)
        except ValueError as error:
            raise UsageError(str(error)) from None
        if not key or key.endswith("/"):
            raise UsageError(f"an s3:// address of an object is wanted, not a prefix: {uri}")
    elif scheme != "https":
        raise UsageError(f"addresses are s3:// or https://, not {scheme}://")
    guess = _BY_SUFFIX.get(PurePosixPath(uri).suffix.lower(), OCTETS)
    return Source(uri, content_type or guess, uri=uri)


def _file(path: Path, content_type: str | None) -> Source:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise MediaNotFoundError(f"{path}: {error.strerror or error}") from None
    _refuse_empty(size, f"{path} is empty")
    guess = _BY_SUFFIX.get(path.suffix.lower()) or _sniff(head)
    return Source(str(path), content_type or guess, path=path, size_bytes=size)


def _stream(stream: BinaryIO, content_type: str | None) -> Source:
    name = getattr(stream, "name", None)
    label = name if isinstance(name, str) else "(stream)"
    seekable = callable(getattr(stream, "seekable", None)) and stream.seekable()
    if not seekable:
        data: Any = stream.read()
        if not isinstance(data, bytes):
            raise UsageError("open the media file in binary mode")
        _refuse_empty(len(data), f"{label} is empty")
        return Source(label, content_type or _sniff(data), data=data, size_bytes=len(data))
    start = stream.tell()
    head: Any = stream.read(64)
    if not isinstance(head, bytes):
        raise UsageError("open the media file in binary mode")
    size = stream.seek(0, os.SEEK_END) - start
    stream.seek(start)
    _refuse_empty(size, f"{label} is empty")
    guess = _BY_SUFFIX.get(Path(label).suffix.lower()) or _sniff(head)
    return Source(label, content_type or guess, stream=stream, size_bytes=size)


def _refuse_empty(size_bytes: int, message: str) -> None:
    if size_bytes == 0:
        raise UnreadableMediaError(message)


def _sniff(head: bytes) -> str:
    """Tells common containers apart by their first bytes."""
    if head[4:8] == b"ftyp":
        return {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4"}.get(head[8:12], "video/mp4")
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in head else "video/x-matroska"
    if head[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}.get(head[8:12], OCTETS)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head[:3] == b"ID3" or head[:2] in (b"\xff\xfb", b"\xff\xf3"):
        return "audio/mpeg"
    for magic, kind in (
        (b"OggS", "video/ogg"),
        (b"fLaC", "audio/flac"),
        (b"\x06\x0e\x2b\x34", "video/mxf"),
        (b"\x00\x00\x01\xba", "video/mpeg"),
        (b"\x47", "video/mp2t"),
    ):
        if head.startswith(magic):
            return kind
    return OCTETS
