"""File objects that keep their own position and know their length."""

from __future__ import annotations

import io
import os


class Positioned(io.RawIOBase):
    """A seekable binary file of a known length.

    Attributes:
        size: Length in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
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
        """Moves the position and returns it; nothing is read.

        Raises:
            ValueError: The position would be negative.
        """
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("negative position")
        self._position = base + offset
        return self._position


class Gathered(Positioned):
    """A file whose bytes come in parts, which are joined to what is asked for."""

    def _part(self, wanted: int) -> bytes:
        """Returns at least one and at most `wanted` of the bytes at the position."""
        raise NotImplementedError

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fills a buffer; 0 at the end."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """Returns up to `size` bytes, all of them unless the file ends; -1 reads to the end."""
        if self.closed:
            raise ValueError("read of a closed file")
        left = max(0, self.size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted > 0:
            part = self._part(wanted)
            parts.append(part)
            self._position += len(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
