"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters, switch


@parameters
class Params:
    """Physical parameters."""

    bridge_s: Annotated[
        float,
        number(
            0,
            60,
            "Woven intervals this close are one finding: where nothing moves, nothing combs.",
            "s",
        ),
    ] = 1.5
    min_duration_s: Annotated[float, number(0, 60, "Shorter intervals are not reported.", "s")] = (
        0.2
    )
    report_flagged: Annotated[
        bool,
        switch(
            "Also report frames that the stream declares as interlaced and that show no "
            "combing: players deinterlace them for nothing."
        ),
    ] = True
    report_telecine: Annotated[
        bool, switch("Also report film by 3:2 pulldown, which is told apart and silent otherwise.")
    ] = False
