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
            "Shorter errors are not reported. Flashes of coloured light last for a few frames.",
            "s",
        ),
    ] = 0.2
    max_outside_share: Annotated[
        float,
        number(
            0,
            1,
            "Share of a frame's luma samples, that may lie outside codes 5 to 246 for "
            "`min_outside_s` before it is reported whatever the context. EBU R 103 allows"
            " 0.01; 1 leaves it to the context, because recordings from phones and "
            "consumer cameras use the codes above nominal white all the time.",
        ),
    ] = 1.0
    min_outside_s: Annotated[float, number(0, 3600, "How long such levels must last.", "s")] = 0.2
