"""The gallery shows what there is."""

from __future__ import annotations

import importlib

import pytest


@pytest.fixture(scope="module")
def gallery():
    return importlib.import_module("gallery")


def test_the_page_is_what_the_script_writes(gallery):
    written = gallery.PAGE.read_text(encoding="utf-8")
    assert written == gallery.page(), "run python benchmarks/gallery.py"


def test_every_frame_of_the_page_is_there(gallery):
    for made in gallery.simulators().values():
        if gallery.has_video(made):
            frame = gallery.FOLDER / f"{made.name}.jpg"
            assert frame.stat().st_size > 5000, "run python benchmarks/gallery.py"
