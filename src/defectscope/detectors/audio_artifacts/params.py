"""What can be set: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.detectors.audio_artifacts.decision import SENSITIVITIES
from defectscope.parameters import choice, number, parameters, switch


@parameters
class Params:
    """Physical parameters."""

    each_channel: Annotated[
        bool,
        switch(
            "Analyze every channel separately instead of their mix. Multiplies the cost, "
            "and finds defects of single channels."
        ),
    ] = False
    max_gap_s: Annotated[
        float, number(0, 60, "Runs of one defect at most this far apart are one finding.", "s")
    ] = 1.0
    min_lasting_s: Annotated[
        float,
        number(0, 60, "Hum, hiss and distortion that do not last this long are not reported.", "s"),
    ] = 0.4
    sensitivity: Annotated[
        str,
        choice(
            SENSITIVITIES,
            "How much evidence a finding needs: `low` (few false findings), `normal` or "
            "`high` (few defects missed).",
        ),
    ] = "normal"
