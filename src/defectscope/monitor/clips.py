"""Keeps the seconds around an alarm: the stream's own packets, not encoded again, and a frame."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

_LOG = logging.getLogger(__name__)
# What is held of a channel, so that a clip can begin before its alarm: bytes, and seconds beside
# those that are wanted, since an alarm opens when its detector has seen enough.
_MAX_BYTES, _CONTEXT_S = 32_000_000, 12.0
# Clips of a channel that wait to be complete or to be written; more alarms go without.
_MOST_PENDING = 4


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """Which clips are kept, and where.

    Attributes:
        place: A folder, or `s3://BUCKET/PREFIX`.
        before_s: From so long before the defect began, seconds.
        after_s: To so long after its alarm opened, seconds.
        kept: Newest clips of a channel that stay in a folder; a bucket has its own lifecycle rules.
    """

    place: str
    before_s: float = 6.0
    after_s: float = 4.0
    kept: int = 200


class ClipStore(Protocol):
    """Where clips go."""

    def address(self, name: str) -> str:
        """Returns where a file will be, as events name it."""
        ...

    def write(self, name: str, parts: Sequence[bytes]) -> None:
        """Keeps a file, whole or not at all.

        Raises:
            Exception: It could not be kept.
        """
        ...


class FolderClips:
    """A folder of a channel: the newest files stay."""

    def __init__(self, folder: Path, kept: int) -> None:
        self._folder, self._kept = folder, kept

    def address(self, name: str) -> str:
        """Returns the file's path."""
        return str(self._folder / name)

    def write(self, name: str, parts: Sequence[bytes]) -> None:
        """Writes a file and lets the oldest go.

        Raises:
            OSError: The folder takes nothing.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f".{name}.part"
        try:
            with part.open("wb") as file:
                file.writelines(parts)
            os.replace(part, self._folder / name)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        clips = sorted(self._folder.glob("*.ts"), key=lambda path: path.stat().st_mtime_ns)
        for old in clips[: -self._kept]:
            old.unlink(missing_ok=True)
            old.with_suffix(".jpg").unlink(missing_ok=True)


class BucketClips:
    """A prefix in S3."""

    def __init__(self, bucket: str, prefix: str, client: Any = None) -> None:
        self._bucket, self._prefix, self._client = bucket, prefix, client

    def address(self, name: str) -> str:
        """Returns the object's address."""
        return f"s3://{self._bucket}/{self._prefix}{name}"

    def write(self, name: str, parts: Sequence[bytes]) -> None:
        """Puts an object.

        Raises:
            Exception: S3 did not take it.
        """
        if self._client is None:
            # Loaded here: clips in a folder need no AWS SDK.
            import boto3

            self._client = boto3.client("s3")
        kind = "image/jpeg" if name.endswith(".jpg") else "video/mp2t"
        key, body = self._prefix + name, b"".join(parts)
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=kind)


def clip_store(config: ClipConfig, channel: str) -> ClipStore:
    """Returns where the clips of a channel go."""
    parts = urlsplit(config.place)
    if parts.scheme == "s3":
        prefix = parts.path.strip("/")
        return BucketClips(parts.netloc, f"{prefix}/{channel}/" if prefix else f"{channel}/")
    return FolderClips(Path(config.place) / channel, config.kept)


@dataclass(slots=True)
class _Pending:
    """A clip whose seconds after the alarm are still to come."""

    name: str
    until_s: float
    frame: bytes
    parts: list[bytes] = field(default_factory=list[bytes])


class ClipKeeper:
    """Holds the latest seconds of one channel, and has those around alarms written.

    Attributes:
        failures: Files that could not be kept.
    """

    def __init__(self, config: ClipConfig, store: ClipStore, name: str = "channel") -> None:
        self.failures = 0
        self._config, self._store = config, store
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._pending: list[_Pending] = []
        self._lock = threading.Lock()
        self._complete: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._writing = 0
        name = f"clips-{name}"
        self._thread = threading.Thread(target=self._write_all, name=name, daemon=True)
        self._thread.start()

    def push(self, data: bytes, at_s: float) -> None:
        """Takes bytes of the stream that came at an instant of `time.monotonic`."""
        with self._lock:
            self._held.append((at_s, data))
            self._held_bytes += len(data)
            oldest_s = at_s - self._config.before_s - _CONTEXT_S
            while self._held and (self._held[0][0] < oldest_s or self._held_bytes > _MAX_BYTES):
                self._held_bytes -= len(self._held.popleft()[1])
            for clip in self._pending:
                if at_s <= clip.until_s:
                    clip.parts.append(data)
        self.tick(at_s)

    def keep(self, alarm_id: str, begun_s: float, now_s: float, frame: bytes) -> dict[str, str]:
        """Has the seconds around an alarm written.

        Args:
            alarm_id: Names the files.
            begun_s: When what shows the defect began to come, on the clock of `push`.
            now_s: When the alarm opened, on the same clock.
            frame: A frame of it as JPEG; none where it is empty.

        Returns:
            Where the `clip` and the `thumbnail` will be, as events name them; nothing where too
            many clips are under way.
        """
        from_s = begun_s - self._config.before_s
        with self._lock:
            if len(self._pending) + self._writing >= _MOST_PENDING:
                return {}
            parts = [data for at_s, data in self._held if at_s >= from_s]
            until_s = now_s + self._config.after_s
            self._pending.append(_Pending(alarm_id, until_s, frame, parts))
        places = {"clip": self._store.address(f"{alarm_id}.ts")}
        if frame:
            places["thumbnail"] = self._store.address(f"{alarm_id}.jpg")
        return places

    def tick(self, now_s: float) -> None:
        """Hands on the clips that are complete; a stream that ended completes them, too."""
        with self._lock:
            done = [clip for clip in self._pending if now_s > clip.until_s]
            self._pending = [clip for clip in self._pending if now_s <= clip.until_s]
            self._writing += len(done)
        for clip in done:
            self._complete.put(clip)

    def close(self) -> None:
        """Writes what there is of every clip, and ends."""
        self.tick(float("inf"))
        self._complete.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        while (clip := self._complete.get()) is not None:
            files = {".jpg": [clip.frame]} if clip.frame else {}
            if clip.parts:
                files[".ts"] = clip.parts
            for suffix, parts in files.items():
                try:
                    self._store.write(clip.name + suffix, parts)
                except Exception as error:
                    # A full disk or a bucket that is gone costs clips, never the channel.
                    self.failures += 1
                    _LOG.warning("clip %s: %s", clip.name, type(error).__name__)
            with self._lock:
                self._writing -= 1


def clips_of(config: ClipConfig, channel: str) -> ClipKeeper:
    """Returns what keeps the clips of a channel."""
    return ClipKeeper(config, clip_store(config, channel), channel)
