"""Files that follow one another as one file: the segments of a package on disk.

Nothing outside the package's folder is ever opened, whatever its playlist says.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from defectscope.errors import MediaNotFoundError, MediaRefusedError, UnreadableMediaError
from defectscope.media.position import Gathered

# Twelve hours in segments of half a second.
MAX_PIECES = 100_000
_MAX_LIST_BYTES = 32 * 1024 * 1024
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file.

    Attributes:
        path: The file.
        first: Its first byte.
        length: Bytes; None goes to the end of the file.
    """

    path: Path
    first: int = 0
    length: int | None = None


def read_list(path: Path) -> str:
    """Returns the text of a playlist or manifest.

    Raises:
        MediaNotFoundError: It cannot be read.
        UnreadableMediaError: It is no text, or too long.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_LIST_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise MediaNotFoundError(f"{path.name}: {reason}") from None
    if len(raw) > _MAX_LIST_BYTES:
        raise UnreadableMediaError(f"{path.name}: longer than {_MAX_LIST_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableMediaError(f"{path.name}: not a text of UTF-8") from None


def inside(folder: Path, base: Path, reference: str) -> Path:
    """Returns the file that a package names, which lies in the package's own folder.

    Args:
        folder: The package's folder.
        base: Folder that the reference is relative to.
        reference: A relative URI.

    Raises:
        MediaRefusedError: It names another host, an absolute place or one outside the folder.
        MediaNotFoundError: There is no such file.
    """
    if _SCHEME.match(reference) or reference.startswith(("/", "\\")):
        raise MediaRefusedError(
            "the package names a file elsewhere: only relative names in its own folder are read"
        )
    name = unquote(reference.partition("#")[0].partition("?")[0])
    if _CONTROL.search(name) or "\\" in name or name.startswith("/") or not name:
        raise MediaRefusedError("the package holds a name that is no file's")
    try:
        path, root = (base / name).resolve(), folder.resolve()
        if not path.is_relative_to(root):
            raise MediaRefusedError(f"the package leaves its folder: {name[:80]}")
        if not path.is_file():
            raise MediaNotFoundError(f"the package lacks {name[:80]}")
    except (OSError, RuntimeError, ValueError):
        raise MediaRefusedError("the package holds a name that is no file's") from None
    return path


class Joined(Gathered):
    """Pieces one after another as a read-only file; one of them is open at a time.

    Attributes:
        name: What the file is called.
    """

    def __init__(self, pieces: Sequence[Piece], name: str) -> None:
        if not pieces or len(pieces) > MAX_PIECES:
            raise UnreadableMediaError(
                f"{name}: {len(pieces)} segments, where 1 to {MAX_PIECES} are read"
            )
        sizes: dict[Path, int] = {}
        lengths: list[int] = []
        for piece in pieces:
            if piece.path not in sizes:
                sizes[piece.path] = piece.path.stat().st_size
            there = max(0, sizes[piece.path] - piece.first)
            if piece.length is not None and piece.length > there:
                raise UnreadableMediaError(
                    f"{name}: {piece.path.name} is shorter than it should be"
                )
            lengths.append(there if piece.length is None else piece.length)
        super().__init__(sum(lengths))
        self.name = name
        self._pieces = list(pieces)
        self._starts = [0, *accumulate(lengths)]
        self._open: tuple[Path, BinaryIO] | None = None

    def _part(self, wanted: int) -> bytes:
        index = bisect_right(self._starts, self._position) - 1
        offset = self._position - self._starts[index]
        count = min(wanted, self._starts[index + 1] - self._position)
        file = self._file(self._pieces[index].path)
        file.seek(self._pieces[index].first + offset)
        part = file.read(count)
        if not part:
            raise OSError(f"{self.name}: a segment was cut while it was read")
        return part

    def _file(self, path: Path) -> BinaryIO:
        if self._open is None or self._open[0] != path:
            self._shut()
            self._open = path, path.open("rb")
        return self._open[1]

    def _shut(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def close(self) -> None:
        """Closes the piece that is open."""
        if not self.closed:
            self._shut()
        super().close()
