"""Alignment says exactly what was done to a version."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.compare.alignment import NotComparableError
from defectscope.compare.matching import align
from defectscope.compare.signature import Signatures
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage, frame_of

WHOLE = "the same file, encoded again"


@pytest.mark.parametrize(
    "name",
    [
        WHOLE,
        "begins 37 frames later",
        "50 frames of slate before",
        "5 frames dropped, 3 doubled",
        "cropped, gamma, 5 dropped and 3 doubled",
        "letterboxed, one frame dropped",
        "played 4 % faster",
        "3:2 repeats, 24 to 60",
        "60 frames removed",
        "75 frames of slate put in",
        "held for 50 frames",
    ],
)
def test_edits_are_found_to_the_frame(
    name: str, write: Any, signatures: Callable[[Path], Signatures]
) -> None:
    version, path = write(name)
    found = align(signatures(write(WHOLE)[1]), signatures(path))
    assert found.offset_frames == version.offset_frames
    assert found.dropped == version.dropped
    assert found.doubled == version.doubled
    assert tuple((e.kind, e.frames) for e in found.edits) == version.edits
    assert found.rate_conversion == version.conversion
    assert found.speed == pytest.approx(25 / 24 if "faster" in name else 1.0, abs=1e-3)


def test_times_map_back_to_the_baseline(
    write: Any, signatures: Callable[[Path], Signatures]
) -> None:
    found = align(signatures(write(WHOLE)[1]), signatures(write("50 frames of slate before")[1]))
    assert found.to_base_s(4.0) == pytest.approx(2.0, abs=1e-6)
    assert found.to_base_s(1.0) == pytest.approx(-1.0, abs=1e-6)


def test_another_film_is_not_comparable(
    tmp_path: Path, write: Any, signatures: Callable[[Path], Signatures]
) -> None:
    path = tmp_path / "other.mp4"
    other = Footage(seed=99, width=240, height=136, frames=120)
    write_clip(path, frames=iter(other), video=VideoEncoding(240, 136, Fraction(25)))
    with pytest.raises(NotComparableError, match=r"common|paired"):
        align(signatures(write(WHOLE)[1]), signatures(path))


def test_black_is_not_comparable(
    tmp_path: Path, write: Any, signatures: Callable[[Path], Signatures]
) -> None:
    path = tmp_path / "black.mp4"
    planes = [np.full((136, 240), 16.0), np.full((68, 120), 128.0), np.full((68, 120), 128.0)]
    frames = (frame_of(planes, pts) for pts in range(60))
    write_clip(path, frames=frames, video=VideoEncoding(240, 136, Fraction(25)))
    with pytest.raises(NotComparableError):
        align(signatures(write(WHOLE)[1]), signatures(path))
