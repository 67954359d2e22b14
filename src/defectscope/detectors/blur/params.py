"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    min_texture_code: Annotated[
        float,
        number(
            0,
            100,
            "Root mean square difference at 4 px that a tile must have to be evaluated: a"
            " clear sky is not soft, it is empty. 8-bit-equivalent codes.",
            "code",
        ),
    ] = 2.0
    sharp_quantile: Annotated[
        float,
        number(
            0,
            1,
            "Which of the evaluated tiles represents the frame, 1 being the sharpest: one"
            " sharp logo must not hide a soft frame.",
        ),
    ] = 0.9
    window_s: Annotated[
        float,
        number(0.04, 10, "Interval before and after a change of softness that is compared.", "s"),
    ] = 0.32
    min_duration_s: Annotated[
        float, number(0, 60, "Shorter softness is not reported. Whip pans are shorter.", "s")
    ] = 0.6
    bridge_s: Annotated[
        float, number(0, 60, "Softness that pauses for less is one event.", "s")
    ] = 0.5
    beside_s: Annotated[
        float,
        number(
            0.04,
            10,
            "Interval before and after an interval whose noise is compared with its own.",
            "s",
        ),
    ] = 0.5
