"""The shared columns of differences: in codes whatever the depth, and only those asked for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from defectscope.features.geometry import tile_samples
from defectscope.simulate.effects.arrays import video_stream
from defectscope.temporal.differences import STEPS_PER_CODE, Differences, alone, difference
from defectscope.temporal.tables import TableBuilder

VIDEO = video_stream(192, 64, 3).video
assert VIDEO is not None


def features(scale: int) -> dict[str, np.ndarray]:
    tiles = tile_samples(192, 64, every=True)
    codes = np.zeros((3, *tiles.shape))
    codes[1, :4] = 2.0
    codes[2] = 5.0
    codes[2, 0, 0] = 40.0
    sums = (codes * tiles * scale).astype(np.uint32)
    luma = np.array([16, 100, 235]) * 192 * 64 * scale
    return {"tile_sad": sums, "sad": sums.sum(axis=(1, 2)), "luma_sum": luma}


@pytest.mark.parametrize("depth", [8, 10])
def test_differences_are_codes_whatever_the_depth(depth):
    measured = Differences(replace(VIDEO, bit_depth=depth), "mean", "peak", "luma")
    table = TableBuilder(Fraction(25), pts=np.int64, **measured.kinds)
    table.add(pts=[0, 1, 2], **measured.columns(features(1 << (depth - 8))))
    read = {name: difference(table.table(), name) for name in STEPS_PER_CODE}
    assert read["mean"] == pytest.approx([0.0, 1.0, 5.0 + 35 / 96], abs=1 / 64)
    assert read["peak"] == pytest.approx([0.0, 2.0, 40.0])
    assert read["luma"] == pytest.approx([16.0, 100.0, 235.0])


def test_only_what_is_asked_for_is_measured():
    measured = Differences(VIDEO, "luma")
    assert list(measured.kinds) == ["luma"]
    assert list(measured.columns(features(1))) == ["luma"]


@pytest.mark.parametrize("depth", [8, 10])
def test_frames_are_as_far_apart_as_their_tones_allow(depth):
    measured = Differences(replace(VIDEO, bit_depth=depth), "apart")
    tones = np.zeros((3, 256), np.uint32)
    # Half of the samples 40 codes over the others: two of them are 20 apart on average.
    tones[:, [60, 100]] = 500
    given = features(1 << (depth - 8)) | {"luma_histogram": tones}
    table = TableBuilder(Fraction(25), pts=np.int64, **measured.kinds)
    table.add(pts=[0, 1, 2], **measured.columns(given))
    apart = difference(table.table(), "apart")
    assert apart == pytest.approx([0.0, 1 / 20, (5.0 + 35 / 96) / 20], abs=1 / 160)


def test_what_stands_alone_exceeds_three_on_either_side():
    values = np.array([1.0, 1, 1, 1, 8, 2, 1, 1, 1, 1])
    apart = alone(values, 0.0)
    assert apart[4] == pytest.approx(4.0)
    assert apart[5] == pytest.approx(0.25)
    assert apart[0] == pytest.approx(1.0)
    assert alone(np.zeros(4), 0.1).tolist() == [0.0] * 4
    assert not len(alone(np.zeros(0), 0.1))
