"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    group_gap_s: Annotated[
        float, number(0, 10, "Events this close are one disturbance to a viewer.", "s")
    ] = 1.0
    max_hold_s: Annotated[
        float, number(0.05, 2, "A frame held for longer is a freeze, not a stutter.", "s")
    ] = 0.45
