"""What a server writes: kept in a file, or passed on to this process's own output.

A container's output is all that is left of it, so nothing of what a server said may be lost when it
is ended: both streams are pipes that are read to their end.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO

# How TorchServe words every failure to load, whatever the cause.
_SAYS_NOTHING = "500 - Unknown exception"
_NAMES_A_CAUSE = re.compile(r"\b\w+(Error|Exception)\b: ")
_HEAD = re.compile(r"^\S+ (WARN|ERROR|INFO)\s+\S+ ")
_TAIL_BYTES = 65_536
_TAIL_LINES = 1000
_DRAIN_S = 5.0


class ServerLog:
    """The log of one server in a file, from where the file ended before.

    Args:
        path: The file; it is appended to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab")
        self._start = self._file.tell()

    def streams(self) -> tuple[IO[bytes] | int, IO[bytes] | int]:
        """Returns what the server gets as standard output and standard error."""
        return self._file, self._file

    def started(self) -> None:
        """Lets go of what only the server writes to from now on."""
        self._file.close()

    def text(self) -> str:
        """Returns the end of what the server has written."""
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(self._start, end - _TAIL_BYTES))
                return file.read(_TAIL_BYTES).decode(errors="replace")
        except OSError:
            return ""

    def ended(self) -> None:
        """Returns when everything that the server wrote has been taken."""

    def last_words(self) -> str:
        """Returns the line that most likely names the cause of a failure, led by a colon."""
        lines = self.text().splitlines()
        named = [x for x in lines if _NAMES_A_CAUSE.search(x) and _SAYS_NOTHING not in x]
        words = [line for line in named or lines if line.strip()]
        if not words:
            return ""
        return f": {_HEAD.sub('', words[-1]).strip()[:400]}"


class SharedLog(ServerLog):
    """The log of a server that speaks through this process: stdout to stdout, stderr to stderr."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._readers: list[threading.Thread] = []
        self._writing: list[int] = []
        for target in (sys.stdout, sys.stderr):
            reading, writing = os.pipe()
            self._writing.append(writing)
            reader = threading.Thread(target=self._pass_on, args=(reading, target), daemon=True)
            self._readers.append(reader)
            reader.start()

    def streams(self) -> tuple[IO[bytes] | int, IO[bytes] | int]:
        """Returns what the server gets as standard output and standard error."""
        return self._writing[0], self._writing[1]

    def started(self) -> None:
        """Lets go of the ends of the pipes that the server now has."""
        for writing in self._writing:
            os.close(writing)
        self._writing.clear()

    def text(self) -> str:
        """Returns the end of what the server has written."""
        return b"".join(self._lines.copy()).decode(errors="replace")

    def ended(self) -> None:
        """Returns when everything that the server wrote has been passed on."""
        self.started()
        for reader in self._readers:
            reader.join(_DRAIN_S)

    def _pass_on(self, reading: int, target: IO[str]) -> None:
        with open(reading, "rb") as lines:
            for line in lines:
                self._lines.append(line)
                # Who listened may have gone; the server goes on.
                with contextlib.suppress(OSError, ValueError):
                    target.write(line.decode(errors="replace"))
                    target.flush()
