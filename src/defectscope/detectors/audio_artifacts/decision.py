"""Decides on evidence: log odds of every quarter second, summed over runs, beside a floor.

The network's logits and the first classical measures of a step are joined with their means over one
and four seconds and with what the programme has elsewhere, by a small learned layer; on it stands,
for each defect, a straight sum of the layer's log odds and of the measures that speak of it
(`stack`). It gives log odds that a defect is there. Steps whose log odds are high enough make runs;
a run is reported when the sum of its log odds over time, the evidence, reaches what the sensitivity
asks for. Two seconds of certainty over a quiet floor are found so; a programme bad from end to end
has to show more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.analysis import (
    DECIBEL_SCALE,
    LOGIT_SCALE,
    WINDOWS_HZ,
)
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.stack import Stack, of_the_layer

Doubles = NDArray[np.float64]
STEP_S = 1.0 / WINDOWS_HZ
WINDOW_S = 1.0
# Steps on either side over which signals are averaged: about one second, about four.
_NEAR, _WIDE = 2, 8
# Over so many steps on either side a signal must stay up to count as standing.
_STANDS = 3
# Share of the programme that counts as its floor.
_FLOOR_SHARE = 0.2
_LOGIT_RANGE = 8.0
# Seconds over which evidence adds up.
LONGEST_S = 4.0
SENSITIVITIES = ("low", "normal", "high")


@dataclass(frozen=True, slots=True)
class Layer:
    """The learned layer from features to log odds.

    Attributes:
        hidden: (features, units) weights.
        hidden_bias: (units,).
        out: (units, 4) weights.
        out_bias: (4,).
        stack: What stands on it: the sum of its log odds and of classical measures; None where
            its own log odds decide.
    """

    hidden: Doubles
    hidden_bias: Doubles
    out: Doubles
    out_bias: Doubles
    stack: Stack | None = None

    @staticmethod
    def of(entry: Mapping[str, Any]) -> Layer:
        """Returns the layer that detector.json holds."""
        hidden, hidden_bias, out, out_bias = (
            np.array(entry[name], np.float64)
            for name in ("hidden", "hidden_bias", "out", "out_bias")
        )
        stack = Stack.of(entry["stack"]) if "stack" in entry else None
        return Layer(hidden, hidden_bias, out, out_bias, stack)

    def __call__(self, features: Doubles) -> Doubles:
        """Returns log odds, (n, 4), of features, (n, 66)."""
        own = self.alone(features)
        return own if self.stack is None else self.stack(own, features)

    def alone(self, features: Doubles) -> Doubles:
        """Returns the layer's own log odds, (n, 4), of features, (n, 66)."""
        taken = of_the_layer(features)
        return np.maximum(taken @ self.hidden + self.hidden_bias, 0) @ self.out + self.out_bias


@dataclass(frozen=True, slots=True)
class Run:
    """Steps that show a defect.

    Attributes:
        first: First row.
        last: First row after it.
        evidence: Log odds summed over seconds.
    """

    first: int
    last: int
    evidence: float


def continuous_runs(starts_s: Doubles) -> list[tuple[int, int]]:
    """Returns the rows between breaks of the grid: what lies in a break was never measured."""
    breaks = np.flatnonzero(np.diff(starts_s) > STEP_S * 1.5) + 1
    return list(pairwise([0, *breaks.tolist(), len(starts_s)]))


