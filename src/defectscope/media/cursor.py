"""Several readers of one file object, each with a position of its own."""

from __future__ import annotations

import io
import os
from typing import IO

from defectscope.media.position import Positioned


class Cursor(Positioned):
    """Reads a shared file object from a position of its own.

    Media is opened more than once: to learn what is in it, to decode it, and for a decoder that is
    started anew. All of that shares one file, whose cache then serves every reader; a demuxer that
    finds its position moved by another would go on with other bytes.

    Not thread-safe, like any file object. Closing it leaves the shared file open.

    Args:
        shared: A seekable binary file.
    """

    def __init__(self, shared: IO[bytes] | io.RawIOBase) -> None:
        super().__init__(shared.seek(0, os.SEEK_END))
        self._shared = shared

    def read(self, size: int = -1, /) -> bytes:
        """Returns up to `size` bytes from this position; -1 reads to the end."""
        self._shared.seek(self._position)
        data = self._shared.read(size) or b""
        self._position += len(data)
        return data
