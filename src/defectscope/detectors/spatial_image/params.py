"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    min_delay_s: Annotated[
        float, number(0.6, 60, "Shortest interval in which one channel is late.", "s")
    ] = 1.0
    min_narrow_s: Annotated[
        float, number(1.2, 60, "Shortest interval in which the image is narrower.", "s")
    ] = 1.6
    min_lean_s: Annotated[
        float,
        number(2, 3600, "Sound that a programme must hold before its lean is evaluated.", "s"),
    ] = 8.0
