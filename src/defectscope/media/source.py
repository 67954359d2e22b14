"""Opens a path, bytes or a file object as a container, and nothing that the container points to.

Media is hostile: a playlist can name other files and hosts. Two independent bars stand in the way:
only self-contained formats are on FFmpeg's white list, and its protocols are cut to local files.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import av
import av.error
from av.container import InputContainer

from defectscope.errors import (
    DefectscopeError,
    MediaNotFoundError,
    MediaRefusedError,
    MediaTooLargeError,
    TooManyStreamsError,
    UnreadableMediaError,
)
from defectscope.media.cursor import Cursor
from defectscope.media.lengths import tag_bytes
from defectscope.media.limits import Limits
from defectscope.media.programmes import HEAD_BYTES, lists_programmes

MediaLike = str | os.PathLike[str] | bytes | bytearray | IO[bytes] | io.RawIOBase

# Self-contained formats only: no hls, dash, concat, image sequences, devices or text scripts.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpegtsraw,mpeg,mpegvideo,mxf,mxf_opatom,avi,flv,"
    "live_flv,asf,ogg,wav,w64,flac,mp3,aac,ac3,eac3,aiff,amr,caf,au,gxf,ivf,h264,hevc,m4v,"
    "mpeg1video,mpeg2video,vc1,obu,av1,dv,nut,rm,yuv4mpegpipe,vob,wtv,y4m,dts,"
    "dtshd,truehd,mlp,loas,wv"
)
# Playlists and manifests: what they name is looked up in their own folder, never by FFmpeg.
_PACKAGES = (".m3u8", ".m3u", ".mpd")
_HEAD_BYTES = 128 * 1024
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}


def display_name(media: MediaLike) -> str:
    """Returns the name under which a report speaks of the media."""
    if isinstance(media, str | os.PathLike):
        return os.fspath(media)
    if isinstance(media, bytes | bytearray):
        return "upload"
    return Path(str(getattr(media, "name", "upload"))).name


def resolve(media: MediaLike, allowed_hosts: Collection[str] = ()) -> MediaLike:
    """Returns something that can be opened: an address becomes a file read piecewise.

    HLS and DASH packages on disk become one file.

    A pipe, and `-` for standard input, are taken down to an unnamed temporary file first: media is
    opened more than once, and many formats keep what is needed first at their end.

    Args:
        media: What was given.
        allowed_hosts: Hosts of which https:// addresses are read; no other is asked.

    Raises:
        MediaRefusedError: The address is of a kind, or of a host, that is not fetched.
        MediaNotFoundError: There is no such object, or it may not be read.
    """
    if media == "-":
        return _taken_down(sys.stdin.buffer, "stdin")
    if not isinstance(media, str) or "://" not in media:
        if isinstance(media, str | os.PathLike) and _is_pipe(Path(media)):
            with Path(media).open("rb") as pipe:
                return _taken_down(pipe, Path(media).name)
        if isinstance(media, str | os.PathLike) and Path(media).suffix.lower() in _PACKAGES:
            from defectscope.media.package import open_package

            return open_package(Path(media))
        return media
    scheme = media.split("://", 1)[0].lower()
    if scheme == "https":
        from defectscope.media.https import open_address

        return open_address(media, allowed_hosts)
    if scheme != "s3":
        raise MediaRefusedError(
            f"{scheme}:// is not fetched; give a path, or an address of s3:// or https://"
        )
    # Loaded here: analyzing a file needs no AWS SDK.
    from defectscope.media.s3 import open_object

    return open_object(media)


@contextmanager
def resolved(media: MediaLike, allowed_hosts: Collection[str] = ()) -> Generator[MediaLike]:
    """Yields what `resolve` gives, and closes afterwards what it had to open.

    Raises:
        MediaError: A read failed meanwhile. Demuxers take that for the end of the file, and half
            an asset is never whole.
    """
    source = resolve(media, allowed_hosts)
    try:
        yield source
    except DefectscopeError:
        failure = getattr(source, "failure", None)
        if isinstance(failure, DefectscopeError):
            raise failure from None
        raise
    finally:
        if source is not media and not isinstance(source, str | bytes | bytearray | os.PathLike):
            source.close()
    failure = getattr(source, "failure", None)
    if isinstance(failure, DefectscopeError):
        raise failure


def _is_pipe(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _taken_down(source: IO[bytes], name: str) -> IO[bytes]:
    """Returns all that comes from a source as a file that has no name and is gone once closed."""
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(source, file, 1 << 20)
        raw = io.FileIO(os.dup(file.fileno()), "rb")
    raw.name = name
    held = io.BufferedReader(raw)
    held.seek(0)
    return held


def peek(media: MediaLike, count: int = HEAD_BYTES) -> tuple[bytes, int]:
    """Returns the beginning of media, `count` bytes at most, and its whole size in bytes."""
    if isinstance(media, bytes | bytearray):
        return bytes(media[:count]), len(media)
    if isinstance(media, str | os.PathLike):
        try:
            with Path(media).open("rb") as file:
                return file.read(count), os.fstat(file.fileno()).st_size
        except OSError:
            return b"", 0
    size = media.seek(0, os.SEEK_END)
    media.seek(0)
    return media.read(count) or b"", size


def head_of(media: MediaLike) -> bytes:
    """Returns as much of the beginning of media as says what is in it, 4 MB at most.

    Reading costs time and money where media lies far away: most formats need little, a transport
    stream goes on until its programmes are known, and tags before MP3 may hold a cover.
    """
    count = _HEAD_BYTES
    while True:
        head, size = peek(media, count)
        enough = tag_bytes(head) + _HEAD_BYTES // 2 <= count and lists_programmes(head)
        if enough or count >= min(size, HEAD_BYTES):
            return head
        count = min(4 * count, HEAD_BYTES)


def open_container(media: MediaLike, limits: Limits) -> InputContainer:
    """Opens media for demuxing.

    Args:
        media: A local path, the bytes themselves, or a seekable binary file object.
        limits: Bounds; `max_bytes` applies to bytes.

    Raises:
        MediaNotFoundError: There is no such file, or it may not be read.
        MediaTooLargeError: More bytes than the limit.
        TooManyStreamsError: More streams than the limit.
        UnreadableMediaError: Empty, or not a self-contained media format.
    """
    name = display_name(media)
    target: Any
    if isinstance(media, str | os.PathLike):
        path = Path(media)
        try:
            # Opened and closed to learn why it cannot be read, which FFmpeg says less clearly.
            with path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            reason = error.strerror or "cannot be read"
            raise MediaNotFoundError(f"{name}: {reason.lower()}") from None
        if empty:
            raise UnreadableMediaError(f"{name}: the file is empty")
        # The prefix keeps a name such as `http:x` a file name.
        target = "file:" + os.fspath(path)
    elif isinstance(media, bytes | bytearray):
        if not media:
            raise UnreadableMediaError("the upload is empty")
        if len(media) > limits.max_bytes:
            raise MediaTooLargeError(
                f"the upload has {len(media)} bytes, the limit is {limits.max_bytes}"
            )
        target = io.BytesIO(media)
    else:
        target = Cursor(media)
    try:
        container: Any = av.open(
            target, mode="r", options=dict(_OPTIONS), metadata_errors="replace"
        )
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise UnreadableMediaError(f"{name}: not a media file ({_reason(error)})") from None
    if len(container.streams) > limits.max_streams:
        count = len(container.streams)
        container.close()
        raise TooManyStreamsError(f"{name}: {count} streams, the limit is {limits.max_streams}")
    return container


def _reason(error: BaseException) -> str:
    """FFmpeg's own words without the path, which may be private."""
    text = getattr(error, "strerror", None) or str(error)
    return str(text).split(":")[0].strip().lower() or "unknown reason"
