"""Tables from NumPy arrays and back, without a second way to lay them out."""

from __future__ import annotations

from array import array
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import MalformedRequestError
from defectscope.measurements import Table

_TYPECODES = {
    np.dtype(np.int8): "b",
    np.dtype(np.uint8): "B",
    np.dtype(np.int16): "h",
    np.dtype(np.uint16): "H",
    np.dtype(np.int32): "i",
    np.dtype(np.uint32): "I",
    np.dtype(np.int64): "q",
    np.dtype(np.uint64): "Q",
    np.dtype(np.float32): "f",
    np.dtype(np.float64): "d",
}

_KINDS = {code: kind for kind, code in _TYPECODES.items()}


class TableBuilder:
    """Collects columns chunk by chunk and gives them as one table.

    Args:
        ticks_hz: Ticks of the anchor column per second.
        columns: Name and element type of every column, the int64 anchor first.
    """

    def __init__(self, ticks_hz: Fraction, **columns: Any) -> None:
        self._ticks_hz = (ticks_hz.numerator, ticks_hz.denominator)
        self._types = {name: np.dtype(kind) for name, kind in columns.items()}
        self._columns = {name: array(_TYPECODES[kind]) for name, kind in self._types.items()}

    def add(self, **columns: Any) -> None:
        """Appends rows; every column is an array or sequence of the same length."""
        for name, column in self._columns.items():
            values = np.ascontiguousarray(columns[name], self._types[name])
            column.frombytes(values.tobytes())

    def table(self) -> Table:
        """Returns what was collected."""
        return Table(self._ticks_hz, self._columns)

    def take(self) -> Table:
        """Returns what was collected, and begins anew."""
        taken = self._columns
        self._columns = {name: array(_TYPECODES[kind]) for name, kind in self._types.items()}
        return Table(self._ticks_hz, taken)


def column(table: Table, name: str) -> NDArray[Any]:
    """Returns a column as a read-only array, without a copy.

    Raises:
        MalformedRequestError: The table lacks it: another version of the detector measured it.
    """
    values = table.columns.get(name)
    if values is None:
        raise MalformedRequestError(
            f"the measurements have no column {name!r}: another version of the detector made "
            "them; measure the segments again with this one"
        )
    kind = _KINDS[values.typecode]
    view = np.frombuffer(values, kind) if len(values) else np.empty(0, kind)
    view.flags.writeable = False
    return view


def times_s(table: Table) -> NDArray[np.float64]:
    """Returns the anchors in seconds."""
    numerator, denominator = table.ticks_hz
    anchors = np.frombuffer(table.anchors, np.int64) if len(table) else np.empty(0, np.int64)
    return np.asarray(anchors * (denominator / numerator), np.float64)


def saturate(values: NDArray[Any], kind: Any) -> NDArray[Any]:
    """Rounds and clips values into an integer type."""
    least, most = _limits(kind)
    return np.minimum(np.maximum(np.rint(values), least), most).astype(kind)


@lru_cache
def _limits(kind: Any) -> tuple[int, int]:
    limits = np.iinfo(kind)
    return int(limits.min), int(limits.max)
