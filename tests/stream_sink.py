"""Takes what a source of the live monitor hands on, for tests."""

from __future__ import annotations

import io
import threading

import av

from defectscope.monitor.stream_clock import PACKET_BYTES, SYNC_BYTE

ENOUGH = 60_000
WAIT_S = 90.0


class Sink:
    """Takes a stream, and looks at it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._changed = threading.Condition()

    def __call__(self, data: bytes, _at_s: float = 0.0) -> None:
        with self._changed:
            self.data += data
            self._changed.notify_all()

    def has(self, count: int = ENOUGH) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.data) >= count, WAIT_S)

    def tracks(self) -> list[str]:
        """Returns the kinds of its tracks, and that a frame of it can be decoded."""
        data = bytes(self.data)
        assert data[0] == data[PACKET_BYTES] == SYNC_BYTE
        with av.open(io.BytesIO(data), format="mpegts") as container:
            assert next(container.decode(video=0)).height
            kinds = [(s.type, getattr(s.codec_context, "height", "")) for s in container.streams]
            return sorted(f"{kind} {height}" for kind, height in kinds)
