"""Frames that turn to mid grey and back, as decoders show them that lack a reference."""

import numpy as np
import pytest

from defectscope.detectors.block_corruption.mid_grey import AWAY, TOWARDS, greyed, mid_grey

STARTS_S = np.arange(400) / 25


@pytest.fixture
def luma():
    """Ten frames of a moving picture, mean luma of tiles in 8-bit codes."""
    rng = np.random.default_rng(5)
    still = rng.uniform(20, 220, (9, 16))
    return np.stack([still + rng.normal(0, 2, still.shape) for _ in range(10)])


def mixed(frames, level, share, rows=slice(None)):
    """The third to the sixth frame, of which a share goes to a level."""
    out = frames.copy()
    out[3:7, rows] = (1 - share) * frames[3:7, rows] + share * level
    return out


@pytest.mark.parametrize("share", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("rows", [slice(None), slice(3, None)])
def test_a_mix_with_mid_grey_is_told_where_it_begins_and_ends(luma, share, rows):
    said = mid_grey(mixed(luma, 128, share, rows))
    assert np.flatnonzero(said).tolist() == [2, 6]
    assert (said[2], said[6]) == (TOWARDS, AWAY)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(lambda f: f, id="nothing"),
        pytest.param(lambda f: mixed(f, 235, 0.6), id="flash of white"),
        pytest.param(lambda f: mixed(f, 16, 0.6), id="dip to black"),
        pytest.param(lambda f: mixed(f, 140, 0.5), id="veil of lighter grey"),
        pytest.param(lambda f: mixed(f, 128, 0.1), id="dissolve"),
        pytest.param(lambda f: mixed(f, 128, 2.0), id="negative"),
        pytest.param(lambda f: mixed(f, 128, 0.5, slice(0, 1)), id="banner"),
        pytest.param(lambda f: np.concatenate([f[:5], f[5:, ::-1]]), id="cut"),
        pytest.param(lambda f: np.concatenate([f[:5], f[5:] * 0 + 128]), id="cut to a grey card"),
        pytest.param(lambda f: f * 0 + 100 + np.arange(10)[:, None, None] * 8, id="flat, brighter"),
    ],
)
def test_other_changes_enclose_nothing(luma, frames):
    assert greyed(mid_grey(frames(luma)), STARTS_S) == []


def test_an_event_lasts_from_grey_to_the_frame_that_is_whole(luma):
    (event,) = greyed(mid_grey(mixed(luma, 128, 0.5)), STARTS_S)
    assert (event.start_s, event.end_s) == (2 / 25, 6 / 25)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ({10: TOWARDS}, []),
        ({10: AWAY, 20: TOWARDS}, []),
        # Grey upon grey before the next whole frame.
        ({10: TOWARDS, 12: TOWARDS, 30: AWAY, 40: AWAY}, [(0.4, 1.2)]),
        ({10: TOWARDS, 30: AWAY | TOWARDS, 40: AWAY}, [(0.4, 1.2)]),
        ({10: TOWARDS, 300: AWAY}, []),
        ({10: TOWARDS, 290: TOWARDS, 300: AWAY}, [(11.6, 12.0)]),
    ],
)
def test_both_are_needed_and_near_each_other(bits, expected):
    grey = np.zeros(len(STARTS_S), np.uint8)
    for row, value in bits.items():
        grey[row] = value
    assert [(e.start_s, e.end_s) for e in greyed(grey, STARTS_S)] == expected
