"""Products of matrices in small pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from defectscope.temporal.products import product


@pytest.mark.parametrize(("kind", "bound"), [(np.float32, 1e-4), (np.float64, 1e-12)])
@pytest.mark.parametrize("shape", [(150, 43, 128), (1, 96, 96), (0, 4, 5), (7, 1000, 400)])
def test_it_is_the_product(shape: tuple[int, int, int], kind: Any, bound: float) -> None:
    count, inner, width = shape
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((count, inner)).astype(kind)
    matrix = rng.standard_normal((inner, width)).astype(kind)
    found = product(rows, matrix)
    assert found.shape == (count, width)
    assert found.dtype == kind
    wanted = rows.astype(np.float64) @ matrix.astype(np.float64)
    assert np.allclose(found, wanted, rtol=0, atol=bound * inner)


def test_rows_do_not_depend_on_how_many_there_are() -> None:
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((300, 96))
    matrix = rng.standard_normal((96, 96))
    assert np.allclose(product(rows, matrix)[64:128], product(rows[64:128], matrix), atol=1e-12)
