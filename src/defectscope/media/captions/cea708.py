"""EIA-708 (DTVCC) data as cues: what each service's windows show and when.

FFmpeg passes these bytes on and has no decoder for them; only times and text are read here.

Source: ANSI/CTA-708-E, sections 5 (packets), 6 (service blocks), 7 (code space) and 8 (commands).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from defectscope.media.cues import Cue

_WINDOWS = 8
_VISIBLE = 0x20
_MAX_TEXT = 2000
# Rows typed within a packet or two of each other appear together.
_AT_ONCE_S = 0.15
# Bytes after a command of C1; the others have none.
_PARAMETERS = {
    **dict.fromkeys(range(0x88, 0x8E), 1),
    **{0x90: 2, 0x91: 3, 0x92: 2, 0x97: 4},
    **dict.fromkeys(range(0x98, 0xA0), 6),
}
_CLEAR, _DISPLAY, _HIDE, _TOGGLE, _DELETE, _RESET = 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8F
_PEN_LOCATION = 0x92
_MUSIC_NOTE = "\u266a"


@dataclass(frozen=True, slots=True)
class Triplet:
    """Two bytes of a packet.

    Attributes:
        at_s: When their frame is presented.
        starts: They begin a packet.
        first: First byte.
        second: Second byte.
    """

    at_s: float
    starts: bool
    first: int
    second: int


def service_cues(triplets: Sequence[Triplet]) -> dict[int, list[Cue]]:
    """Returns the cues of every caption service, by its number.

    Args:
        triplets: In order of time.
    """
    services: dict[int, _Service] = {}
    last_s = triplets[-1].at_s if triplets else 0.0
    for at_s, packet in _packets(triplets):
        for number, block in _blocks(packet):
            services.setdefault(number, _Service()).take(block, at_s)
    for service in services.values():
        service.close(last_s)
    return {number: own.cues for number, own in sorted(services.items()) if own.cues}


def _packets(triplets: Iterable[Triplet]) -> Iterator[tuple[float, bytes]]:
    """Yields whole packets without their header; what lacks bytes is dropped, as receivers do."""
    packet = bytearray()
    wanted = 0
    for triplet in triplets:
        if triplet.starts:
            code = triplet.first & 0x3F
            wanted = 128 if code == 0 else 2 * code
            packet.clear()
        elif not wanted:
            continue
        packet += bytes((triplet.first, triplet.second))
        if len(packet) >= wanted:
            yield triplet.at_s, bytes(packet[1:wanted])
            wanted = 0


def _blocks(packet: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(packet):
        number, size = packet[at] >> 5, packet[at] & 0x1F
        at += 1
        if number == 7 and size and at < len(packet):
            number = packet[at] & 0x3F
            at += 1
        if number == 0 or size == 0:
            return
        yield number, packet[at : at + size]
        at += size


@dataclass
class _Window:
    """One window: its rows, and since when they are on screen."""

    rows: list[str] = field(default_factory=lambda: [""])
    pen_row: int | None = None
    visible: bool = False
    since_s: float | None = None

    def lines(self) -> tuple[str, ...]:
        return tuple(row.strip() for row in self.rows if row.strip())


class _Service:
    """One service's windows; collects cues when text leaves the screen."""

    def __init__(self) -> None:
        self.cues: list[Cue] = []
        self._windows: dict[int, _Window] = {}
        self._current: int | None = None
        self._rest = b""

    def take(self, block: bytes, at_s: float) -> None:
        """Takes the bytes of one service block; commands may reach into the next one."""
        data, at = self._rest + block, 0
        while at < len(data):
            size = _size(data, at)
            if at + size > len(data):
                break
            self._command(data[at : at + size], at_s)
            at += size
        self._rest = data[at:][:64]

    def close(self, last_s: float) -> None:
        """Ends what is still on screen."""
        for window in self._windows.values():
            self._emit(window, last_s)
        self.cues.sort(key=lambda cue: (cue.start_s, cue.end_s))

    def _command(self, data: bytes, at_s: float) -> None:
        code = data[0]
        window = None if self._current is None else self._windows.get(self._current)
        if 0x80 <= code < 0x88:
            self._current = code - 0x80
        elif code in (_CLEAR, _DISPLAY, _HIDE, _TOGGLE, _DELETE):
            chosen = [k for k in range(_WINDOWS) if data[1] >> k & 1 and k in self._windows]
            for k in chosen:
                self._change(k, code, at_s)
        elif code == _RESET:
            for k in list(self._windows):
                self._change(k, _DELETE, at_s)
        elif 0x98 <= code < 0xA0:
            self._define(code - 0x98, bool(data[1] & _VISIBLE), at_s)
        elif window is not None:
            self._write(window, data, at_s)

    def _define(self, number: int, visible: bool, at_s: float) -> None:
        self._current = number
        known = self._windows.setdefault(number, _Window())
        if visible != known.visible:
            self._change(number, _DISPLAY if visible else _HIDE, at_s)

    def _change(self, number: int, code: int, at_s: float) -> None:
        window = self._windows[number]
        if code == _TOGGLE:
            code = _HIDE if window.visible else _DISPLAY
        if code == _DISPLAY:
            if not window.visible:
                window.visible, window.since_s = True, at_s if window.lines() else None
            return
        self._emit(window, at_s)
        window.since_s = None
        if code == _HIDE:
            window.visible = False
        else:
            window.rows = [""]
        if code == _DELETE:
            del self._windows[number]

    def _write(self, window: _Window, data: bytes, at_s: float) -> None:
        text = _character(data)
        if text:
            if window.visible and window.since_s is None:
                window.since_s = at_s
            if len(window.rows[-1]) < _MAX_TEXT:
                window.rows[-1] += text
        elif data[0] == 0x08:
            window.rows[-1] = window.rows[-1][:-1]
        elif data[0] == 0x0C:
            self._emit(window, at_s)
            window.rows, window.since_s = [""], None
        elif data[0] == 0x0E:
            window.rows[-1] = ""
        elif data[0] == 0x0D:
            window.pen_row = None
            self._new_row(window, at_s)
        elif data[0] == _PEN_LOCATION:
            row = data[1] & 0x0F
            if window.pen_row != row:
                self._new_row(window, at_s)
            window.pen_row = row

    def _new_row(self, window: _Window, at_s: float) -> None:
        """Begins a row; in a window on screen the finished one is a caption of its own."""
        if window.since_s is not None and at_s - window.since_s > _AT_ONCE_S:
            self._emit(window, at_s)
            window.rows, window.since_s = [""], None
        elif window.rows[-1] and len(window.rows) < 16:
            window.rows.append("")

    def _emit(self, window: _Window, at_s: float) -> None:
        lines = window.lines()
        if window.visible and lines and window.since_s is not None and at_s > window.since_s:
            self.cues.append(Cue(window.since_s, at_s, lines))


