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
            "Interlaced intervals this close are one finding: without motion there is no combing.",
            "s",
        ),
    ] = 1.5
    min_duration_s: Annotated[float, number(0, 60, "Shorter intervals are not reported.", "s")] = (
        0.2
    )
    report_flagged: Annotated[
        bool,
        switch(
            "Also report frames that the stream declares as interlaced although they show "
            "no combing: players deinterlace them needlessly."
        ),
    ] = True
    report_telecine: Annotated[
        bool,
        switch(
            "Also report film with 3:2 pulldown, which is otherwise recognised and not reported."
        ),
    ] = False
