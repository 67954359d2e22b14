"""Checkpoints that survive a kill at any moment.

Each is written under a temporary name, flushed to disk and renamed; the one before it stays, and
is taken when the newest turns out to be unreadable.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from defectscope.errors import InvalidParameterError


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
        state = _read(path)
        if state is not None:
            return state
    return None


def mean(files: Sequence[Path]) -> dict[str, torch.Tensor]:
    """Returns the mean, weight by weight, of the averaged weights of some checkpoints of one run.

    Source: Izmailov et al. 2018, "Averaging weights leads to wider optima and better
    generalization".

    Args:
        files: Checkpoints; copies that were kept while the run went on.

    Raises:
        InvalidParameterError: A file is missing or no checkpoint, or they are of several runs.
    """
    states: list[dict[str, Any]] = []
    for file in files:
        state = _read(file)
        if state is None or "averaged" not in state:
            raise InvalidParameterError(f"{file} is not a checkpoint")
        states.append(state)
    if len({state["identity"] for state in states}) > 1:
        raise InvalidParameterError("the checkpoints are of several runs")
    return mean_weights([state["averaged"] for state in states])


def mean_weights(every: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Returns the mean of some weights of one network; what is no float is the last one's."""
    return {
        name: torch.stack([each[name].to(last.dtype) for each in every]).mean(dim=0)
        if last.is_floating_point()
        else last
        for name, last in every[-1].items()
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile):
        return None
    return cast("dict[str, Any]", state) if isinstance(state, dict) else None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"), reverse=True)