def _size(data: bytes, at: int) -> int:
    """Returns how many bytes a code and its parameters take."""
    code = data[at]
    if code == 0x10:
        if at + 1 >= len(data):
            return 2
        extended = data[at + 1]
        if extended < 0x20:
            return 2 + extended // 8
        if 0x80 <= extended < 0x90:
            return 6 + (extended >= 0x88)
        if 0x90 <= extended < 0xA0:
            return 3 + (data[at + 2] & 0x3F) if at + 2 < len(data) else 3
        return 2
    if code < 0x20:
        return 1 + (code >= 0x10) + (code >= 0x18)
    return 1 + _PARAMETERS.get(code, 0)


def _character(data: bytes) -> str:
    """Returns the character of a code, empty for what is none."""
    code = data[0]
    if code == 0x7F:
        return _MUSIC_NOTE
    if 0x20 <= code < 0x7F or code >= 0xA0:
        return chr(code)
    if code == 0x18 and len(data) == 3:
        # A character of 16 bits, as Korean services use.
        point = data[1] << 8 | data[2]
        return "" if 0xD800 <= point < 0xE000 or point < 0x20 else chr(point)
    if code == 0x10 and len(data) == 2:
        return " " if data[1] in (0x20, 0x21) else "?" if data[1] >= 0x20 else ""
    return ""
