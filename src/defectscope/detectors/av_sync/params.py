"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.detectors.av_sync.analysis import PER_MINUTE
from defectscope.detectors.av_sync.windows import DEFAULT_TOLERANCE, TOLERANCES_MS
from defectscope.parameters import choice, number, parameters


@parameters
class Params:
    """Physical parameters."""

    fragments_per_min: Annotated[
        int,
        number(
            1,
            PER_MINUTE,
            "Fragments of four seconds analyzed per minute; 15 is everything.",
            "fragments/min",
        ),
    ] = 15
    window_s: Annotated[
        float,
        number(
            1.6,
            60,
            "Length that is evaluated as a whole. Longer is more certain and less precise in time.",
            "s",
        ),
    ] = 8.0
    max_faces: Annotated[
        int, number(1, 8, "Faces followed at the same time, the largest first.")
    ] = 3
    min_face_px: Annotated[
        int,
        number(
            24,
            720,
            "Smaller faces are ignored; height in the analyzed frame, which is at most 720 "
            "px high.",
            "px",
        ),
    ] = 48
    min_face_score: Annotated[
        float, number(0.01, 0.99, "Faces with a lower detection score are ignored.")
    ] = 0.5
    tolerance: Annotated[
        str,
        choice(
            TOLERANCES_MS,
            "What counts as in sync: `bt1359` from 90 ms early to 185 ms late, what "
            "viewers accept (ITU-R BT.1359-1); `r37` from 40 ms early to 60 ms late (EBU "
            "R37).",
        ),
    ] = DEFAULT_TOLERANCE
