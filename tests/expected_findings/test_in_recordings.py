"""What people saw in recordings is found there, or stands as missed; nothing else of it is found.

The recordings are not in the repository: DEFECTSCOPE_MEDIA names folders that hold them, parted by
spaces (`make test MEDIA="folder ..."`); without them these tests are skipped. Where each comes from
stands in docs/results/false_alarms.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from defectscope.analysis import analyze
from defectscope.detectors import load, names

FOLDER = Path(__file__).parent
LISTED: dict[str, list[dict[str, Any]]] = {
    name: entries
    for path in sorted(FOLDER.glob("*.json"))
    for name, entries in json.loads(path.read_text("utf-8")).get("files", {}).items()
}
# One of each kind of defect, the shortest recordings; `make test-long` takes all.
SAMPLE = {
    "aev_201.mp4",
    "empty_edit_5s.mp4",
    "mpeg2_field_encoding.mp4",
    "p70m_463.mp4",
    "p70m_471.mp4",
    "p70m_484.mp4",
    "p70m_510.mp4",
    "vox_09.mp4",
}
# Findings that nobody can see.
FALSE = {"tears-of-steel-battle-clip-medium.webm": [("blur", 10.0, 12.0)]}
# An entry's ends were read off frames; a finding may reach this much further, seconds.
SLACK_S = 0.1
DETECTOR = {defect: name for name in names() for defect in load(name).defects}


def recordings() -> dict[str, Path]:
    """The listed files that are there, by name."""
    folders = os.environ.get("DEFECTSCOPE_MEDIA", "").split()
    found = (path for folder in folders for path in Path(folder).rglob("*") if path.is_file())
    return {path.name: path for path in found if path.name in LISTED}


CASES = [
    pytest.param(name, marks=[] if name in SAMPLE else [pytest.mark.long])
    for name in sorted(LISTED)
]


@pytest.fixture(scope="module")
def there() -> dict[str, Path]:
    return recordings()


def test_the_sample_is_listed() -> None:
    assert set(LISTED) >= SAMPLE


@pytest.mark.parametrize("name", CASES)
def test_what_was_seen_is_found_and_nothing_else_of_its_kind(
    name: str, there: dict[str, Path]
) -> None:
    if name not in there:
        pytest.skip(f"{name} is in no folder of DEFECTSCOPE_MEDIA")
    entries = LISTED[name]
    report = analyze(there[name], detectors=sorted({DETECTOR[e["defect"]] for e in entries}))
    unlisted = list(report.findings)
    for entry in entries:
        begins_s, ends_s = entry["start_s"] - SLACK_S, entry["end_s"] + SLACK_S
        of_it = [
            f
            for f in report.findings
            if f.defect == entry["defect"] and f.start_s < ends_s and f.end_s > begins_s
        ]
        # What has come to be found is to lose its mark.
        assert bool(of_it) != entry.get("missed", False), entry
        unlisted = [f for f in unlisted if f not in of_it]
    kinds = {entry["defect"] for entry in entries}
    wrong = [(f.defect, f.start_s, f.end_s) for f in unlisted if f.defect in kinds]
    assert wrong == [tuple(each) for each in FALSE.get(name, [])]
