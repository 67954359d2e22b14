"""A hot folder: what comes in is taken once it has stopped growing, and taken once."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from defectscope.cli.batch import watched
from defectscope.errors import InvalidParameterError


def test_a_file_is_taken_when_it_has_stopped_growing(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    (tmp_path / "there.mov").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    grown_s: list[float] = []

    def grow() -> None:
        for _ in range(8):
            with (tmp_path / "sub").joinpath("late.mxf").open("ab") as file:
                file.write(b"x" * 100)
            grown_s.append(time.monotonic())
            time.sleep(0.1)

    (tmp_path / "sub").mkdir()
    writer = threading.Thread(target=grow)
    writer.start()
    found = watched(tmp_path, settled_s=2.0)
    names = {}
    for _ in range(2):
        item = next(found)
        names[item.name] = time.monotonic()
    writer.join()
    found.close()  # type: ignore[attr-defined]
    assert set(names) == {"there.mov", "sub/late.mxf"}
    # Where a busy machine held the writer up for as long, it had settled then.
    held_up = any(after - before >= 2.0 for before, after in pairwise(grown_s))
    assert names["sub/late.mxf"] >= grown_s[-1] or held_up


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="no such folder"):
        next(watched(tmp_path / "gone"))
