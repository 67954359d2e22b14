"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    window_s: Annotated[
        float, number(0.04, 10, "Interval before and after a change that is compared.", "s")
    ] = 0.8
    min_duration_s: Annotated[float, number(0, 60, "Shorter blockiness is not reported.", "s")] = (
        0.6
    )
    bridge_s: Annotated[
        float, number(0, 60, "Blockiness that pauses for less is one event.", "s")
    ] = 0.8
