"""Conversion of a decoded frame for networks."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from defectscope.media.pixels import frame_of, to_rgb


def test_two_threads_convert_one_frame_to_two_sizes_at_the_same_time():
    rng = np.random.default_rng(5)
    sizes = [(360, 640), (180, 320), (180, 320)]
    frame = frame_of([rng.integers(16, 235, size, dtype=np.uint8) for size in sizes])
    alone = {limit: to_rgb(frame, limit) for limit in (None, 90, 216)}
    limits = [None, 90, 216] * 40
    with ThreadPoolExecutor(4) as pool:
        for limit, rgb in zip(limits, pool.map(lambda n: to_rgb(frame, n), limits), strict=True):
            np.testing.assert_array_equal(rgb, alone[limit])
