"""Evaluates measured talking clips at every shift, and counts who is right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sync_designs import HYBRID_SHARE, SHIFTS_MS, Measured
from talking_clips import Talk

from defectscope.detectors.av_sync.decision import SyncDecision, decide_sync
from defectscope.detectors.av_sync.fragments import (
    Cell,
)
from defectscope.detectors.av_sync.offsets import MS_PER_FRAME, Likeness, peak
from defectscope.detectors.av_sync.windows import (
    DEFAULT_TOLERANCE,
    TOLERANCES_MS,
    Rules,
    Window,
    likeness,
    speaking,
    windows,
)
from defectscope.training.scores import wilson

CONCLUSIVE = 0.9
# A best offset this close to the truth is right where nothing may be left open.
FORCED_MS = 60.0
WINDOW_S = 8.0
PLAIN = Rules(1.0, 0.0, 0.0, 0.0, *TOLERANCES_MS[DEFAULT_TOLERANCE], 10.0, 3, 40)


def rules_for(design: str, slope: float, offset: float) -> Rules:
    """Returns the rules of a design with its calibration."""
    share = HYBRID_SHARE if design == "hybrid" else 0.0
    return replace(PLAIN, slope=slope, offset=offset, network_share=share, conclusive=CONCLUSIVE)


class Calibrator:
    """Returns every design the probability that a window's offset is right, over its lead."""

    def __init__(self, talks: Sequence[Talk], done: Measured) -> None:
        self._rows: dict[str, list[tuple[str, str, float, bool]]] = {}
        by_name = {t.name: t for t in talks}
        for (design, name, condition), found in done.items():
            plain = rules_for(design, 1.0, 0.0)
            seen = speaking(found, plain)
            other = condition if isinstance(condition, str) else name
            for window_s in (4.0, WINDOW_S):
                self._rows.setdefault(design, []).extend(
                    (name, other, w.lead, _is_right(w, by_name[name], condition))
                    for w in windows(seen, plain, window_s)[::3]
                )
        self._kept: dict[tuple[str, str | None], Rules] = {}

    def rules(self, design: str, without: str | None) -> Rules:
        """Returns a design's rules, fitted on everybody but one."""
        if (design, without) not in self._kept:
            rows = [r for r in self._rows[design] if without not in r[:2]]
            x, y = np.array([r[2] for r in rows]), np.array([float(r[3]) for r in rows])

            def loss(p: Any) -> float:
                z = np.clip(p[0] * x + p[1], -40, 40)
                return float(np.mean(np.log1p(np.exp(z)) - y * z) + 1e-3 * p[0] ** 2)

            slope, offset = minimize(loss, np.array([1.0, -1.0])).x
            self._kept[design, without] = rules_for(design, float(slope), float(offset))
        return self._kept[design, without]


def _is_right(window: Window, talk: Talk, condition: float | str) -> bool:
    if isinstance(condition, str):
        return False
    truth = condition / MS_PER_FRAME + talk.native_frames
    return abs(window.peak.frames - truth) <= 1.5


def share(hits: int, count: int) -> str:
    """Returns a share as a table shows it."""
    if not count:
        return "none"
    low, high = wilson(hits, count)
    return f"{100 * hits / count:.0f} % ({hits}/{count}; {100 * low:.0f}–{100 * high:.0f})"


@dataclass
class Tally:
    """What is counted of some clips at one shift."""

    clips: int = 0
    conclusive: int = 0
    right: int = 0
    windows: int = 0
    false_windows: int = 0
    forced: int = 0
    errors_ms: tuple[float, ...] = ()

    def add(self, decision: SyncDecision, best_ms: float, shift_ms: float) -> None:
        """Counts one clip."""
        truth_ms = shift_ms
        self.clips += 1
        self.forced += abs(best_ms - truth_ms) <= FORCED_MS
        conclusive = [w for w in decision.windows if w.state != "open"]
        self.windows += len(conclusive)
        self.false_windows += sum(w.state == "out_of_step" for w in conclusive) * (not shift_ms)
        if decision.verdict == "inconclusive":
            return
        self.conclusive += 1
        if decision.verdict == "fail":
            found = float(np.median([w.peak.ms for p in decision.intervals for w in p.windows]))
        else:
            found = float(np.median([w.peak.ms for w in conclusive]))
        self.errors_ms = (*self.errors_ms, abs(found - truth_ms))
        wanted = "pass" if not shift_ms else "fail"
        self.right += decision.verdict == wanted and (not shift_ms or found * shift_ms > 0)


def verdicts(
    design: str, talks: Sequence[Talk], done: Measured, chosen: Callable[[Talk], bool],
    calibrator: Calibrator, *, corrected: bool = False,
) -> dict[float, Tally]:  # fmt: skip
    """Evaluates clips at every shift; each with a calibration that never saw its speaker."""
    out = {float(s): Tally() for s in SHIFTS_MS}
    for talk in talks:
        if not chosen(talk):
            continue
        rules = calibrator.rules(design, talk.name)
        for shift in map(float, SHIFTS_MS):
            # A clip that is out of step by itself is put right by the same means.
            found = done.get((design, talk.name, shift))
            if found:
                own = _turned(found, -talk.native_frames) if corrected else found
                best = peak(likeness(speaking(own, rules), rules)[0])
                out[shift].add(decide_sync(own, rules, WINDOW_S), best.ms, shift)
    return out


def _turned(found: Sequence[Cell], frames: int) -> list[Cell]:
    """Returns cells as if the sound were moved by some whole frames."""

    def turned(likeness: Likeness | None) -> Likeness | None:
        if likeness is None:
            return None
        return Likeness(np.roll(likeness.total, frames), np.roll(likeness.pairs, frames))

    return [replace(c, canonical=turned(c.canonical), network=turned(c.network)) for c in found]


def strangers(
    design: str, talks: Sequence[Talk], done: Measured, calibrator: Calibrator
) -> dict[str, int]:
    """Evaluates clips with somebody else's sound: all should be inconclusive."""
    counted = {"clips": 0, "inconclusive": 0, "fail": 0, "pass": 0}
    for talk in talks:
        rules = calibrator.rules(design, talk.name)
        for other in talks:
            found = done.get((design, talk.name, other.name))
            if found is not None:
                counted["clips"] += 1
                counted[decide_sync(found, rules, WINDOW_S).verdict] += 1
    return counted


def pooled(parts: Sequence[Tally]) -> Tally:
    """Adds counts up."""
    return Tally(
        sum(p.clips for p in parts),
        sum(p.conclusive for p in parts),
        sum(p.right for p in parts),
        sum(p.windows for p in parts),
        sum(p.false_windows for p in parts),
        sum(p.forced for p in parts),
        tuple(e for p in parts for e in p.errors_ms),
    )
