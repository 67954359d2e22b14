"""Checkpoints that survive a kill at any moment.

Each is written under a temporary name, flushed to disk and renamed; the one before it stays, and
is taken when the newest turns out to be unreadable.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any, cast

import torch


def save(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Writes a checkpoint and drops all but the two newest."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "checkpoint.part"
    with part.open("wb") as out:
        torch.save(state, out)
        out.flush()
        os.fsync(out.fileno())
    part.replace(folder / f"step-{step:09d}.pt")
    for old in _newest_first(folder)[2:]:
        old.unlink(missing_ok=True)


def load(folder: Path) -> dict[str, Any] | None:
    """Returns the newest readable checkpoint, None where there is none."""
    for path in _newest_first(folder):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile):
            continue
        return cast("dict[str, Any]", state)
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"), reverse=True)
