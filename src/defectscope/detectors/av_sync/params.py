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
            "Fragments of four seconds that are looked at in every minute; 15 is everything.",
            "fragments/min",
        ),
    ] = 15
    window_s: Annotated[
        float,
        number(
            1.6, 60, "What is added up for one answer. Longer is surer and coarser in time.", "s"
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
            "Lower faces are left out; height in the frame as looked at, which is at most"
            " 720 px high.",
            "px",
        ),
    ] = 48
    min_face_score: Annotated[
        float, number(0.01, 0.99, "Faces of which the finder is less sure are left out.")
    ] = 0.5
    tolerance: Annotated[
        str,
        choice(
            TOLERANCES_MS,
            "What is still in step: `bt1359` from 90 ms early to 185 ms late, what "
            "viewers accept (ITU-R BT.1359-1); `r37` from 40 ms early to 60 ms late (EBU "
            "R37).",
        ),
    ] = DEFAULT_TOLERANCE
