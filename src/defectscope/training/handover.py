"""One small file with all that a run needs to go on, on this machine or on a new one.

    defectscope-train train DETECTOR ... --hand-over FILE     when the run ends or is stopped
    defectscope-train train DETECTOR ... --take-up FILE       goes on where that run was

The file holds the newest checkpoint (weights, their average, the best so far, the optimiser) and
the journal. The cache is not in it: `prepare` makes the same again from the same recordings.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any, cast

import torch

from defectscope.errors import InvalidParameterError
from defectscope.training import checkpoint
from defectscope.training.journal import Journal

_FORMAT = "defectscope/run/1"
# What a repository takes without complaint.
MOST_BYTES = 25_000_000


def hand_over(folder: Path, file: Path) -> int:
    """Writes what a run needs to go on; returns the file's size in bytes.

    Args:
        folder: Of the run.
        file: Written under another name first.

    Raises:
        InvalidParameterError: The folder holds no checkpoint.
    """
    state = checkpoint.load(folder)
    if state is None:
        raise InvalidParameterError(f"{folder} holds no checkpoint: there is nothing to hand over")
    part = file.with_name(f"{file.name}.part")
    with part.open("wb") as out:
        torch.save({"format": _FORMAT, "state": state, "journal": Journal(folder).rows()}, out)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    return file.stat().st_size


def take_up(file: Path, folder: Path) -> bool:
    """Fills a run's folder from such a file; one that is as far or farther is left as it is.

    Args:
        file: What `hand_over` wrote. It is read as data alone: no code in it is ever run.
        folder: Of the run.

    Returns:
        Whether the file was taken.

    Raises:
        InvalidParameterError: The file is missing or not such a file.
    """
    try:
        body = cast("dict[str, Any]", torch.load(file, map_location="cpu", weights_only=True))
        state, rows = body["state"], body["journal"]
        step = int(state["step"])
        known = body["format"] == _FORMAT
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError,
            pickle.UnpicklingError, zipfile.BadZipFile) as error:  # fmt: skip
        raise InvalidParameterError(f"{file}: no run to take up ({error})") from None
    if not known:
        raise InvalidParameterError(f"{file}: a run of another format")
    own = checkpoint.load(folder)
    if own is not None and int(own["step"]) >= step:
        return False
    journal = Journal(folder)
    journal.rewind(-1)
    for row in cast("list[dict[str, Any]]", rows):
        values = {k: float(v) for k, v in row.items() if k not in ("step", "kind")}
        journal.add(int(row["step"]), str(row["kind"]), values)
    checkpoint.save(folder, step, state)
    return True
