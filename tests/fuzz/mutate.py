"""Damage by a seed: bytes, text and JSON."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Sequence
from typing import Any

_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TEXTS = (
    b"-1", b"0", b"99999999999999999999", b"1e400", b"NaN", b"\xff\xfe", b"\0", b"<", b">", b"&#0;",
    b"-->", b"\n\n", b"\r", b"</p>", b"<p ", b'"', b"'", b"begin=", b"99:99:99.999", b"00:00:00",
    b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"%n%s", b"{\\an8}", b"\t", b"]]>", b"<!--",
)  # fmt: skip


def damaged(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Returns data with one to eight faults of random kinds."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        if not out:
            break
        rng.choice(_KINDS)(rng, out, others)
    return bytes(out[: 4 * len(data) + 4096])


def _flip(rng: random.Random, out: bytearray, _: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 4, 32))):
        out[_place(rng, out)] ^= 1 << rng.randrange(8)


def _number(rng: random.Random, out: bytearray, _: Sequence[bytes]) -> None:
    """Sizes, offsets, rates and times are integers of two, four or eight bytes."""
    size = rng.choice((2, 4, 8))
    value = rng.choice(_EDGES) + rng.choice((-1, 0, 1))
    order = rng.choice("<>")
    kind = {2: "H", 4: "I", 8: "Q"}[size]
    at = _place(rng, out)
    out[at : at + size] = struct.pack(order + kind, value % (1 << 8 * size))


def _cut(rng: random.Random, out: bytearray, _: Sequence[bytes]) -> None:
    del out[rng.randrange(len(out)) :]


def _drop(rng: random.Random, out: bytearray, _: Sequence[bytes]) -> None:
    at = _place(rng, out)
    del out[at : at + rng.choice((1, 4, 188, 2000))]


def _double(rng: random.Random, out: bytearray, _: Sequence[bytes]) -> None:
    at = _place(rng, out)
    piece = out[at : at + rng.choice((4, 188, 4000))]
    out[at:at] = piece * rng.choice((1, 2, 20))


def _swap(rng: random.Random, out: bytearray, _: Sequence[bytes]) -> None:
    size = rng.choice((4, 188, 1000))
    a, b = _place(rng, out), _place(rng, out)
    piece = out[a : a + size]
    out[a : a + size] = out[b : b + size]
    out[b : b + size] = piece


def _zero(rng: random.Random, out: bytearray, _: Sequence[bytes]) -> None:
    at = _place(rng, out)
    size = min(rng.choice((8, 188, 2000)), len(out) - at)
    out[at : at + size] = rng.choice((b"\0", b"\xff")) * size


def _text(rng: random.Random, out: bytearray, _: Sequence[bytes]) -> None:
    at = _place(rng, out)
    out[at : at + rng.choice((0, 1, 4))] = rng.choice(_TEXTS) * rng.choice((1, 1, 50))


def _splice(rng: random.Random, out: bytearray, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    at = rng.randrange(len(other))
    out[_place(rng, out) :] = other[at : at + 20_000]


def _place(rng: random.Random, out: bytearray) -> int:
    """Headers are hit as often as all the rest."""
    return rng.randrange(min(len(out), 512) if rng.random() < 0.5 else len(out))


_KINDS = (_flip, _flip, _number, _number, _cut, _drop, _double, _swap, _zero, _text, _splice)

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -0.0, 10**400, "", "x" * 5000, "\ud800", "../../etc/passwd",
    "file:///etc/passwd", "http://169.254.169.254/latest", "s3://", [], {}, [[]], {"": {}}, "NaN",
)  # fmt: skip


def damaged_json(rng: random.Random, value: Any) -> Any:
    """Returns a JSON value with one to four of its parts changed."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _changed(rng, value)
    return value


def _changed(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(sorted(value))
        if rng.random() < 0.15:
            value[rng.choice(("x", "uri", "merge", "start_s", "parameters"))] = value.pop(key)
        elif rng.random() < 0.1:
            del value[key]
        else:
            value[key] = _changed(rng, value[key])
        return value
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        if rng.random() < 0.2:
            value.append(value[at])
        else:
            value[at] = _changed(rng, value[at])
        return value
    if isinstance(value, str) and value and rng.random() < 0.5:
        return damaged(rng, value.encode("utf-8", "replace"), [b"-1"]).decode("utf-8", "replace")
    # A copy: the empty ones would grow, in the end into themselves.
    return copy.deepcopy(rng.choice(_VALUES))
