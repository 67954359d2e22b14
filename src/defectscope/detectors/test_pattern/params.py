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
            60,
            "Shorter patterns are not reported. Flashes of one colour are an editing effect.",
            "s",
        ),
    ] = 0.2
    min_grey_s: Annotated[
        float,
        number(
            0,
            3600,
            "A solid white or grey that lasts for less is not reported: fades and dips to"
            " white are editorial.",
            "s",
        ),
    ] = 1.5
    min_slate_s: Annotated[
        float,
        number(0, 3600, "A still that looks like a slate and lasts for less is not reported.", "s"),
    ] = 0.4
