"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """Physical parameters; those of the flashes are from ITU-R BT.1702-3."""

    white_cd_m2: Annotated[
        float, number(50, 1000, "Luminance of nominal white on the viewer's screen.", "cd/m²")
    ] = 200.0
    flash_cd_m2: Annotated[
        float, number(1, 1000, "Least change of luminance that makes a flash.", "cd/m²")
    ] = 20.0
    dark_cd_m2: Annotated[
        float,
        number(
            1, 1000, "Changes whose darker image is as bright as this are harmless, cd/m².", "cd/m²"
        ),
    ] = 160.0
    red_change: Annotated[
        float, number(0, 320, "Least change of the saturated red, that makes a red flash.")
    ] = 20.0
    area_share: Annotated[float, number(0, 1, "Flashes on no more of the frame are harmless.")] = (
        0.25
    )
    flashes_per_s: Annotated[
        int, number(1, 60, "So many flashes in a second are still allowed.", "flashes/s")
    ] = 3
    longest_swing_s: Annotated[
        float, number(0.05, 1, "Slower swings of the brightness are no flicker.", "s")
    ] = 0.25
    least_swings: Annotated[int, number(1, 1000, "Fewer in a row are no flicker.")] = 5
