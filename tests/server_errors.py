"""What servers that tests start write of errors, by the files that they write to.

TorchServe gives what a worker prints as INFO, whatever its level was: a traceback there counts as
an error too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from defectscope.container.server_log import ServerLog
from defectscope.local.lifecycle import LocalSageMaker

_ERROR = re.compile(
    r"^\d{4}-\d\d-\d\d[T ][\d:,.]+ (ERROR|FATAL|CRITICAL) |Traceback \(most recent call last\)"
)


class ServerErrors:
    """Errors in the logs of all servers that this process has started, each told once."""

    def __init__(self) -> None:
        self._files: dict[Path, int] = {}
        self._homes: list[Path] = []
        # Of servers that have ended, whose files are gone.
        self._kept: list[str] = []

    def watch(self) -> None:
        """Takes note of every server that is started from now on, and reads it before it ends."""
        _after(ServerLog, "__init__", lambda log: self._files.setdefault(log.path, log._start))
        _after(LocalSageMaker, "__enter__", lambda local: self._homes.append(local._home))
        for kind, method in ((ServerLog, "ended"), (LocalSageMaker, "_stop")):
            _before(kind, method, self._keep)

    def take(self) -> list[str]:
        """Returns what has been written since the last call."""
        self._keep()
        kept, self._kept = self._kept, []
        return kept

    def _keep(self, *_: Any) -> None:
        self._kept += self._new()

    def _new(self) -> Iterator[str]:
        for home in self._homes:
            for path in _logs_under(home):
                self._files.setdefault(path, 0)
        for path, start in list(self._files.items()):
            try:
                with path.open("rb") as file:
                    file.seek(start)
                    text = file.read()
            except FileNotFoundError:
                continue
            whole = text[: text.rfind(b"\n") + 1]
            self._files[path] = start + len(whole)
            for line in whole.decode(errors="replace").splitlines():
                if _ERROR.search(line):
                    yield f"{path.name}: {line[:300]}"


def _logs_under(home: Path) -> Iterator[Path]:
    # Unlike rglob, walk passes over a folder that a server removes at this moment.
    for folder, _, names in os.walk(home):
        for name in names:
            # moto's own log is none of ours.
            if name.endswith(".log") and name != "moto.log":
                yield Path(folder, name)


def _after(kind: Any, method: str, then: Callable[[Any], Any]) -> None:
    done = getattr(kind, method)

    def both(self: Any, *args: Any, **named: Any) -> Any:
        result = done(self, *args, **named)
        then(self)
        return result

    setattr(kind, method, both)


def _before(kind: Any, method: str, first: Callable[[Any], Any]) -> None:
    done = getattr(kind, method)

    def both(self: Any, *args: Any, **named: Any) -> Any:
        first(self)
        return done(self, *args, **named)

    setattr(kind, method, both)
