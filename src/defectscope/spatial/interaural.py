"""What two ears, or two channels, have in common when one may be later than the other."""

from __future__ import annotations

import numpy as np

from defectscope.spatial.arrays import Reals

# Interaural delays beyond this are not of a head.
MOST_ITD_S = 1e-3


def interaural_coherence(left: Reals, right: Reals, rate_hz: int) -> float:
    """Returns the largest normalised cross-correlation within ±1 ms, 0 to 1; silence gives 0.

    Source: ISO 3382-1, annex B. The lower, the more enveloping and deep a sound is.
    """
    return float(np.abs(_correlation(left, right, rate_hz)[1]).max(initial=0.0))


def interaural_delay_s(left: Reals, right: Reals, rate_hz: int) -> float:
    """Returns how much later the right ear hears, seconds, by the same correlation."""
    lags, values = _correlation(left, right, rate_hz)
    return float(lags[int(np.argmax(values))]) if len(lags) else 0.0


def _correlation(left: Reals, right: Reals, rate_hz: int) -> tuple[Reals, Reals]:
    """Returns lags in seconds (right later) and normalised correlations within ±1 ms."""
    scale = float(np.sqrt(np.sum(left**2) * np.sum(right**2)))
    if not scale > 0:
        return np.zeros(0), np.zeros(0)
    size = 1 << int(np.ceil(np.log2(2 * len(left))))
    product = np.conj(np.fft.rfft(left, size)) * np.fft.rfft(right, size)
    whole = np.fft.irfft(product, size)
    most = int(MOST_ITD_S * rate_hz)
    lags = np.arange(-most, most + 1)
    return lags / rate_hz, whole[lags] / scale
