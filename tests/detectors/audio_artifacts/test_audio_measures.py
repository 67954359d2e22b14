"""Classical measures beside the network: each tells what it is there for, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.audio_artifacts.decision import features
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_AFTER,
    MARGIN_BEFORE,
    RATE_HZ,
)
from defectscope.detectors.audio_artifacts.stack import (
    INPUTS,
    SIGNALS,
    VIEWS,
    Stack,
    inputs_of,
    place_of,
)
from defectscope.detectors.audio_artifacts.tops import tops

LENGTH = MARGIN_BEFORE + BLOCK + MARGIN_AFTER


def _voice(seed: int) -> np.ndarray:
    """Returns sound whose level and colour move as those of a voice do."""
    rng = np.random.default_rng(seed)
    at = np.arange(LENGTH) / RATE_HZ
    pitch = np.cumsum(130 + 25 * np.sin(2 * np.pi * 2.3 * at)) / RATE_HZ
    sound = sum(np.sin(2 * np.pi * k * pitch + k) / k for k in range(1, 25))
    breath = np.convolve(rng.standard_normal(LENGTH), np.ones(5) / 5, "same")
    level = 0.15 + 0.1 * np.sin(2 * np.pi * 4 * at)
    return ((sound * 0.5 + breath * 0.05) * level).astype(np.float32)


def test_a_ceiling_shows_in_the_histogram_of_peaks() -> None:
    plain = _voice(1)
    top = float(np.abs(plain).max())
    clipped = np.clip(plain, -0.3 * top, 0.3 * top)
    assert (tops(clipped) > tops(plain) + 20).all()
    # However loud it is played afterwards.
    assert np.allclose(tops(clipped * 0.2), tops(clipped), atol=1e-3)
    assert not tops(np.zeros(LENGTH, np.float32)).any()


def test_the_stack_reads_the_columns_that_its_names_say() -> None:
    rng = np.random.default_rng(5)
    found = rng.standard_normal((7, len(SIGNALS) * len(VIEWS)))
    odds = rng.standard_normal((7, 4))
    for place, name in enumerate(CLASSES):
        own = inputs_of(name, odds, found)
        assert np.array_equal(own[:, 0], odds[:, place])
        for column, each in enumerate(INPUTS[name], start=1):
            assert np.array_equal(own[:, column], found[:, place_of(each)])
    stack = Stack(
        dict.fromkeys(CLASSES, 0.5),
        {name: {k: 2.0 * (not i) for i, k in enumerate(INPUTS[name])} for name in CLASSES},
        dict.fromkeys(CLASSES, -1.0),
    )
    bent, plain = CLASSES.index("audio_distortion"), [0, 1, 3]
    first = found[:, place_of(INPUTS["audio_distortion"][0])]
    assert np.allclose(stack(odds, found)[:, bent], 0.5 * odds[:, bent] + 2.0 * first - 1.0)
    assert np.array_equal(stack(odds, found)[:, plain], odds[:, plain])
    again = Stack.of(stack.entry())
    assert np.array_equal(again(odds, found), stack(odds, found))


def test_a_step_is_set_beside_its_programme() -> None:
    columns = {f"logit_{name}": np.zeros(40, np.int16) for name in CLASSES}
    measured, moments = ("lines", "lines_beyond", "floor", "level", "corners"), ("tops", "even")
    columns |= {name: np.zeros(40, np.int16) for name in (*measured, *moments)}
    columns["tops"][20:30] = 500
    found = features(columns, np.arange(40) / 4)
    assert found.shape == (40, len(SIGNALS) * len(VIEWS))
    rise = found[:, place_of("tops over_median")]
    assert rise[25] == pytest.approx(5.0)
    assert rise[5] == 0
    assert found[25, place_of("tops least")] == pytest.approx(found[25, place_of("tops here")])
    assert found[20, place_of("tops least")] < found[20, place_of("tops here")]
