"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.detectors.video_noise.flat import DOTS_QUANTILE, FLAT_QUANTILE
from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters."""

    flat_quantile: Annotated[
        float,
        number(
            0,
            1,
            "Which tile represents the frame's noise, 0 the calmest and 1 the busiest: low "
            "enough to be flat, high enough not to be a single empty tile.",
        ),
    ] = FLAT_QUANTILE
    dots_quantile: Annotated[
        float, number(0, 1, "Likewise for stray dots, which fall on every tile.")
    ] = DOTS_QUANTILE
    busy_quantile: Annotated[float, number(0, 1, "Which tile represents the frame's detail.")] = 0.8
    window_s: Annotated[
        float,
        number(0.04, 10, "Interval before and after a change of noise that is compared.", "s"),
    ] = 0.3
    min_duration_s: Annotated[float, number(0, 60, "Shorter noise is not reported.", "s")] = 0.2
    bridge_s: Annotated[float, number(0, 60, "Noise that pauses for less is one event.", "s")] = 0.3
    beside_s: Annotated[
        float,
        number(
            0.04,
            10,
            "Interval before and after an interval whose detail is compared with its own.",
            "s",
        ),
    ] = 0.5
