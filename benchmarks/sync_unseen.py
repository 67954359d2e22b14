"""Evaluates talking clips, put in step by their written truth, at several shifts.

    python benchmarks/sync_unseen.py --clips TALKING --clips TALKING_FOUND --cache FOLDER
        [--tolerance bt1359] [--speakers unseen] [--out FILE]

The truth of each clip (tests/expected_findings/talking_offsets.json, benchmarks/sync_truth.py) was
written down without the models; clips without one count for coverage alone. Sound is moved by
samples inside the clip and both are cut to what is left, so that only lips and sound tell.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from publishing import publish
from sync_designs import measured
from sync_truth import OUT as OFFSETS
from sync_verdicts import share
from talking_clips import MIN_OVERLAP_S, Talk, dubbed, of_folder, shifted

from defectscope.detectors import load
from defectscope.detectors.av_sync.decision import SyncDecision, decide_sync
from defectscope.detectors.av_sync.fragments import Cell
from defectscope.detectors.av_sync.windows import TOLERANCES_MS, Rules

SHIFTS_MS = (0, 240, -240, 320, -320, 480, -480)


@dataclass
class Row:
    """What is counted at one shift."""

    clips: int = 0
    conclusive: int = 0
    known: int = 0
    known_conclusive: int = 0
    right: int = 0
    false_fail: list[str] = field(default_factory=list)
    errors_ms: list[float] = field(default_factory=list)

    def add(self, name: str, decision: SyncDecision, shift_ms: float, *, known: bool) -> None:
        """Counts one clip."""
        conclusive = decision.verdict != "inconclusive"
        self.clips += 1
        self.conclusive += conclusive
        self.known += known
        if not known or not conclusive:
            return
        windows = [w for w in decision.windows if w.state != "open"]
        if decision.verdict == "fail":
            windows = [w for interval in decision.intervals for w in interval.windows]
        read_ms = float(np.median([w.peak.ms for w in windows]))
        self.known_conclusive += 1
        self.errors_ms.append(read_ms - shift_ms)
        wanted = "fail" if shift_ms else "pass"
        self.right += decision.verdict == wanted and (not shift_ms or read_ms * shift_ms > 0)
        if not shift_ms and decision.verdict == "fail":
            self.false_fail.append(name)

    def cells(self, title: str) -> str:
        """Returns a row of the table."""
        errors = np.array(self.errors_ms)
        middle = f"{np.median(np.abs(errors)):.0f} | {errors.mean():+.0f}" if len(errors) else " | "
        return (
            f"| {title} | {share(self.conclusive, self.clips)} "
            f"| {share(self.right, self.known_conclusive)} | {middle} "
            f"| {', '.join(self.false_fail) or 'none'} |"
        )


@cache
def _detector() -> Any:
    """Returns the released detector: its models are loaded once."""
    return load("av_sync")


def found_cells(talk: Talk, shift_ms: float) -> list[Cell] | None:
    """Returns what the released models measure in a clip that was moved; None if too short."""
    detector = _detector()
    clip, sound_s = shifted(talk, shift_ms)
    if sound_s[1] - sound_s[0] < MIN_OVERLAP_S - 1e-6:
        return None
    return measured(clip, sound_s, detector.canonical, detector.network)


def table(talks: Sequence[tuple[Talk, float | None]], rules: Rules, window_s: float) -> list[str]:
    """Returns the rows of a table."""
    lines = [
        "| shift | conclusive, of all | right, of conclusive with a truth "
        "| median error, ms | mean, ms | false fail |",
        "|---|---|---|---|---|---|",
    ]
    total = Row()
    for size in sorted({abs(s) for s in SHIFTS_MS}):
        row = Row()
        for shift_ms in (s for s in SHIFTS_MS if abs(s) == size):
            for talk, own_ms in talks:
                cells = found_cells(talk, shift_ms - (own_ms or 0.0))
                if cells is None:
                    continue
                decision = decide_sync(cells, rules, window_s)
                for each in (row, total):
                    each.add(talk.name, decision, shift_ms, known=own_ms is not None)
        lines.append(row.cells(f"{'±' if size else ''}{size} ms"))
    return [*lines, total.cells("**all**")]


def strangers(talks: Sequence[Talk], rules: Rules, window_s: float) -> str:
    """Returns what is said of clips with somebody else's sound, each with the next three."""
    counted = {"inconclusive": 0, "fail": 0, "pass": 0}
    detector = _detector()
    for place, talk in enumerate(talks):
        for step in (1, 5, 9):
            other = talks[(place + step) % len(talks)]
            # GRID's sentences are built alike, word by word: another one may well be in step.
            if talk.name[:4] == other.name[:4] == "grid":
                continue
            made = dubbed(talk, other)
            if made is not None:
                cells = measured(*made, detector.canonical, detector.network)
                counted[decide_sync(cells, rules, window_s).verdict] += 1
    return ", ".join(f"{name} {count}" for name, count in counted.items())


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, action="append", required=True)
    parser.add_argument("--cache", type=Path, help="where mouths and sound of clips are kept")
    parser.add_argument("--tolerance", choices=sorted(TOLERANCES_MS), default="bt1359")
    parser.add_argument("--speakers", choices=("unseen", "learned"), default="unseen")
    parser.add_argument("--out", type=Path, help="write the tables here as well")
    given = parser.parse_args()
    offsets = json.loads(OFFSETS.read_text("utf-8"))["clips"]
    talks = [
        (Talk(name, clip, 0, True, False), offsets[name]["native_offset_ms"])
        for name, clip in of_folder(given.clips, given.cache)
        if offsets[name]["learned_from"] == (given.speakers == "learned")
    ]
    detector = _detector()
    rules = Rules.of(detector.tuned.thresholds, given.tolerance)
    lines = table(talks, rules, detector.params.window_s)
    lines += ["", f"Somebody else's sound: {strangers([t for t, _ in talks], rules, 8.0)}.", ""]
    known = sum(own is not None for _, own in talks)
    lines.insert(0, f"{len(talks)} clips, {known} with a truth, {given.tolerance}:\n")
    text = "\n".join(lines)
    publish(text, given.out)


if __name__ == "__main__":
    main()
