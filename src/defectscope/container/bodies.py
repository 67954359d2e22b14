"""Request bodies as files that a worker opens itself; see `defectscope.serving.handover`."""

from __future__ import annotations

import contextlib
import errno
import shutil
import uuid
import zipfile
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import IO

from defectscope.errors import BodyTooLargeError, OverloadedError
from defectscope.serving.handover import BODY_HEADER, MARKER, PREFIX, TYPE_HEADER

_BLOCK_BYTES = 1024 * 1024
# Errors of a disk that is full, over its quota, or read-only.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# What TorchServe gets for a body; it wants one, and must not read it as a form.
STAND_IN = b"\n"
_STAND_IN_TYPE = "application/octet-stream"


def takes_files(archive: Path) -> bool:
    """Says whether the handler of an archive can be given bodies as files."""
    try:
        with zipfile.ZipFile(archive) as mar:
            return MARKER in mar.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


@contextlib.contextmanager
def kept_in(folder: Path, write: Callable[[IO[bytes]], object]) -> Generator[Path]:
    """Keeps a body in a file for as long as the block lasts.

    Args:
        folder: A private folder.
        write: Writes the body; what it raises is raised.

    Raises:
        OverloadedError: The disk has no room for it.
    """
    path = folder / uuid.uuid4().hex
    try:
        try:
            with path.open("xb") as file:
                write(file)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise OverloadedError("there is no room for the body now; ask again later") from error
        yield path
    finally:
        path.unlink(missing_ok=True)


def write_blocks(file: IO[bytes], blocks: Iterable[bytes], limit: int | None) -> None:
    """Writes a body block by block.

    Raises:
        BodyTooLargeError: It exceeds `limit` bytes.
    """
    size = 0
    for block in blocks:
        size += len(block)
        if limit is not None and size > limit:
            raise BodyTooLargeError(f"the body has more than {limit} bytes")
        file.write(block)


def copy(source: IO[bytes] | bytes, file: IO[bytes]) -> None:
    """Writes what a file, or some bytes, hold from where they are."""
    if isinstance(source, bytes):
        file.write(source)
    else:
        shutil.copyfileobj(source, file, _BLOCK_BYTES)


def handing_over(path: Path, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the headers of a request whose body lies in a file."""
    kept = without_private(headers)
    kind = next((value for name, value in kept if name.lower() == "content-type"), "")
    return [
        *((name, value) for name, value in kept if name.lower() != "content-type"),
        ("Content-Type", _STAND_IN_TYPE),
        (TYPE_HEADER, kind),
        (BODY_HEADER, path.name),
    ]


def without_private(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns headers without those that only the container may send to its worker."""
    return [(name, value) for name, value in headers if not name.lower().startswith(PREFIX)]
