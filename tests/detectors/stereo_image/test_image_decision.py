from __future__ import annotations

import numpy as np

from defectscope.detectors.stereo_image.image import steps


def test_steps_are_between_medians_of_four_values() -> None:
    rng = np.random.default_rng(3)
    for values in (rng.normal(size=97), np.round(rng.normal(size=60)), np.full(40, -110.0)):
        found = steps(values)
        for row in range(len(values)):
            before, after = values[max(0, row - 5) : max(0, row - 1)], values[row + 1 : row + 5]
            inside = len(before) == 4 and len(after) == 4 and 5 <= row < len(values) - 4
            expected = np.median(after) - np.median(before) if inside else 0.0
            assert found[row] == expected, row
