"""Ranges of large objects: moto would read an object whole for each range that is asked of it."""

from __future__ import annotations

import re
import threading
from typing import IO, Any, cast

# A range that moto cuts out of the object by itself; for others it gives the whole of it.
_ONE_RANGE = re.compile(r"bytes=(\d+)-(\d*)|bytes=-\d+")
_LEAST_BYTES = 1024 * 1024


class Window:
    """Stands for an object's bytes and reads those that are asked of it by index.

    Args:
        file: Where the bytes lie.
        size: How many there are.
        lock: Held while the file is sought and read.
    """

    def __init__(self, file: IO[bytes], size: int, lock: threading.Lock) -> None:
        self._file = file
        self._size = size
        self._lock = lock

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        first, last, _ = part.indices(self._size)
        with self._lock:
            self._file.seek(first)
            return self._file.read(max(0, last - first))


def read_ranges_only() -> None:
    """Makes moto, in this process, read of a large object only the range that is asked of it."""
    from moto.s3.models import FakeKey
    from moto.s3.responses import S3Response
    from werkzeug.datastructures import Headers

    asked = threading.local()
    whole: Any = FakeKey.value
    get_object: Any = S3Response.get_object

    def value(key: Any) -> Any:
        size = int(key.contentsize)
        if size < _LEAST_BYTES or not getattr(asked, "ranged", False):
            return whole.fget(key)
        return Window(cast("IO[bytes]", key._value_buffer), size, key.lock)

    def get(response: Any) -> Any:
        found = _ONE_RANGE.fullmatch(str(response.headers.get("Range", "")))
        asked.ranged = found is not None
        if found is not None and found[2] and int(found[2]) < int(found[1]):
            # Source: RFC 9110, section 14.1.1: an invalid range is ignored.
            asked.ranged = False
            kept = [(k, v) for k, v in response.headers.items() if k.lower() != "range"]
            response.headers = Headers(kept)
        try:
            return get_object(response)
        finally:
            asked.ranged = False

    setattr(FakeKey, "value", property(value, whole.fset))  # noqa: B010
    setattr(S3Response, "get_object", get)  # noqa: B010
