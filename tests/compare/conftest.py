"""A made-up film and edited versions of it."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from defectscope.compare.signature import Signatures, read_signatures
from defectscope.media import open_media
from defectscope.simulate.synthetic.material import Footage

FRAMES = 200


@pytest.fixture(scope="session")
def edits() -> ModuleType:
    """The benchmark's ways of making versions."""
    return importlib.import_module("edited_versions")


@pytest.fixture(scope="session")
def film() -> list[Any]:
    footage = Footage(seed=11, width=240, height=136, frames=FRAMES, cuts_s=(2.1, 5.0))
    return [tuple(plane.pixels for plane in frame.planes) for frame in footage]


@pytest.fixture(scope="session")
def write(edits: ModuleType, film: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Writes a version by its name and returns its path."""
    folder = tmp_path_factory.mktemp("versions")
    versions = {v.name: v for v in edits.versions_of(FRAMES)}

    def written(name: str) -> tuple[Any, Path]:
        path = folder / f"{sorted(versions).index(name)}.mp4"
        if not path.exists():
            edits.write_version(versions[name], film, path, Fraction(25))
        return versions[name], path

    return written


@pytest.fixture(scope="session")
def signatures() -> Callable[[Path], Signatures]:
    """Reads the signatures of a file, of each file once."""

    @functools.cache
    def read(path: Path) -> Signatures:
        with open_media(path) as reader:
            return read_signatures(reader)

    return read
