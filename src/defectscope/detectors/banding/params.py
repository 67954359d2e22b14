"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    window_s: Annotated[
        float, number(0.04, 10, "Interval before and after a change that is compared.", "s")
    ] = 0.5
    min_duration_s: Annotated[float, number(0, 60, "Shorter banding is not reported.", "s")] = 0.4
    bridge_s: Annotated[float, number(0, 60, "Banding that pauses for less is one event.", "s")] = (
        0.5
    )
    beside_s: Annotated[
        float,
        number(
            0.04,
            10,
            "Interval before and after banding whose block grid is compared with its own.",
            "s",
        ),
    ] = 1.0
