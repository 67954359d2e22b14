"""What an analysis measured: tables on the time grid, their joining and their JSON form.

Standard library only, so that a client can hold and merge them.
"""

from __future__ import annotations

import base64
import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectscope.errors import MalformedRequestError

# Type codes of `array.array` whose item size is the same on every platform we run on.
_TYPECODES = frozenset("bBhHiIqQfd")
# A record that inflates to more than this is not one of ours (64 KB a minute, 100 hours).
_MAX_COLUMN_BYTES = 400 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in time order: equally long columns, the first of which is the anchor.

    The anchor column holds int64 ticks of the table's own grid (`ticks_hz` a second, t = 0 at the
    first presented frame), so that rows can be cut to a segment and joined without knowing what
    they mean. `array.array` columns are free to read through `numpy.frombuffer`.
    """

    ticks_hz: tuple[int, int]
    columns: Mapping[str, array[Any]]

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)}")
        if not self.columns or next(iter(self.columns.values())).typecode != "q":
            raise ValueError("the first column of a table is its anchor and holds int64 ticks")

    @property
    def anchors(self) -> array[Any]:
        """The anchor column, int64 ticks."""
        return next(iter(self.columns.values()))

    def __len__(self) -> int:
        return len(self.anchors)

    def seconds(self, row: int) -> float:
        """Returns the time of a row in seconds."""
        numerator, denominator = self.ticks_hz
        return self.anchors[row] * denominator / numerator

    def rows(self, first: int, last: int) -> Table:
        """Returns rows [first, last) as a table."""
        return Table(self.ticks_hz, {k: v[first:last] for k, v in self.columns.items()})


@dataclass(frozen=True, slots=True)
class Measurements:
    """What an analysis measured: tables on the stream's absolute time grid.

    Segments of one stream join by concatenation (`Measurements.join`); a detector's `decide` turns
    the joined tables into findings. The JSON form is compact: each column is compressed and, for
    integers, stored as differences.
    """

    detector: str
    tables: Mapping[str, Table]

    @staticmethod
    def join(parts: Sequence[Measurements]) -> Measurements:
        """Returns the measurements of consecutive segments as those of one pass.

        Args:
            parts: Measurements of one detector, ordered by segment, without overlap.

        Raises:
            MalformedRequestError: The parts are not segments of one stream in order.
        """
        if not parts:
            raise MalformedRequestError("no measurements to merge")
        head = parts[0]
        tables: dict[str, Table] = {}
        # A track that begins on the way (`track/table`) is no part of the segments before it.
        named = {k: t for part in parts for k, t in part.tables.items() if "/" in k}
        for name, table in (named | dict(head.tables)).items():
            first = table if name in head.tables else table.rows(0, 0)
            columns = {k: array(v.typecode, v) for k, v in first.columns.items()}
            for part in parts[1:]:
                other = part.tables.get(name)
                if other is None and "/" in name and part.detector == head.detector:
                    continue
                if part.detector != head.detector or other is None:
                    raise MalformedRequestError("measurements of different detectors or versions")
                if other.ticks_hz != table.ticks_hz or set(other.columns) != set(columns):
                    raise MalformedRequestError(f"segments disagree about table {name!r}")
                for key, column in columns.items():
                    if column.typecode != other.columns[key].typecode:
                        raise MalformedRequestError(f"segments disagree about column {key!r}")
                    column.extend(other.columns[key])
            anchors = next(iter(columns.values()))
            if any(anchors[i] > anchors[i + 1] for i in range(len(anchors) - 1)):
                raise MalformedRequestError("segments overlap or are out of order")
            tables[name] = Table(table.ticks_hz, columns)
        return Measurements(head.detector, tables)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {
            "detector": self.detector,
            "tables": {
                name: {
                    "ticks_hz": list(table.ticks_hz),
                    "columns": {k: _pack(v) for k, v in table.columns.items()},
                }
                for name, table in self.tables.items()
            },
        }

    @staticmethod
    def from_dict(data: Any) -> Measurements:
        """Reads the JSON form.

        Raises:
            MalformedRequestError: It is not what `to_dict` writes.
        """
        try:
            tables: dict[str, Table] = {}
            for name, table in data["tables"].items():
                numerator, denominator = table["ticks_hz"]
                if not (int(numerator) > 0 and int(denominator) > 0):
                    raise ValueError("ticks_hz must be positive")
                tables[str(name)] = Table(
                    (int(numerator), int(denominator)),
                    {str(k): _unpack(v) for k, v in table["columns"].items()},
                )
            return Measurements(str(data["detector"]), tables)
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
            raise MalformedRequestError(f"these are not measurements: {error}") from None


def _pack(column: array[Any]) -> dict[str, Any]:
    """Compresses a column; integer columns as differences, which shrinks time stamps to nothing."""
    raw = column
    if column.typecode == "q" and len(column) > 1:
        raw = array("q", [column[0]])
        raw.extend(column[i] - column[i - 1] for i in range(1, len(column)))
    if sys.byteorder == "big":
        raw = array(raw.typecode, raw)
        raw.byteswap()
    packed = zlib.compress(raw.tobytes(), 6)
    return {
        "type": column.typecode,
        "length": len(column),
        "data": base64.b64encode(packed).decode("ascii"),
    }


def _unpack(data: Mapping[str, Any]) -> array[Any]:
    typecode = str(data["type"])
    if typecode not in _TYPECODES:
        raise ValueError(f"unknown column type {typecode!r}")
    column = array(typecode)
    wanted = int(data["length"]) * column.itemsize
    if not 0 <= wanted <= _MAX_COLUMN_BYTES:
        raise ValueError("column too long")
    inflater = zlib.decompressobj()
    raw = inflater.decompress(base64.b64decode(str(data["data"]), validate=True), wanted + 1)
    if len(raw) != wanted:
        raise ValueError("column length does not match its data")
    column.frombytes(raw)
    if sys.byteorder == "big":
        column.byteswap()
    if typecode == "q":
        total = 0
        for index, step in enumerate(column):
            total += step
            column[index] = total
    return column
