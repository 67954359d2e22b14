"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    join_s: Annotated[float, number(0, 60, "Errors closer than this are one event.", "s")] = 1.0
    max_frame_gap: Annotated[
        float, number(1, 1000, "A step between frames of more than this many usual ones is a gap.")
    ] = 1.9
    max_start_offset_s: Annotated[
        float,
        number(
            0,
            60,
            "Sound may start this much before or after the video. Encoder priming and "
            "coarse interleaving stay below.",
            "s",
        ),
    ] = 0.4
    max_length_difference_s: Annotated[
        float, number(0, 3600, "Sound and video may differ in length by this.", "s")
    ] = 1.0
    max_missing_s: Annotated[
        float,
        number(0, 3600, "A track may end this much before the end that the file declares.", "s"),
    ] = 0.25
