"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import choice, number, parameters

SENSITIVITIES = ("low", "normal", "high")
DECISIONS = ("learned", "area")


@parameters
class Params:
    """Physical parameters."""

    frames_per_s: Annotated[
        int,
        number(
            2,
            60,
            "Frames per second that the network analyzes at most, each with the one before "
            "it; even. More makes start and end of damage more exact.",
            "frames/s",
            multiple_of=2,
        ),
    ] = 6
    glances_per_s: Annotated[
        int,
        number(
            2,
            60,
            "Frames per second that are always analyzed; even. The others are analyzed only "
            "if one of these looks damaged. More finds shorter damage between cuts.",
            "frames/s",
            multiple_of=2,
        ),
    ] = 2
    max_height_px: Annotated[
        int, number(64, 4320, "Taller frames are scaled down to this height for the network.", "px")
    ] = 360
    decision: Annotated[
        str,
        choice(
            DECISIONS,
            "`learned` decides with the network's own decision, `area` with the share of "
            "the frame that its map calls damaged.",
        ),
    ] = "learned"
    bridge_s: Annotated[float, number(0, 60, "Events closer than this are one.", "s")] = 0.4
    sensitivity: Annotated[
        str,
        choice(
            SENSITIVITIES, "`high` reports fainter damage and more false alarms, `low` the reverse."
        ),
    ] = "normal"

    def __post_init__(self) -> None:
        if self.glances_per_s > self.frames_per_s:
            raise ValueError("glances_per_s is at most frames_per_s")
