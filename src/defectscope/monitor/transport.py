"""Reads a transport stream before the decoder does: what was lost, and what the tables promise.

All packets of a quarter of a second are looked at together. The measures are those of ETSI TR 101
290, first and second priority; each is named by its number there.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from defectscope.monitor.datagrams import Datagrams
from defectscope.monitor.loss_count import NULL_PID, Loss, LossCounter
from defectscope.monitor.psi import PAT_PID, Tables, TrackEntry
from defectscope.monitor.stream_clock import (
    CLOCK_HZ,
    PACKET_BYTES,
    SYNC_BYTE,
    WRAP_TICKS,
    Bytes,
    pcr_rows,
    pcr_ticks,
    pids_of,
)

_BATCH_S = 0.25
_BATCH_BYTES = 2_000_000
_PIDS = 8192
# Consecutive wrong sync bytes that mean that packets are no longer found (1.1).
_SYNC_LOST = 2
# Longest distance of tables (1.3, 1.5) and clocks (2.3a), seconds; that of clocks is ISO/IEC
# 13818-1's own, as most encoders keep to it and not to DVB's 40 ms.
_TABLE_S, _CLOCK_S = 0.5, 0.1
# A track that its programme's map names and that is silent for so long is missing (1.6), seconds.
TRACK_S = 1.0
# A clock that parts from the time of arrival by more has been set anew, seconds.
_STEP_S = 0.4
# Clocks are not compared over a longer pause, seconds.
_COMPARED_S = 1.0
_MAX_LOSSES = 4096


@dataclass(slots=True)
class Counts:
    """What a stream has shown since it was opened.

    Attributes:
        packets: Packets that came, without padding.
        missing: Packets that are missing.
        errors: How often each measure of TR 101 290 was broken, by its number.
    """

    packets: int = 0
    missing: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])


class TransportAnalyzer:
    """Follows one transport stream.

    Args:
        datagrams: What is known of the datagrams that it comes in.

    Attributes:
        counts: Totals.
        tables: What the programme tables say.
        losses: Recent batches, the oldest first; whoever handles them takes them.
        steps: (when, by how many seconds) the sender's clock was set anew.
    """

    def __init__(self, datagrams: Datagrams | None = None) -> None:
        self.counts = Counts()
        self.tables = Tables()
        self.losses: deque[Loss] = deque(maxlen=_MAX_LOSSES)
        self.steps: deque[tuple[float, float]] = deque(maxlen=_MAX_LOSSES)
        self.bytes = 0
        self._parts: list[bytes] = []
        self._size, self._due_s, self._came_s = 0, 0.0, 0.0
        self._flushed_s = -np.inf
        self._rest = b""
        self._counter = LossCounter(datagrams or Datagrams())
        self._seen_s = np.full(_PIDS, -np.inf)
        self._table_late: set[int] = set()
        self._clock_pid: int | None = None
        self._clock: tuple[int, float] | None = None
        self._clock_row_s = 0.0

    def push(self, data: bytes, at_s: float) -> None:
        """Takes what came at an instant; looks at it once a quarter of a second is together.

        Args:
            data: Bytes; none where what follows is another stream.
            at_s: When they came, seconds.
        """
        if not data:
            self.flush(self._came_s)
            self._counter.renew()
            self._rest, self._clock = b"", None
            return
        if self._parts and at_s - self._came_s > _BATCH_S:
            # What came before a pause is not to be taken for what came after it.
            self.flush(self._came_s)
        self._came_s = at_s
        if not self._parts:
            self._due_s = at_s + _BATCH_S
        self._parts.append(data)
        self._size += len(data)
        if at_s >= self._due_s or self._size >= _BATCH_BYTES:
            self.flush(at_s)

    def flush(self, at_s: float) -> None:
        """Looks at what is together."""
        data = self._rest + b"".join(self._parts)
        self.bytes += self._size
        self._parts.clear()
        self._size = 0
        rows = self._aligned(data)
        self._flushed_s = at_s
        if len(rows):
            self._analyze(rows, at_s)

    def missing_tracks(self) -> list[TrackEntry]:
        """Returns the tracks that the tables name and that have not come while others have."""
        return [
            track
            for track in self.tables.entries()
            if track.medium != "other"
            and self._flushed_s - self._seen_s[track.pid] > TRACK_S
            and np.isfinite(self._seen_s[track.pid])
        ]

    def _aligned(self, data: bytes) -> Bytes:
        """Returns whole packets and keeps the rest; looks for the next sync byte if need be."""
        count = len(data) // PACKET_BYTES
        rows = np.frombuffer(data, np.uint8)[: count * PACKET_BYTES].reshape(count, PACKET_BYTES)
        wrong = rows[:, 0] != SYNC_BYTE
        if not wrong.any():
            self._rest = data[count * PACKET_BYTES :]
            return rows
        self.counts.errors["1.2"] += int(wrong.sum())
        if count < _SYNC_LOST or not (wrong[1:] & wrong[:-1]).any():
            self._rest = data[count * PACKET_BYTES :]
            return rows[~wrong]
        self.counts.errors["1.1"] += 1
        raw = np.frombuffer(data, np.uint8)
        found = np.flatnonzero(raw[: max(0, len(raw) - PACKET_BYTES)] == SYNC_BYTE)
        again = found[raw[found + PACKET_BYTES] == SYNC_BYTE] if len(found) else found
        if not len(again):
            self._rest = b""
            return rows[:0]
        first = int(again[0])
        count = (len(data) - first) // PACKET_BYTES
        self._rest = data[first + count * PACKET_BYTES :]
        rows = raw[first : first + count * PACKET_BYTES].reshape(count, PACKET_BYTES)
        return rows[rows[:, 0] == SYNC_BYTE]

    def _analyze(self, rows: Bytes, at_s: float) -> None:
        pids = pids_of(rows)
        damaged = (rows[:, 1] & 0x80) != 0
        if damaged.any():
            self.counts.errors["2.1"] += int(damaged.sum())
            rows, pids = rows[~damaged], pids[~damaged]
        breaks = self._counter.breaks
        loss = self._counter.push(rows, pids, at_s)
        broken = self._counter.breaks - breaks
        if broken:
            self.counts.errors["1.4"] += broken
        own = pids != NULL_PID
        rows, pids = rows[own], pids[own]
        self.counts.packets += loss.packets
        self.counts.missing += loss.missing
        self.losses.append(loss)
        self._read_tables(rows, pids, at_s)
        self._read_clock(rows, pids, at_s, lost=broken > 0)
        self._seen_s[np.unique(pids)] = at_s

    def _read_tables(self, rows: Bytes, pids: NDArray[np.int64], at_s: float) -> None:
        which = np.flatnonzero(np.isin(pids, self.tables.pids))
        damaged = self.tables.crc_errors
        for row in which.tolist():
            self.tables.push(int(pids[row]), rows[row].tobytes())
        if self.tables.crc_errors > damaged:
            self.counts.errors["2.2"] += self.tables.crc_errors - damaged
        present = set(pids[which].tolist())
        for pid in self.tables.pids.tolist():
            late = pid not in present and at_s - self._seen_s[pid] > _TABLE_S
            if late and pid not in self._table_late and np.isfinite(self._seen_s[pid]):
                self.counts.errors["1.3" if pid == PAT_PID else "1.5"] += 1
            (self._table_late.add if late else self._table_late.discard)(pid)

    def _read_clock(self, rows: Bytes, pids: NDArray[np.int64], at_s: float, *, lost: bool) -> None:
        """Compares the sender's clock with the time of arrival (2.3)."""
        which = pcr_rows(rows)
        if not len(which):
            return
        if self._clock_pid is None or not (pids[which] == self._clock_pid).any():
            self._clock_pid, self._clock = int(pids[which[0]]), None
        which = which[pids[which] == self._clock_pid]
        ticks = pcr_ticks(rows, which)
        if self._clock is not None:
            ticks_before, before_s = self._clock
            ticks = np.concatenate(([ticks_before], ticks))
            passed_s = at_s - before_s
        else:
            passed_s = None
        steps = (np.diff(ticks) + WRAP_TICKS // 2) % WRAP_TICKS - WRAP_TICKS // 2
        steps_s = steps / CLOCK_HZ
        if not lost:
            self.counts.errors["2.3a"] += int(np.count_nonzero(steps_s > _CLOCK_S))
        if passed_s is not None and len(steps_s):
            # Arrival jitters by a batch at most.
            parted_s = float(steps_s.sum()) - passed_s
            largest = float(steps_s[np.argmax(np.abs(steps_s))])
            if abs(parted_s) > _STEP_S and abs(largest) > _STEP_S and passed_s < _COMPARED_S:
                self.counts.errors["2.3b"] += 1
                self.steps.append((at_s, largest))
        self._clock = int(ticks[-1]), at_s
