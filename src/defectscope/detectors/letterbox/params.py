"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    min_duration_s: Annotated[
        float, number(0, 3600, "Bars that last less are not reported.", "s")
    ] = 0.2
    min_bar_share: Annotated[
        float,
        number(
            0,
            0.5,
            "Thinner bars do not count, share of the height or width. A few blank lines "
            "at the edge are usual: players and sets hide them.",
        ),
    ] = 0.012
    min_lone_share: Annotated[
        float,
        number(
            0,
            0.5,
            "A bar at one side alone that is thinner does not count, share of the height or width.",
        ),
    ] = 0.02
    max_inactive_share: Annotated[
        float,
        number(
            0,
            1,
            "A programme with bars throughout is reported if they cover more than this "
            "share of the frame. 2.39:1 in 16:9 covers 0.26, 4:3 in 16:9 covers 0.25; both"
            " at once, a window-box, 0.44.",
        ),
    ] = 0.4
