"""Which frames a network gets to see."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from defectscope.engine.contracts import FrameSelection
from defectscope.engine.selection import Selector
from defectscope.media.frames import Frame, Plane


def frame(pts):
    native = av.VideoFrame(16, 16, "rgb24")
    native.planes[0].update(bytes([pts % 256]) * native.planes[0].buffer_size)
    return Frame(pts, 1, (), 8, native=native)


def chosen(values, **options):
    """Frames chosen of one bucket of ten, given a row of values for each."""
    selection = FrameSelection(bucket_s=1.0, suspicion="any", **options)
    selector = Selector(selection, Fraction(1, 10))
    frames = []
    # The engine measures into one buffer: what was handed over changes afterwards.
    buffer = np.zeros(len(values[0]))
    for pts, row in enumerate(values):
        buffer[:] = row
        frames += selector.take(frame(pts), buffer)
    return [p.pts for p in frames + list(selector.flush())], frames


def test_the_largest_value_is_taken_and_then_the_earliest():
    values = [[0, 1], [5, 0], [0, 5], [1, 1]]
    assert chosen(values)[0] == [1]
    assert chosen(values, per_bucket=2)[0] == [1, 2]


@pytest.mark.parametrize(("flash", "expected"), [([0, 0, 9, 9, 0, 0], 2), ([0, 0, 9, 0, 0, 0], 2)])
def test_a_flash_is_found_in_motion_that_goes_on(flash, expected):
    """The second tile moves all the time and more than the first one flashes."""
    values = [[f, m] for f, m in zip(flash, [20, 21, 20, 22, 23, 21], strict=True)]
    assert chosen(values)[0] == [4]
    assert chosen(values, sudden=True)[0] == [expected]


def test_neighbours_of_a_bucket_are_known_across_its_border():
    # The motion goes on in the next bucket, so its last frame does not stand out.
    values = [[0]] * 4 + [[3]] + [[0]] * 4 + [[9], [9], [9]]
    selection = {"sudden": True, "per_bucket": 2}
    assert chosen(values, **selection)[0][:2] == [4, 9]
    assert chosen(values[:-2] + [[9]] * 2, sudden=True)[0][0] == 9


def test_neighbours_among_the_chosen_share_their_frame():
    selection = FrameSelection(bucket_s=1.0, suspicion="any", per_bucket=2, with_previous=True)
    selector = Selector(selection, Fraction(1, 10))
    for pts in range(3):
        assert selector.take(frame(pts), np.array([pts])) == ()
    first, second = selector.flush()
    assert (first.pts, second.pts) == (1, 2)
    assert second.previous_rgb is first.rgb
    assert first.previous_rgb is not None
    assert first.previous_rgb[0, 0, 0] == 0


def test_luma_is_handed_on_as_decoded_where_it_is_wanted() -> None:
    for wanted in (True, False):
        selector = Selector(FrameSelection(bucket_s=1.0, luma=wanted), Fraction(1, 10))
        taken = replace(frame(0), planes=(Plane(np.zeros((16, 16), np.uint8), 16, 16),))
        selector.take(taken, np.zeros(1))
        (image,) = selector.flush()
        assert (image.luma is not None) == wanted
        if wanted:
            assert image.luma is taken.planes[0]


def test_luma_alone_holds_nothing_of_the_decoder() -> None:
    selection = FrameSelection(bucket_s=1.0, luma=True, with_previous=True)
    selector = Selector(selection, Fraction(1, 2))
    decoded = [
        replace(frame(n), planes=(Plane(np.full((4, 8), n, np.uint8), 6, 4),)) for n in range(5)
    ]
    looks = [look for each in decoded for look in selector.take(each, np.zeros(1))]
    (look,) = looks[-1:]
    alone = look.luma_alone()
    assert alone.pts == look.pts
    for plane, was in ((alone.luma, look.luma), (alone.luma_before, look.luma_before)):
        assert plane is not None
        assert was is not None
        assert np.array_equal(plane.pixels, was.pixels)
        assert plane.data.base is None
        assert plane.data.shape == (4, 6)
    with pytest.raises(RuntimeError):
        _ = alone.rgb
