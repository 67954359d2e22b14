"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    min_dropout_s: Annotated[
        float, number(0.001, 10, "Shorter interruptions are left to the click detector.", "s")
    ] = 0.02
    max_dropout_s: Annotated[
        float,
        number(
            0.01, 3600, "A gap that lasts longer and does not come back abruptly is an ending.", "s"
        ),
    ] = 10.0
    min_silence_s: Annotated[
        float,
        number(
            0.01, 3600, "Silence on all channels of at least this length is always reported.", "s"
        ),
    ] = 10.0
    max_one_sided_s: Annotated[
        float,
        number(
            0,
            60,
            "A gap in one channel of a left-right pair that lasts so long while its "
            "partner plays is a missing channel, which `stereo_image` reports.",
            "s",
        ),
    ] = 0.4
    edge_window_s: Annotated[
        float,
        number(0.01, 10, "Interval next to a gap in which programme level must be found.", "s"),
    ] = 0.06
    resume_s: Annotated[
        float,
        number(
            0,
            60,
            "After a sound that was cut off the programme must be back within this: the "
            "gap may end in a pause of its own.",
            "s",
        ),
    ] = 0.3
