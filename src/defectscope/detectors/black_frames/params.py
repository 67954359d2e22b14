"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    edge_window_s: Annotated[
        float,
        number(
            0.02,
            10,
            "How far from a black interval to look for the frame it cuts off. A fade of "
            "this length or more is editorial.",
            "s",
        ),
    ] = 0.12
    max_editorial_s: Annotated[
        float,
        number(
            0,
            3600,
            "Longer black is always reported. Longer than the pauses"
            " between acts; Source: EBU R 103's practice leaves it to the operator.",
            "s",
        ),
    ] = 3.0
