"""The lists of what is really in unimpaired recordings are complete and make sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from defectscope.detectors import load, names

FOLDER = Path(__file__).parent
# Verdicts on lip sync lie beside them in a form of their own.
LISTS = [p for p in sorted(FOLDER.glob("*.json")) if "files" in json.loads(p.read_text("utf-8"))]
SEEN = {"pictures", "frame differences", "waveform", "spectrogram", "stream flags"}


def entries(path: Path) -> list[tuple[str, dict[str, Any]]]:
    files = json.loads(path.read_text("utf-8"))["files"]
    return [(name, entry) for name, found in files.items() for entry in found]


def test_there_are_lists() -> None:
    assert {p.stem for p in LISTS} >= {"video", "real_defects"}


@pytest.mark.parametrize("path", LISTS, ids=lambda p: p.stem)
def test_every_entry_names_a_defect_a_span_and_how_it_was_verified(path: Path) -> None:
    defects = {d for name in names() for d in load(name).defects}
    known = {"defect", "start_s", "end_s", "seen", "why", "many", "missed", "throughout"}
    for name, entry in entries(path):
        assert set(entry) <= known, name
        assert entry["defect"] in defects, name
        # What is there from end to end is more than one event.
        assert entry.get("many") or not entry.get("throughout"), name
        assert 0 <= entry["start_s"] < entry["end_s"], name
        assert entry["seen"] in SEEN, name
        assert len(entry["why"].split()) >= 4, name


def test_no_file_is_listed_twice() -> None:
    names_listed = [name for p in LISTS for name in json.loads(p.read_text("utf-8"))["files"]]
    assert len(names_listed) == len(set(names_listed))
