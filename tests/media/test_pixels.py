"""Conversion of a decoded frame for networks."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from defectscope.media.pixels import convert, frame_of, scaled_plane, to_rgb


def test_two_threads_convert_one_frame_to_two_sizes_at_the_same_time():
    rng = np.random.default_rng(5)
    sizes = [(360, 640), (180, 320), (180, 320)]
    frame = frame_of([rng.integers(16, 235, size, dtype=np.uint8) for size in sizes])
    alone = {limit: to_rgb(frame, limit) for limit in (None, 90, 216)}
    limits = [None, 90, 216] * 40
    with ThreadPoolExecutor(4) as pool:
        for limit, rgb in zip(limits, pool.map(lambda n: to_rgb(frame, n), limits), strict=True):
            np.testing.assert_array_equal(rgb, alone[limit])


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads as Linux lists them")
def test_a_conversion_starts_no_threads():
    """Several a frame were started and ended again, which took longer than to convert it."""
    gray = np.full((360, 640), 90, np.uint8)
    frame = frame_of([gray, gray[::2, ::2], gray[::2, ::2]])
    before = set(Path("/proc/self/task").iterdir())
    # A frame keeps what converted it, threads as well, for as long as it lives.
    converted = [convert(frame, "yuv422p", 640, 360), convert(frame, "yuv420p", 320, 180)]
    assert set(Path("/proc/self/task").iterdir()) <= before
    assert converted[0].format.name == "yuv422p"
    assert scaled_plane(gray, 320, 180).shape == (180, 320)
