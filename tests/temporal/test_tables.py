"""Tables: what an older version measured ends in an error that says so."""

from __future__ import annotations

from array import array
from fractions import Fraction

import pytest

from defectscope.detectors import load
from defectscope.errors import MalformedRequestError
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import StreamInfo
from defectscope.media.tracks import VideoInfo
from defectscope.temporal.tables import column


def test_a_column_that_was_not_measured_is_named() -> None:
    table = Table((25, 1), {"pts": array("q", [0, 1]), "jump": array("H", [3, 4])})
    assert column(table, "jump").tolist() == [3, 4]
    with pytest.raises(MalformedRequestError, match="no column 'confounded'"):
        column(table, "confounded")


def test_measurements_of_an_older_block_corruption_are_refused() -> None:
    """0.4.1 did not measure what moves without damage."""
    frames = Table(
        (25, 1),
        {
            "pts": array("q", range(50)),
            "jump": array("H", [0] * 50),
            "corrupt": array("B", [0] * 50),
        },
    )
    names = ("logit", "previous_logit", "area", "previous_area", "peak_x_px", "peak_y_px")
    samples = Table(
        (25, 1), {"pts": array("q", [10, 20]), **{name: array("i", [0, 0]) for name in names}}
    )
    maps = Table((25, 1), {"pts": array("q"), "place": array("H"), "probability": array("B")})
    measured = Measurements(
        "block_corruption", {"samples": samples, "frames": frames, "maps": maps}
    )
    video = VideoInfo(640, 360, 320, 180, 8, "yuv420p", Fraction(25), Fraction(1, 25), "h264")
    stream = StreamInfo("old.mp4", "mp4", 2.0, video, None)
    with pytest.raises(MalformedRequestError, match="another version of the detector"):
        load("block_corruption").decide(measured, stream)
