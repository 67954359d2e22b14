"""Counts the packets that a transport stream misses (TR 101 290, 1.4).

Continuity counters count modulo 16, so that a burst of more than 15 packets of a track wraps them.
What is lost at once is whole datagrams: the total is a multiple of their size, which tells how
often the counters wrapped: up to 15 datagrams of seven packets in a burst are told exactly. In a
stream of a constant rate, the sender's clock tells how much should have come, padding included.
RTP's numbers need none of that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.monitor.datagrams import Datagrams
from defectscope.monitor.stream_clock import (
    CLOCK_HZ,
    WRAP_TICKS,
    Bytes,
    has_payload,
    pcr_rows,
    pcr_ticks,
)

NULL_PID = 0x1FFF
_PIDS = 8192
_COUNTERS = 16
# A counter is not compared over a longer absence, seconds: service tables come twice a second, and
# one of them may be lost.
_COMPARED_S = 1.5
# A burst shows in every track's counter once that track has come again; it is summed up when no
# more has shown for so long, or after so long in a stream that loses all the time, seconds.
_SHOWN_S, _LONGEST_S, _LONGEST_UNEVEN_S = 1.1, 5.0, 15.0
# The rate is taken from so much programme without loss, and known after so much, seconds.
_RATE_S, _KNOWN_S = 4.0, 1.5
# Intervals between clocks whose rates scatter by less than this are of a constant rate.
_CONSTANT = 0.03
# What such an interval lacks is missing from so many datagrams on.
_LACKING = 0.6
# More datagrams than that are never padding alone: the sender sent less.
_NOTHING_BUT_PADDING = 3


@dataclass(frozen=True, slots=True)
class Loss:
    """Packets that are missing in a batch.

    Attributes:
        at_s: When the batch came, on the clock of `time.monotonic`.
        missing: How many.
        packets: How many came, without padding.
        span: Packets before the first gap, from it to the last, and after that, by the gaps of the
            busiest track: the others tell a loss later. None where it has no gap.
    """

    at_s: float
    missing: int
    packets: int
    span: tuple[int, int, int] | None = None


@dataclass(slots=True)
class _Burst:
    """Gaps that are not summed up yet."""

    gaps: int = 0
    came: int = 0
    ticks: int = 0
    quiet_ticks: int = 0


class LossCounter:
    """Counts what one stream misses.

    Args:
        datagrams: What is known of the datagrams that it comes in.

    Attributes:
        breaks: How often a counter did not go on.
    """

    def __init__(self, datagrams: Datagrams) -> None:
        self.breaks = 0
        self._datagrams = datagrams
        self._numbered = 0
        self._counter = np.full(_PIDS, -1, np.int8)
        self._latest: dict[int, bytes] = {}
        self._seen_s = np.full(_PIDS, -np.inf)
        # The track whose clock is followed, and what it told last.
        self._clock: tuple[int, int | None] | None = None
        # Packets and gaps since then.
        self._since_clock = 0, 0
        self._rates: deque[tuple[int, int]] = deque()
        self._rated, self._rate = 0, 0.0
        self._burst: _Burst | None = None
        self._uncounted = False

    def renew(self) -> None:
        """Forgets what came: another stream follows, whose counters begin anew."""
        self._counter[:] = -1
        self._latest.clear()
        self._rates.clear()
        self._rated, self._since_clock = 0, (0, 0)
        self._clock = self._burst = None

    def push(self, rows: Bytes, pids: NDArray[np.int64], at_s: float) -> Loss:
        """Looks at packets that came together, in their order, padding included."""
        own = pids != NULL_PID
        gaps = np.zeros(len(rows), np.int64)
        gaps[own] = self._gaps(rows[own], pids[own], at_s)
        self._seen_s[np.unique(pids)] = at_s
        missing = self._wrapped(rows, pids, gaps) + int(gaps.sum())
        if self._datagrams.missing is not None:
            lost = self._datagrams.missing - self._numbered
            self._numbered = self._datagrams.missing
            missing = max(0, lost) * max(1, self._datagrams.packets)
        packets = int(own.sum())
        if not gaps.any():
            return Loss(at_s, missing, packets)
        busiest = np.bincount(pids[own]).argmax()
        places = np.flatnonzero((gaps > 0) & (pids == busiest))
        if not len(places):
            return Loss(at_s, missing, packets)
        before, after = int(own[: places[0]].sum()), int(own[places[-1] :].sum())
        return Loss(at_s, missing, packets, (before, packets - before - after, after))

    def _gaps(self, rows: Bytes, pids: NDArray[np.int64], at_s: float) -> NDArray[np.int64]:
        """Returns how many packets of its track are missing before each packet, modulo 16."""
        found = np.zeros(len(rows), np.int64)
        counted = np.flatnonzero(has_payload(rows))
        self._uncounted = self._uncounted or len(counted) < len(rows)
        if not len(counted):
            return found
        order = counted[np.argsort(pids[counted], kind="stable")]
        sorted_pids = pids[order]
        counters = (rows[order, 3] & 0x0F).astype(np.int8)
        first = np.concatenate(([True], sorted_pids[1:] != sorted_pids[:-1]))
        before = np.concatenate(([0], counters[:-1])).astype(np.int8)
        known = self._counter[sorted_pids[first]].copy()
        known[at_s - self._seen_s[sorted_pids[first]] > _COMPARED_S] = -1
        before[first] = known
        step = ((counters - before) & 0x0F).astype(np.int64)
        flagged = ((rows[order, 3] & 0x20) != 0) & (rows[order, 4] > 0)
        flagged &= (rows[order, 5] & 0x80) != 0
        gaps = np.where((before < 0) | flagged, 0, (step - 1) % _COUNTERS)
        # The same counter again is a packet sent twice, which is allowed once.
        for place in np.flatnonzero((step == 0) & (gaps > 0)).tolist():
            earlier = (
                self._latest.get(int(sorted_pids[place]))
                if first[place]
                else rows[order[place - 1]].tobytes()
            )
            if earlier is None or earlier == rows[order[place]].tobytes():
                gaps[place] = 0
        last = np.concatenate((first[1:], [True]))
        self._counter[sorted_pids[last]] = counters[last]
        for place in order[last].tolist():
            self._latest[int(pids[place])] = rows[place].tobytes()
        self.breaks += int(np.count_nonzero(gaps))
        found[order] = gaps
        return found

    def _wrapped(self, rows: Bytes, pids: NDArray[np.int64], gaps: NDArray[np.int64]) -> int:
        """Returns packets of bursts that the counters did not tell, once those are over."""
        which = pcr_rows(rows)
        if len(which) and (self._clock is None or not (pids[which] == self._clock[0]).any()):
            self._clock = int(pids[which[0]]), None
        if self._clock is None:
            return 0
        pid, before = self._clock
        which = which[pids[which] == pid]
        self._rate = self._constant_rate()
        sums = np.concatenate(([0], np.cumsum(gaps)))
        found = reached = 0
        came, lost = self._since_clock
        for row, ticks in zip(which.tolist(), pcr_ticks(rows, which).tolist(), strict=True):
            came += row + 1 - reached
            lost += int(sums[row + 1] - sums[reached])
            if before is not None:
                found += self._interval((ticks - before) % WRAP_TICKS, came, lost)
            before, reached, came, lost = ticks, row + 1, 0, 0
        self._clock = pid, before
        self._since_clock = came + len(rows) - reached, lost + int(sums[-1] - sums[reached])
        return found

    def _interval(self, ticks: int, came: int, lost: int) -> int:
        """Takes what came between two clocks, and what was missing in it."""
        usable = 0 < ticks < CLOCK_HZ
        # At a constant rate padding that is lost shows as well, which no counter counts.
        lacks = usable and self._rate * ticks - came > _LACKING * max(1, self._datagrams.packets)
        if self._burst is None and not lost and not lacks:
            if usable:
                self._rates.append((ticks, came))
                self._rated += ticks
                while self._rated > _RATE_S * CLOCK_HZ:
                    self._rated -= self._rates.popleft()[0]
            return 0
        burst = self._burst = self._burst or _Burst()
        burst.gaps += lost
        burst.came += came
        burst.ticks += ticks if usable else 0
        burst.quiet_ticks = 0 if lost or lacks else burst.quiet_ticks + ticks
        # In a stream that loses all the time, a track that did not come again is waited for.
        even = burst.gaps % max(1, self._datagrams.packets) == 0
        longest_s = _LONGEST_S if even else _LONGEST_UNEVEN_S
        over = burst.quiet_ticks >= _SHOWN_S * CLOCK_HZ or burst.ticks >= longest_s * CLOCK_HZ
        if not over and usable:
            return 0
        self._burst = None
        return self._untold(burst, whole=usable)

    def _untold(self, burst: _Burst, *, whole: bool) -> int:
        """Returns how many packets of a burst the counters did not tell."""
        unit = self._datagrams.packets
        if unit < 2:
            return 0
        if self._rate and whole:
            lacking = self._rate * burst.ticks - burst.came
            if not burst.gaps and lacking > _NOTHING_BUT_PADDING * unit:
                return 0
            return max(0, unit * round(lacking / unit) - burst.gaps)
        # A packet that no counter counts may have been among them.
        rests = (0, unit - 1) if self._uncounted else (0,)
        totals = [burst.gaps + _COUNTERS * wraps for wraps in range(unit)]
        total = next((t for t in totals if t % unit in rests), burst.gaps)
        return -(-total // unit) * unit - burst.gaps

    def _constant_rate(self) -> float:
        """Returns the stream's packets per tick where they do not vary, 0 where they do."""
        if self._rated < _KNOWN_S * CLOCK_HZ:
            return 0.0
        each = np.array(self._rates, np.float64)
        rate = each[:, 1].sum() / each[:, 0].sum()
        scatter = float(np.std(each[:, 1] - rate * each[:, 0]) / np.mean(each[:, 1]))
        return float(rate) if scatter < _CONSTANT else 0.0
