"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    min_duration_s: Annotated[
        float,
        number(
            0,
            3600,
            "Shorter stillness is a stutter. Animation holds a drawing for up to three "
            "frames at 24 fps.",
            "s",
        ),
    ] = 0.3
    min_frames: Annotated[
        int,
        number(
            1, 1000, "Freezes of fewer frames are not reported, whatever the frame rate.", "frames"
        ),
    ] = 5
    motion_window_s: Annotated[
        float, number(0.04, 10, "Interval before the stillness that must have moved.", "s")
    ] = 0.4
    min_noiseless_s: Annotated[
        float,
        number(
            0,
            3600,
            "Shortest freeze in a scene without motion, and of a freeze of part of the "
            "frame or with continuing noise.",
            "s",
        ),
    ] = 0.6
    noise_window_s: Annotated[
        float, number(0.04, 10, "Interval on either side whose noise counts.", "s")
    ] = 1.5
