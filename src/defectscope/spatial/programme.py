"""From the channels of a file to left, right and a centre of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.spatial.arrays import Reals

# Source: ITU-R BS.775-4, annex 4: the centre and the surrounds at -3 dB, effects left out.
_HALF_POWER = 2**-0.5
_LEFT = {"FL": 1.0, "FLC": 1.0, "BL": _HALF_POWER, "SL": _HALF_POWER, "TFL": _HALF_POWER}
_RIGHT = {"FR": 1.0, "FRC": 1.0, "BR": _HALF_POWER, "SR": _HALF_POWER, "TFR": _HALF_POWER}
_BOTH = {"BC": 0.5, "TC": 0.5, "TFC": 0.5}
_CENTRE = {"FC": _HALF_POWER}


def programme_matrix(channels: Sequence[str]) -> Reals:
    """Returns the weights of channels in left, right and a discrete centre, (3, channels).

    Mono is left and right alike, so that the upmix puts it into the centre. In surround layouts
    the centre passes by the upmix, and effects are left out, as in ITU-R BS.775.

    Args:
        channels: FFmpeg's names, `FL`, `FR`, `FC`, `LFE`, ...

    Raises:
        InvalidParameterError: Nothing among them is played in front.
    """
    matrix = np.zeros((3, len(channels)))
    if len(channels) == 1:
        matrix[:2, 0] = 1.0
        return matrix
    if len(channels) == 2:
        matrix[0, 0] = matrix[1, 1] = 1.0
        return matrix
    for column, name in enumerate(channels):
        matrix[0, column] = _LEFT.get(name, 0.0) + _BOTH.get(name, 0.0)
        matrix[1, column] = _RIGHT.get(name, 0.0) + _BOTH.get(name, 0.0)
        matrix[2, column] = _CENTRE.get(name, 0.0)
    if not matrix.any():
        raise InvalidParameterError(
            f"no channel of {', '.join(dict.fromkeys(channels))} belongs in front"
        )
    return matrix
