"""Several readers of one file object, each with a position of its own."""

from __future__ import annotations

import io
import os
from typing import IO


class Cursor(io.RawIOBase):
    """Reads a shared file object from a position of its own.

    Media is opened more than once: to learn what is in it, to decode it, and for a decoder that is
    started anew. All of that shares one file, whose cache then serves every reader; a demuxer that
    finds its position moved by another would go on with other bytes.

    Not thread-safe, like any file object. Closing it leaves the shared file open.

    Args:
        shared: A seekable binary file.
    """

    def __init__(self, shared: IO[bytes] | io.RawIOBase) -> None:
        super().__init__()
        self._shared = shared
        self._size = shared.seek(0, os.SEEK_END)
        self._position = 0

    def readable(self) -> bool:
        """Returns that it can be read."""
        return True

    def seekable(self) -> bool:
        """Returns that it can be sought in."""
        return True

    def tell(self) -> int:
        """Returns the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves this position alone, and returns it.

        Raises:
            ValueError: The position would be negative.
        """
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("negative position")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Returns up to `size` bytes from this position; -1 reads to the end."""
        self._shared.seek(self._position)
        data = self._shared.read(size) or b""
        self._position += len(data)
        return data
