"""Padding of one axis is numpy.pad's."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.temporal.padding import between, held, mirrored


@pytest.mark.parametrize("count", [1, 2, 5, 40])
@pytest.mark.parametrize("reach", [0, 1, 3, 7])
def test_each_is_what_numpy_makes_of_it(count: int, reach: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    np.testing.assert_array_equal(mirrored(values, reach), np.pad(values, reach, "symmetric"))
    np.testing.assert_array_equal(held(values, reach), np.pad(values, reach, "edge"))
    np.testing.assert_array_equal(between(values, reach), np.pad(values, reach))
    np.testing.assert_array_equal(
        between(values, reach, np.nan), np.pad(values, reach, constant_values=np.nan)
    )
