"""Keeps events until every output has them: in SQLite, so that a killed process loses none.

An event is first written here and then delivered. Whoever delivers notes how far it has come, and
goes on from there after a restart; an event that was delivered and not noted comes again with the
same id. Alarms that were open are open again, so that none is told twice.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

# Events that are kept at most: an output that is down for longer loses the oldest, and says so.
MAX_EVENTS = 200_000
_PRUNED_EVERY = 1000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    wall_s REAL NOT NULL,
    event TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outputs (name TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS alarms (
    alarm_id TEXT PRIMARY KEY, channel TEXT NOT NULL, data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS channels (name TEXT PRIMARY KEY, begun_wall_s REAL NOT NULL);
"""


class Store:
    """Events, how far each output has come, and the alarms that are open.

    Args:
        path: The database; `:memory:` keeps nothing over a restart.
    """

    def __init__(self, path: Path | str) -> None:
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._base = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._base.execute("PRAGMA journal_mode=WAL")
        # An event is on the disk before anybody hears of it.
        self._base.execute("PRAGMA synchronous=FULL")
        self._base.executescript(_SCHEMA)
        self._added = 0

    def close(self) -> None:
        """Closes the database."""
        with self._lock:
            self._base.close()

    def add(self, event: dict[str, Any], wall_s: float) -> bool:
        """Keeps an event, and the state of its alarm; tells whether it is new."""
        data = event["data"]
        with self._lock:
            self._base.execute("BEGIN")
            try:
                row = (event["id"], data["channel"], wall_s, json.dumps(event, allow_nan=False))
                added = self._base.execute(
                    "INSERT OR IGNORE INTO events (id, channel, wall_s, event) VALUES (?, ?, ?, ?)",
                    row,
                )
                if data["state"] == "opened":
                    self._base.execute(
                        "INSERT OR REPLACE INTO alarms VALUES (?, ?, ?)",
                        (data["alarm_id"], data["channel"], json.dumps(data)),
                    )
                else:
                    self._base.execute("DELETE FROM alarms WHERE alarm_id = ?", (data["alarm_id"],))
                self._base.execute("COMMIT")
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._added += 1
            if self._added % _PRUNED_EVERY == 0:
                self._prune()
            return added.rowcount > 0

    def _prune(self) -> None:
        self._base.execute(
            "DELETE FROM events WHERE seq <= (SELECT MAX(seq) FROM events) - ?", (MAX_EVENTS,)
        )

    def open_alarms(self, channel: str) -> list[dict[str, Any]]:
        """Returns the data of a channel's alarms that were opened and not cleared."""
        with self._lock:
            rows = self._base.execute("SELECT data FROM alarms WHERE channel = ?", (channel,))
            return [json.loads(data) for (data,) in rows.fetchall()]

    def begun(self, channel: str) -> float:
        """Returns when a channel was first watched, seconds since 1970."""
        with self._lock:
            self._base.execute(
                "INSERT OR IGNORE INTO channels VALUES (?, ?)", (channel, time.time())
            )
            query = "SELECT begun_wall_s FROM channels WHERE name = ?"
            return float(self._base.execute(query, (channel,)).fetchone()[0])

    def after(self, seq: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """Returns events with their numbers, the oldest first, from behind a number on."""
        with self._lock:
            rows = self._base.execute(
                "SELECT seq, event FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
            )
            return [(number, json.loads(event)) for number, event in rows.fetchall()]

    def recent(self, since_wall_s: float) -> list[dict[str, Any]]:
        """Returns the events since an instant, the oldest first."""
        with self._lock:
            rows = self._base.execute(
                "SELECT event FROM events WHERE wall_s >= ? ORDER BY seq", (since_wall_s,)
            )
            return [json.loads(event) for (event,) in rows.fetchall()]

    def reached(self, output: str) -> int:
        """Returns how far an output has come; one that is new begins with what is to come."""
        with self._lock:
            row = self._base.execute("SELECT seq FROM outputs WHERE name = ?", (output,)).fetchone()
            if row is not None:
                return int(row[0])
            last = self._base.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()[0]
            self._base.execute("INSERT INTO outputs VALUES (?, ?)", (output, last))
            return int(last)

    def delivered(self, output: str, seq: int) -> None:
        """Notes that an output has everything up to a number."""
        with self._lock:
            self._base.execute("UPDATE outputs SET seq = ? WHERE name = ?", (seq, output))

    def waiting(self, output: str) -> int:
        """Returns how many events an output has not got yet."""
        with self._lock:
            row = self._base.execute(
                "SELECT COUNT(*) FROM events WHERE seq > (SELECT seq FROM outputs WHERE name = ?)",
                (output,),
            ).fetchone()
            return int(row[0])
