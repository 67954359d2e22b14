"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    bridge_s: Annotated[
        float, number(0, 5, "Torn frames this close belong to one finding.", "s")
    ] = 1.0
    longest_seam_s: Annotated[
        float,
        number(0.1, 60, "A seam that stays at one row for longer is taken for an object.", "s"),
    ] = 10.0