def signals(columns: Mapping[str, NDArray[Any]]) -> Doubles:
    """Returns what is known of each step, (n, 11): logits and all the classical measures."""
    out = [columns[f"logit_{name}"] / LOGIT_SCALE for name in CLASSES]
    out = [np.clip(column, -_LOGIT_RANGE, _LOGIT_RANGE) for column in out]
    floor, level = columns["floor"] / DECIBEL_SCALE, columns["level"] / DECIBEL_SCALE
    # About zero on average, and about one of spread.
    out += [
        columns["lines"] / DECIBEL_SCALE / 5 - 2,
        columns["lines_beyond"] / DECIBEL_SCALE / 5,
        (floor - np.median(level)) / 10 + 3,
        (floor - level) / 10 + 3,
        np.log1p(columns["corners"].astype(np.float64)) - 1,
        columns["tops"] / DECIBEL_SCALE / 10 - 1,
        columns["even"] / DECIBEL_SCALE / 10 - 1,
    ]
    return np.stack(out, axis=1)


def features(columns: Mapping[str, NDArray[Any]], starts_s: Doubles) -> Doubles:
    """Returns each step beside its neighbours and beside the programme, (n, 66).

    Columns are those of `stack.SIGNALS`, once for each of `stack.VIEWS`.
    """
    here = signals(columns)
    about, around, least = near(here, starts_s), wide(here, starts_s), np.empty_like(here)
    for first, last in continuous_runs(starts_s):
        least[first:last] = _windows(here[first:last], _STANDS).min(axis=-1)
    floor = np.quantile(about, _FLOOR_SHARE, axis=0)
    baseline = np.median(about, axis=0)
    return np.hstack([here, about, around, least, about - floor, about - baseline])


def near(values: Doubles, starts_s: Doubles) -> Doubles:
    """Returns means of (n, k) values over about one second, none across a break of the grid."""
    return _means(values, starts_s, _NEAR)


def wide(values: Doubles, starts_s: Doubles) -> Doubles:
    """Returns means of (n, k) values over about four seconds, none across a break of the grid."""
    return _means(values, starts_s, _WIDE)


def runs(log_odds: Doubles, starts_s: Doubles, max_gap_s: float, drift: float) -> list[Run]:
    """Returns the runs of steps that show a defect, with the evidence of each.

    Args:
        log_odds: (n,) of one defect.
        starts_s: (n,) start of each step's window.
        max_gap_s: Runs at most this far apart are one.
        drift: Log odds above which a step belongs to a run and adds evidence.
    """
    out: list[Run] = []
    for begin, end in continuous_runs(starts_s):
        own = log_odds[begin:end]
        edges = np.flatnonzero(np.diff(np.r_[0, own > drift, 0]))
        spans: list[list[int]] = []
        for first, last in edges.reshape(-1, 2).tolist():
            if spans and (first - spans[-1][1]) * STEP_S <= max_gap_s:
                spans[-1][1] = last
            else:
                spans.append([first, last])
        for first, last in spans:
            evidence = _evidence(own[first:last] - drift)
            # It begins and ends where the defect is likelier than not, if it is so anywhere.
            likely = np.flatnonzero(own[first:last] > max(drift, 0.0))
            if len(likely):
                first, last = first + int(likely[0]), first + int(likely[-1]) + 1
            out.append(Run(begin + first, begin + last, evidence))
    return out


def _evidence(gains: Doubles) -> float:
    """Returns the greatest sum over consecutive steps of at most four seconds, in seconds of sound.

    Steps overlap: a single one has heard a second, each further one a quarter more. What lasts for
    minutes is no surer for it: a programme that is like that from end to end would always be found.
    """
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    longest = round((LONGEST_S - WINDOW_S) / STEP_S) + 1
    best = 0.0
    for count in range(1, min(len(gains), longest) + 1):
        mean = float((sums[count:] - sums[:-count]).max()) / count
        best = max(best, mean * ((count - 1) * STEP_S + WINDOW_S))
    return best


def _means(values: Doubles, starts_s: Doubles, reach: int) -> Doubles:
    out = np.empty_like(values)
    for first, last in continuous_runs(starts_s):
        out[first:last] = _windows(values[first:last], reach).mean(axis=-1)
    return out


def _windows(values: Doubles, reach: int) -> Doubles:
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return sliding_window_view(padded, 2 * reach + 1, axis=0)
