"""A bounded queue of bytes between the socket and the decoder.

What overflows it is our own slowness and is counted as such; what never arrived is the network's
and is counted from the transport stream.
"""

from __future__ import annotations

import threading
import time
from collections import deque

# Four seconds at 16 Mbit/s.
MAX_BYTES = 8_000_000


class Inlet:
    """Takes bytes from one thread and gives them to another as a file does.

    Attributes:
        overrun_bytes: What came while the queue was full, and was let go.
        begun_s: When the first data came after the last end, on the clock of `time.monotonic`.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES, idle_s: float = 2.0) -> None:
        """Opens a queue.

        Args:
            max_bytes: What it holds at most.
            idle_s: After so long without data it reads as ended, seconds.
        """
        self.overrun_bytes = 0
        self._max_bytes, self._idle_s = max_bytes, idle_s
        self._parts: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._closed = False
        self._changed = threading.Condition()
        self._read_until_s = self.begun_s = time.monotonic()
        self._ended = True

    @property
    def waiting_bytes(self) -> int:
        """Bytes received and not yet read."""
        return self._held_bytes

    @property
    def read_until_s(self) -> float:
        """When the newest data came that were read, on the clock of `time.monotonic`."""
        return self._read_until_s

    def waiting_s(self, now_s: float) -> float:
        """Returns how long the oldest data have been waiting to be read, seconds."""
        with self._changed:
            return now_s - self._parts[0][0] if self._parts else 0.0

    @property
    def has_ended(self) -> bool:
        """Whether it read as ended and nothing has come since."""
        return self._ended

    def put(self, data: bytes, at_s: float) -> bool:
        """Takes data that came at an instant; tells whether there was room for them."""
        with self._changed:
            if self._held_bytes + len(data) > self._max_bytes:
                self.overrun_bytes += len(data)
                return False
            self._parts.append((at_s, data))
            self._held_bytes += len(data)
            self._changed.notify()
        return True

    def close(self) -> None:
        """Ends it: what waits is still read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cut(self) -> None:
        """Has it read as ended once where it is now: what follows is opened anew."""
        with self._changed:
            self._parts.append((time.monotonic(), b""))
            self._changed.notify()

    def read(self, size: int) -> bytes:
        """Returns at most `size` bytes, none once it has ended or nothing comes for too long."""
        with self._changed:
            if not self._parts and not self._closed:
                self._changed.wait_for(lambda: self._parts or self._closed, self._idle_s)
            out: list[bytes] = []
            left = size
            while self._parts and left > 0:
                at_s, data = self._parts.popleft()
                if not data:
                    if out:
                        self._parts.appendleft((at_s, data))
                    break
                if len(data) > left:
                    self._parts.appendleft((at_s, data[left:]))
                    data = data[:left]
                out.append(data)
                left -= len(data)
                self._read_until_s = at_s
                if self._ended:
                    self.begun_s, self._ended = at_s, False
            taken = b"".join(out)
            self._held_bytes -= len(taken)
            self._ended = self._ended or not taken
            return taken
