"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    min_missing_s: Annotated[
        float, number(0.1, 3600, "A channel that is gone for less is a drop-out.", "s")
    ] = 0.4
    min_inverted_s: Annotated[
        float, number(0.1, 3600, "Shortest interval of inverted phase.", "s")
    ] = 1.0
    min_mono_s: Annotated[float, number(0.1, 3600, "Shortest collapse to mono.", "s")] = 0.8
    min_imbalance_s: Annotated[float, number(0.1, 3600, "Shortest imbalance.", "s")] = 1.2
    min_surround_s: Annotated[
        float,
        number(
            0,
            3600,
            "Sound that a surround layout must hold before its centre and effects are evaluated.",
            "s",
        ),
    ] = 5.0
