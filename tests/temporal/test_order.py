from __future__ import annotations

import numpy as np
import pytest

from defectscope.temporal.order import median, quantile, windows


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint8, np.int64])
def test_medians_are_those_of_numpy(kind: type) -> None:
    random = np.random.default_rng(1)
    for _ in range(500):
        values = (random.normal(0, 40, random.integers(1, 60)) ** 2 % 250).astype(kind)
        assert median(values) == float(np.median(values))


def test_quantiles_are_those_of_numpy() -> None:
    random = np.random.default_rng(2)
    for _ in range(2000):
        values = random.normal(0, 10 ** random.uniform(-6, 6), random.integers(1, 60))
        share = float(random.choice([0.0, 0.1, 0.25, 0.5, 0.9, 0.95, 1.0, random.uniform()]))
        assert quantile(values, share) == float(np.quantile(values, share))
    single = random.normal(0, 1, 31).astype(np.float32)
    assert quantile(single, 0.3) == float(np.quantile(single, 0.3))


def test_what_is_no_number_is_told() -> None:
    values = np.array([1.0, np.nan, 3.0])
    assert np.isnan(median(values))
    assert np.isnan(quantile(values, 0.5))
    assert np.isnan(median(np.empty(0)))
    assert median(np.array([1.0, np.inf])) == np.inf


def test_windows_are_those_of_numpy() -> None:
    values = np.arange(20.0)[::2]
    wanted = np.lib.stride_tricks.sliding_window_view(values, 4)
    np.testing.assert_array_equal(windows(values, 4), wanted)
    with pytest.raises(ValueError, match="read-only"):
        windows(values, 4)[0, 0] = 1.0
