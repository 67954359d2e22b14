"""Classical evidence of clipping: where the peaks lie.

    tops    share of the samples near a quarter's highest that lie at its very top: a ceiling
    even    share of short runs whose peaks reach that same height

Source: Laguna and Lerch 2016, "An Efficient Algorithm for Clipping Detection and Declipping Audio",
AES 141, for the histogram of peaks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.spectra import BLOCK, MARGIN_BEFORE

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
CELLS = 2
_TOP, _NEAR, _LEVEL = 0.985, 0.8, 0.96
# Samples of a run whose peak is looked at: 10 ms.
_SPAN = 320
_FEW = 6.0


def tops(padded: Floats) -> Doubles:
    """Returns tops and even of both quarters of a block, hundredths, (2, 2).

    Args:
        padded: As `spectra.measure` takes it, one block.
    """
    out = np.zeros((CELLS, 2))
    inside = padded[MARGIN_BEFORE : MARGIN_BEFORE + BLOCK].reshape(CELLS, -1)
    for row, own in enumerate(inside):
        for side in (own, -own):
            top = float(side.max())
            if top < 1e-3:
                continue
            near = side[side > _NEAR * top]
            share = float((near > _TOP * top).sum()) / (len(near) + _FEW)
            peaks = side.reshape(-1, _SPAN).max(axis=1)
            reach = float((peaks > _LEVEL * top).mean())
            out[row] = np.maximum(out[row], [share * 100, reach * 100])
    return out


assert BLOCK % (CELLS * _SPAN) == 0
