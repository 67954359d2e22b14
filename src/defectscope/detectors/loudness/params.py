"""The delivery target: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """The delivery target. The defaults are EBU R 128's."""

    target_lufs: Annotated[
        float, number(-70, 0, "Programme loudness wanted. Source: EBU R 128, -23.0 LUFS.", "LUFS")
    ] = -23.0
    tolerance_lu: Annotated[
        float,
        number(
            0,
            20,
            "Allowed deviation either way. Source: EBU R 128, 0.5 LU; 1.0 LU where "
            "hitting the target exactly is not practicable, as in live programmes, which "
            "a stream may be.",
            "LU",
        ),
    ] = 1.0
    max_true_peak_dbtp: Annotated[
        float, number(-60, 20, "Highest true peak allowed. Source: EBU R 128, -1 dBTP.", "dBTP")
    ] = -1.0
    min_programme_s: Annotated[
        float,
        number(
            0,
            3600,
            "Programme loudness of shorter sound is measured; where it is off the target "
            "the verdict is `inconclusive`. A profile sets it to 0.",
            "s",
        ),
    ] = 30.0
    join_peaks_s: Annotated[float, number(0, 60, "Overs closer than this are one event.", "s")] = (
        2.0
    )
