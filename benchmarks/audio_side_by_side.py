"""Compares audio_artifacts with its own parts and with essentia, on the same pieces.

For each defect: one classical measure alone, the network alone, both together as shipped, and
essentia's detector at its defaults. What was measured of the pieces is in audio_steps_against.npz
and audio_steps_clean.npz, what essentia marked in audio_peer_marks.json (`write` makes the files
that `audio_peers.py` marks). The two that stand alone have one limit each: the lowest that half a
of the clean recordings allows (2 findings in ten minutes). False findings of theirs are counted on
half b, those of the others on both halves as well.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import audio_clean
import audio_steps
import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.decision import near, runs, wide
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.moments import AT_AN_END_DB
from defectscope.detectors.registry import load
from defectscope.findings import Interval
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts.measured import MAX_GAP_S, Piece
from defectscope.training.scores import poisson_upper, wilson

HERE = Path(__file__).parent
MARKS = HERE / "audio_peer_marks.json"
MODERATE = 3
# False findings in ten minutes that a measure alone may have on half a.
ALLOWED = 2.0
# A mark within so many seconds of an event is on it: a step of the detector.
_REACH_S = 0.25
Doubles = NDArray[np.float64]
Finder = Callable[[Piece, str], Sequence[Interval]]


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--marks", type=Path, default=MARKS)
    options = parser.parse_args(argv)
    pieces = audio_steps.read(audio_clean.HERE / "audio_steps_against.npz")
    clean = audio_steps.read(audio_clean.STEPS)
    print(table(pieces, clean, json.loads(options.marks.read_text("utf-8"))))
    return 0


def table(pieces: Sequence[Piece], clean: Sequence[Piece], marks: Mapping[str, Any]) -> str:
    """Returns recall and false findings of each way, by defect."""
    shipped = load("audio_artifacts").tuned  # pyright: ignore[reportAttributeAccessIssue]
    rules = decision.rules_of(shipped.artifact)

    def together(piece: Piece, defect: str) -> list[Interval]:
        least = shipped.thresholds[f"{defect}_normal"]
        return [i for e, i in decision.found(piece, rules)[defect] if e >= least]

    def essentia(piece: Piece, defect: str) -> list[Interval] | None:
        own = marks.get(key(piece))
        if own is None or defect not in own:
            return None
        return [Interval(*span) for span in own[defect]]

    halves = {h: [p for p in clean if audio_clean.half(p) == h] for h in "ab"}
    out = [
        "| defect | way | found of heard, levels 3 to 5 | 95 % | false | in min | in 10 min "
        "| 95 % bound |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for defect in CLASSES:
        ways: dict[str, tuple[Finder | Callable[..., Any], Sequence[Piece]]] = {}
        for name, score in (("classical alone", classical), ("network alone", network)):
            limit = lowest(halves["a"], defect, score)
            ways[f"{name}, {limit:.1f}"] = (alone(score, limit), halves["b"])
        ways["together, half b"] = (together, halves["b"])
        ways["together, both halves"] = (together, clean)
        ways["essentia"] = (essentia, clean)
        for name, (find, sound) in ways.items():
            out.append(f"| {defect} | {name} | {_row(find, pieces, sound, defect)} |")
    return "\n".join(out)


def _row(
    find: Callable[..., Any], pieces: Sequence[Piece], clean: Sequence[Piece], defect: str
) -> str:
    hits: list[bool] = []
    for piece in pieces:
        if piece.defect != defect or piece.level < MODERATE:
            continue
        said = find(piece, defect)
        if said is not None:
            hits += [_is_over(said, e) for e in piece.joined_events() if piece.is_audible(e)]
    counted = [(p, said) for p in clean if (said := find(p, defect)) is not None]
    minutes = sum(p.seconds for p, _ in counted) / 60
    false = sum(len(said) for _, said in counted)
    recall = f"{sum(hits)} of {len(hits)} | {_interval(hits)}"
    if not minutes:
        return f"{recall} | not run | 0 | | "
    rate, upper = false / minutes * 10, poisson_upper(false) / minutes * 10
    return f"{recall} | {false} | {minutes:.1f} | {rate:.1f} | {upper:.1f}"


def _interval(hits: Sequence[bool]) -> str:
    if not hits:
        return "none"
    low, high = wilson(sum(hits), len(hits))
    return f"{low:.2f} to {high:.2f}"


def _is_over(said: Sequence[Interval], event: Interval) -> bool:
    return any(
        i.start_s <= event.end_s + _REACH_S and i.end_s >= event.start_s - _REACH_S for i in said
    )


def key(piece: Piece) -> str:
    """Returns what a piece is called in the file of marks."""
    return "|".join(
        [piece.name, piece.defect, piece.family, str(piece.level), f"{piece.seconds:.3f}"]
    )


def classical(piece: Piece, defect: str) -> Doubles:
    """Returns the best single measure of a defect, (n,), decibels or hundredths."""
    own = {k: v.astype(np.float64) / 10 for k, v in piece.columns.items()}
    if defect == "audio_hum":
        return wide(own["lines_beyond"][:, None], piece.starts_s)[:, 0]
    if defect == "audio_hiss":
        return wide((own["floor"] - own["level"])[:, None], piece.starts_s)[:, 0]
    if defect == "audio_distortion":
        return near(own["tops"][:, None], piece.starts_s)[:, 0]
    return np.maximum(own["isolated"], own["repeated"] + AT_AN_END_DB - 20)


def network(piece: Piece, defect: str) -> Doubles:
    """Returns the network's log odds, (n,): of lasting defects the mean of about a second."""
    own = piece.columns[f"logit_{defect}"].astype(np.float64) / 100
    return own if defect == "audio_clicks" else near(own[:, None], piece.starts_s)[:, 0]


def alone(score: Callable[[Piece, str], Doubles], limit: float) -> Finder:
    """Returns a finder that reports steps of at least a limit, joined."""

    def find(piece: Piece, defect: str) -> list[Interval]:
        over = np.where(score(piece, defect) >= limit, 1.0, -1.0)
        own = runs(over, piece.starts_s, MAX_GAP_S, 0.0)
        starts_s = piece.starts_s
        return [Interval(float(starts_s[r.first]), float(starts_s[r.last - 1]) + 1) for r in own]

    return find


def lowest(clean: Sequence[Piece], defect: str, score: Callable[[Piece, str], Doubles]) -> float:
    """Returns the lowest limit that clean recordings allow, by bisection over their own values."""
    minutes = sum(p.seconds for p in clean) / 60
    values = np.unique(np.concatenate([score(p, defect) for p in clean]))
    low, high = len(values) // 2, len(values) - 1
    while high - low > 1:
        middle = (low + high) // 2
        find = alone(score, float(values[middle]))
        false = sum(len(find(p, defect)) for p in clean)
        low, high = (low, middle) if false / minutes * 10 <= ALLOWED else (middle, high)
    return float(values[high])


if __name__ == "__main__":
    sys.exit(main())
