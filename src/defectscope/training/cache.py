"""The cache: prepared examples on disk, made once, read by mapping, safe against kills.

Each unit of preparation (`PreparationJob`) becomes one shard: `<unit>.npz`-like raw arrays packed
into one file plus a JSON index, written under a temporary name and renamed when complete. A cache
that was killed half way goes on with the units that are missing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.training.contract import SPLITS, PreparationJob, Split

_ALIGN_BYTES = 64


class Cache:
    """Prepared examples of one recipe with one set of settings.

    Args:
        folder: Where it lies; made when it is filled.
        identity: What determines the contents (recipe, settings, seed, corpora). A cache made
            with another identity is refused.

    Raises:
        InvalidParameterError: The folder holds a cache of another identity.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self._identity = json.dumps(identity, sort_keys=True, indent=1, default=str)
        self._mark = folder / "identity.json"
        if self._mark.exists() and self._mark.read_text("utf-8") != self._identity:
            raise InvalidParameterError(
                f"{folder} holds a cache made with other settings; take another --work folder"
            )
        self._shards: dict[Split, list[tuple[Path, dict[str, Any]]]] | None = None
        self._maps: dict[Path, np.memmap[Any, Any]] = {}

    def fill(
        self,
        jobs: Sequence[PreparationJob],
        *,
        max_bytes: int,
        progress: Callable[[int, int, int], None] | None = None,
    ) -> bool:
        """Makes every unit that is missing.

        Args:
            jobs: The units, in order.
            max_bytes: Stop when the cache has grown to this.
            progress: Called with units done, units in all and bytes after each unit.

        Returns:
            Whether every unit is there (False: the size limit was reached).
        """
        self._shards = None
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._mark.exists():
            _write(self._mark, self._identity.encode())
        size = sum(path.stat().st_size for path in self.folder.glob("*.bin"))
        for done, job in enumerate(jobs):
            if progress is not None:
                progress(done, len(jobs), size)
            stem = hashlib.sha256(job.key.encode()).hexdigest()[:24]
            index = self.folder / f"{stem}.json"
            if index.exists():
                continue
            if size >= max_bytes:
                return False
            size += self._store(stem, job)
        if progress is not None:
            progress(len(jobs), len(jobs), size)
        return True

    def _store(self, stem: str, job: PreparationJob) -> int:
        entries: list[dict[str, Any]] = []
        # Its own name, so that a second process may fill the same cache from the other end.
        part = self.folder / f"{stem}.{os.getpid()}.part"
        offset = 0
        with part.open("wb") as out:
            for item in job.make():
                arrays: dict[str, Any] = {}
                for name, array in item.arrays.items():
                    out.write(b"\0" * (-offset % _ALIGN_BYTES))
                    offset += -offset % _ALIGN_BYTES
                    data = np.ascontiguousarray(array)
                    arrays[name] = [offset, data.dtype.str, list(data.shape)]
                    out.write(data.tobytes())
                    offset += data.nbytes
                entries.append(
                    {
                        "key": item.key,
                        "split": item.split,
                        "arrays": arrays,
                        "facts": dict(item.facts),
                    }
                )
        # The index comes last: a unit without one was never finished.
        part.replace(self.folder / f"{stem}.bin")
        _write(
            self.folder / f"{stem}.json", json.dumps({"unit": job.key, "items": entries}).encode()
        )
        return offset

    def require(self, split: Split) -> None:
        """Refuses a cache that holds nothing of a split.

        Raises:
            InvalidParameterError: It does not.
        """
        if not self.facts(split):
            raise InvalidParameterError(
                f"{self.folder} holds nothing of the {split} split: run prepare first, to its end"
            )

    def _index(self) -> dict[Split, list[tuple[Path, dict[str, Any]]]]:
        if self._shards is None:
            shards: dict[Split, list[tuple[Path, dict[str, Any]]]] = {s: [] for s in SPLITS}
            for index in sorted(self.folder.glob("*.json")):
                if index.name == "identity.json":
                    continue
                body = json.loads(index.read_text("utf-8"))
                for entry in body["items"]:
                    shards[cast("Split", entry["split"])].append((index.with_suffix(".bin"), entry))
            for entries in shards.values():
                entries.sort(key=lambda pair: str(pair[1]["key"]))
            self._shards = shards
        return self._shards

    def facts(self, split: Split) -> Sequence[Mapping[str, Any]]:
        """Returns the facts of every item of a split, ordered by key."""
        return [entry["facts"] for _, entry in self._index()[split]]

    def array(self, split: Split, index: int, name: str) -> np.ndarray[Any, Any]:
        """Returns an array of an item, mapped from disk and read-only."""
        path, entry = self._index()[split][index]
        offset, dtype, shape = entry["arrays"][name]
        mapped = self._maps.get(path)
        if mapped is None:
            mapped = np.memmap(path, dtype=np.uint8, mode="r")
            self._maps[path] = mapped
        kind = np.dtype(dtype)
        length = int(np.prod(shape)) * kind.itemsize
        return np.asarray(mapped[offset : offset + length]).view(kind).reshape(shape)


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(path.suffix + ".part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)
