"""A seekable file on top of byte-range requests: only the parts that are analyzed are read.

A container is read in a few runs: its head, its index (at the head or at the tail) and one or two
runs through the media itself. Each run that goes on fetches larger pieces, in proportion to what
it has read already: a long run costs few requests, and little is fetched past its end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from defectscope.media.position import Gathered

BLOCK_BYTES = 128 * 1024
# A request fetches at most this much; at 50 ms a request it still allows 80 MB/s.
_MAX_FETCH_BYTES = 4 * 1024 * 1024
# A run fetches ahead a quarter of what it has read: what is read past its end stays below that.
_AHEAD_SHARE = 4
# video and sound of a file that does not interleave them are two runs; the index is a third.
_MAX_RUNS = 6

Fetch = Callable[[int, int], bytes]
"""Returns bytes [first, last) of the resource; raises a `MediaError` where it cannot."""


class RangedFile(Gathered):
    """A read-only binary file whose bytes are fetched in ranges and kept in a bounded cache.

    Not thread-safe, like any file object.

    Attributes:
        name: What the file is called; its suffix names the format of captions.
        size: Length in bytes.
        bytes_fetched: Bytes asked for so far.
        requests: Ranges asked for so far.
        failure: The error that ended a fetch. Demuxers take a failed read for the end of the
            file, so whoever analyzed the media looks here before believing the result.
    """

    def __init__(
        self, fetch: Fetch, size: int, *, name: str, cache_bytes: int = 32 * 1024 * 1024
    ) -> None:
        super().__init__(size)
        self.name = name
        self.bytes_fetched = 0
        self.requests = 0
        self.failure: Exception | None = None
        self._fetch = fetch
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._max_blocks = max(cache_bytes, 2 * _MAX_FETCH_BYTES) // BLOCK_BYTES
        # Block after the end of a run -> bytes of the run, latest last.
        self._runs: OrderedDict[int, int] = OrderedDict()

    def _part(self, wanted: int) -> bytes:
        index, offset = divmod(self._position, BLOCK_BYTES)
        return self._block(index)[offset : offset + wanted]

    def _block(self, index: int) -> bytes:
        block = self._blocks.get(index)
        if block is None:
            self._load(index)
            block = self._blocks[index]
        else:
            self._blocks.move_to_end(index)
        return block

    def _load(self, index: int) -> None:
        """Fetches the block and what the run it continues is likely to want next."""
        run_bytes = self._runs.pop(index, 0)
        ahead = min(run_bytes // _AHEAD_SHARE, _MAX_FETCH_BYTES) // BLOCK_BYTES
        last = index + 1
        last_block = -(-self.size // BLOCK_BYTES)
        while last < min(index + max(1, ahead), last_block) and last not in self._blocks:
            last += 1
        first_byte, last_byte = index * BLOCK_BYTES, min(last * BLOCK_BYTES, self.size)
        try:
            data = self._fetch(first_byte, last_byte)
        except Exception as error:
            self.failure = error
            raise
        self.requests += 1
        self.bytes_fetched += len(data)
        for position in range(0, len(data), BLOCK_BYTES):
            self._blocks[index + position // BLOCK_BYTES] = data[position : position + BLOCK_BYTES]
        while len(self._blocks) > self._max_blocks:
            self._blocks.popitem(last=False)
        self._runs[last] = run_bytes + len(data)
        while len(self._runs) > _MAX_RUNS:
            self._runs.popitem(last=False)
