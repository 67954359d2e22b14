"""The measurements of the last seconds: rows come as they become final, and go as they age."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from defectscope.measurements import Measurements, Table


class Window:
    """Holds what every detector measured of the last seconds of a channel.

    Args:
        length_s: How far back rows are kept, seconds.
    """

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._kept: dict[str, dict[str, Table]] = {}

    def add(self, taken: Mapping[str, Measurements]) -> None:
        """Takes copies of rows that came after those before."""
        for name, measured in taken.items():
            kept = self._kept.setdefault(name, {})
            for key, table in measured.tables.items():
                kept[key] = _joined(kept[key], table) if key in kept else _copied(table)

    def forget_before(self, end_s: float, names: Collection[str]) -> None:
        """Lets rows of some detectors go that the window has left when it ends at an instant."""
        first_s = Fraction(end_s - self._length_s).limit_denominator(1_000_000)
        ticks: dict[tuple[int, int], float] = {}
        for name in names:
            kept = self._kept.get(name, {})
            for key, table in kept.items():
                grid = table.ticks_hz
                if grid not in ticks:
                    ticks[grid] = float(first_s * Fraction(*grid))
                first = bisect_left(table.anchors, ticks[grid])
                if first:
                    kept[key] = table.rows(first, len(table))

    def measurements(self, names: Collection[str]) -> dict[str, Measurements]:
        """Returns what is held of some detectors, by their names."""
        return {n: Measurements(n, dict(kept)) for n, kept in self._kept.items() if n in names}

    def edge_s(self, name: str) -> float:
        """Returns how far a detector has measured, seconds; minus infinity where nowhere."""
        tables = self._kept.get(name, {})
        return max((t.seconds(len(t) - 1) for t in tables.values() if len(t)), default=-np.inf)


def _copied(table: Table) -> Table:
    return Table(table.ticks_hz, {k: array(v.typecode, v) for k, v in table.columns.items()})


def _joined(kept: Table, table: Table) -> Table:
    if not len(table):
        return kept
    columns = {k: v + table.columns[k] for k, v in kept.columns.items()}
    if len(kept) and table.anchors[0] < kept.anchors[-1]:
        columns = _in_order(columns)
    return Table(kept.ticks_hz, columns)


def _in_order(columns: Mapping[str, array[Any]]) -> dict[str, array[Any]]:
    """Sorts rows by anchor: complaints of sound and video come a little apart."""
    anchors = next(iter(columns.values()))
    order = np.argsort(np.array(anchors), kind="stable").tolist()
    return {k: array(v.typecode, (v[row] for row in order)) for k, v in columns.items()}
