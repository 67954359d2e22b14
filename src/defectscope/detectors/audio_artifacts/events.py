"""From probabilities to occurrences: hysteresis, gaps, and where a defect begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.analysis import WINDOWS_HZ
from defectscope.temporal.spans import Rows, bridge, runs

HOP_S = 1.0 / WINDOWS_HZ
WINDOW_S = 1.0
CLICKS = "audio_clicks"
# Windows over which probability must stay high on average to be believed at a lower threshold:
# five seconds of steady suspicion are worth more than one of certainty.
SUSTAINED_WINDOWS = 9


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a defect.

    Attributes:
        start_s: Where it begins.
        end_s: Where it ends.
        first: First window that shows it, as a row.
        last: First row after it.
    """

    start_s: float
    end_s: float
    first: int
    last: int


def occurrences(
    defect: str,
    starts_s: NDArray[np.float64],
    probability: NDArray[np.float64],
    *,
    enter: float,
    leave: float,
    sustained: float,
    max_gap_s: float,
    min_lasting_s: float,
    audio_s: float,
) -> list[Occurrence]:
    """Gives the occurrences of one defect, in order.

    Args:
        defect: Which.
        starts_s: Start of each window.
        probability: Of the defect, per window.
        enter: Probability at which an occurrence is believed.
        leave: Probability above which its neighbours belong to it.
        sustained: Mean probability over five seconds at which it is believed, too.
        max_gap_s: Occurrences at most this far apart are one.
        min_lasting_s: Shorter hum, hiss and distortion are dropped.
        audio_s: Length of the sound.
    """
    # A break in the grid ends a stretch: what lies between was never heard.
    breaks = np.flatnonzero(np.diff(starts_s) > HOP_S * 1.5) + 1
    spans: list[Rows] = []
    for first, last in pairwise([0, *breaks.tolist(), len(starts_s)]):
        for a, b in runs(probability[first:last] >= leave):
            inside = probability[first + a : first + b]
            if inside.max() >= enter or _steadiest(inside) >= sustained:
                spans.append((first + a, first + b))
    spans = bridge(spans, starts_s, starts_s + HOP_S, max_gap_s)
    out: list[Occurrence] = []
    for first, last in spans:
        start_s, end_s = _ends(defect, starts_s, first, last, audio_s)
        if defect == CLICKS or end_s - start_s >= min_lasting_s:
            out.append(Occurrence(start_s, end_s, first, last))
    return out


def _steadiest(probability: NDArray[np.float64]) -> float:
    """Gives the highest mean over five seconds, 0 where there are fewer."""
    if len(probability) < SUSTAINED_WINDOWS:
        return 0.0
    sums = np.cumsum(np.concatenate([[0.0], probability]))
    return float((sums[SUSTAINED_WINDOWS:] - sums[:-SUSTAINED_WINDOWS]).max() / SUSTAINED_WINDOWS)


def _ends(
    defect: str, starts_s: NDArray[np.float64], first: int, last: int, audio_s: float
) -> tuple[float, float]:
    """Gives where a defect begins and ends, from the windows that show it.

    A lasting defect shows in a window once it fills half of it: its ends lie, on average, a
    quarter of a window inside. A click shows in every window that holds it: it lies where the
    first and the last of them overlap their neighbours. At the programme's ends there is no
    neighbour, and the defect is taken to reach them.
    """
    begin, end = float(starts_s[first]), float(starts_s[last - 1])
    stop_s = min(end + WINDOW_S, max(audio_s, begin + HOP_S))
    if defect == CLICKS:
        if last - first > 1:
            return begin + HOP_S, end + HOP_S
        return begin + HOP_S / 2, end + WINDOW_S - HOP_S / 2
    start_s = begin if begin == 0.0 else begin + HOP_S / 2
    end_s = stop_s if last == len(starts_s) else end + WINDOW_S - HOP_S / 2
    return start_s, max(end_s, start_s)
