"""Chooses how block corruption decides, on clips of other makers, and says what the rest gives.

    python benchmarks/block_operating_point.py --work FOLDER [--work FOLDER ...] [--draws 500]
        [--seed 1] [--write DIR]

FOLDER is the work folder of `block_strangers.py`: its clips, and what the network in use measured.
On recordings of even numbers a logistic regression weighs what tells damage in a frame, and
thresholds of events are drawn at random, then around the best so far; the mean of the twenty best
is taken. Recordings of odd numbers were not chosen on. --write changes DIR's detector.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from block_strangers import in_use, large_events

from defectscope.detectors.block_corruption.detector import evidence_of
from defectscope.engine.contracts import Tuned
from defectscope.training.block_corruption.programmes import Clip, Evaluated, evaluate, match
from defectscope.training.block_corruption.tuning import (
    CONTEXT_FEATURES,
    fit_logistic,
    labels,
)

# Where each is drawn, and how far from one of the best so far afterwards. `offset` is of all
# evidence, log-odds.
_SPAN = {
    "change": (3.5, 9.0, 0.6), "certain": (5.0, 13.0, 1.0), "step_weight": (0.5, 2.5, 0.2),
    "usual_step": (-1.0, 2.0, 0.3), "least_step": (1.5, 5.0, 0.4),
    "enclosing_step": (2.5, 6.0, 0.4), "brief": (2.0, 6.0, 0.4), "leap": (1.5, 5.0, 0.4),
    "offset": (-1.5, 2.5, 0.3),
}  # fmt: skip
_BEST, _MEAN_OF = 12, 20
# Of F1: a false finding in a clean clip, and all large events met.
_FALSE_COST, _LARGE_SHARE = 0.006, 0.15
_RIDGE = 1.0

Counts = dict[str, float]


def read(work: Path) -> list[Evaluated]:
    """Returns the clips of a work folder, measured."""
    out: list[Evaluated] = []
    for file in sorted(work.glob("strangers-*.npz")):
        with np.load(file) as stored:
            facts, masks = json.loads(str(stored["facts"])), list(stored["masks"])
        clip = Clip(file.with_suffix(".mp4"), facts["recording"], facts, masks)
        out.append(Evaluated(clip, *evaluate(clip.path, work)))
    return out


def is_even(each: Evaluated) -> bool:
    """Tells whether the recording's number is even."""
    return int(re.findall(r"\d+", Path(each.clip.recording).stem)[-1]) % 2 == 0


def weights(evaluated: Sequence[Evaluated]) -> dict[str, float]:
    """Returns the calibration that a logistic regression on single frames gives."""
    values: list[np.ndarray] = []
    hits: list[np.ndarray] = []
    for each in evaluated:
        known, context = evidence_of(each.measured)
        rows = np.minimum(known.rows, len(each.clip.areas) - 1)
        hit, sure = labels(each, rows)
        values.append(np.stack([context[name] for name in CONTEXT_FEATURES], axis=1)[sure])
        hits.append(hit[sure])
    fitted = fit_logistic(np.concatenate(values), np.concatenate(hits).astype(float), _RIDGE)
    zero: dict[str, float] = dict.fromkeys(in_use().tuned.artifact["calibration"], 0.0)
    names: tuple[str, ...] = (*CONTEXT_FEATURES, "offset")
    return zero | dict(zip(names, fitted.tolist(), strict=True))


def tuned_to(calibration: Mapping[str, float], point: Mapping[str, float]) -> Tuned:
    """Returns the tuning in use with another calibration and other thresholds."""
    tuned = in_use().tuned
    moved = {**calibration, "offset": calibration["offset"] + point["offset"]}
    changed = {name: value for name, value in point.items() if name != "offset"}
    artifact = {**tuned.artifact, "calibration": moved}
    thresholds = {**tuned.thresholds, **changed}
    return dataclasses.replace(tuned, artifact=artifact, thresholds=thresholds)


def counts(evaluated: Sequence[Evaluated], tuned: Tuned) -> Counts:
    """Returns what is found of the events, and what else is."""
    detector = in_use()
    detector = type(detector)(tuned=tuned, params=detector.params)
    out: Counts = dict.fromkeys(("true", "found", "matched", "large", "met", "false", "minutes"), 0)
    for each in evaluated:
        said = [f.interval for f in detector.decide(each.measured, each.stream).findings]
        out["true"] += len(each.clip.truth)
        out["found"] += len(said)
        out["matched"] += match(each.clip.truth, said)
        if not (each.clip.areas > 0).any():
            out["false"] += len(said)
            out["minutes"] += each.stream.duration_s / 60
        large, met = large_events(each, said)
        out["large"] += large
        out["met"] += met
    out["f1"] = 2 * out["matched"] / max(out["true"] + out["found"], 1)
    return out


def search(evaluated: Sequence[Evaluated], draws: int, seed: int) -> tuple[Any, dict[str, float]]:
    """Returns calibration and thresholds."""
    calibration, rng = weights(evaluated), np.random.default_rng(seed)
    scored: list[tuple[float, dict[str, float]]] = []
    for number in range(draws):
        if number < draws // 2:
            point = {name: float(rng.uniform(low, high)) for name, (low, high, _) in _SPAN.items()}
        else:
            near = scored[int(rng.integers(min(_BEST, len(scored))))][1]
            point = {name: near[name] + rng.normal() * span[2] for name, span in _SPAN.items()}
        found = counts(evaluated, tuned_to(calibration, point))
        score = found["f1"] - _FALSE_COST * found["false"]
        score += _LARGE_SHARE * found["met"] / max(found["large"], 1)
        scored.append((score, point))
        scored.sort(key=lambda each: -each[0])
    best = [point for _, point in scored[:_MEAN_OF]]
    return calibration, {name: float(np.mean([p[name] for p in best])) for name in _SPAN}


def said(title: str, found: Counts) -> str:
    """Returns a line about some recordings."""
    return (
        f"{title}: F1 {found['f1']:.3f} ({found['matched']:.0f} of {found['true']:.0f} events, "
        f"{found['found']:.0f} findings), large {found['met']:.0f} of {found['large']:.0f}, "
        f"false {found['false']:.0f} in {found['minutes']:.1f} min"
    )


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, action="append", required=True)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    every = [each for work in given.work for each in read(work)]
    halves = [[e for e in every if is_even(e) == even] for even in (True, False)]
    calibration, point = search(halves[0], given.draws, given.seed)
    tuned = tuned_to(calibration, point)
    for title, half in zip(("even, chosen on", "odd"), halves, strict=True):
        print(said(title, counts(half, tuned)))
    print(json.dumps({name: round(value, 3) for name, value in point.items()}))
    if given.write is not None:
        file = given.write / "detector.json"
        document = json.loads(file.read_text("utf-8"))
        document["calibration"] = {
            name: round(value, 4) for name, value in tuned.artifact["calibration"].items()
        }
        document["thresholds"] |= {
            name: round(value, 2) for name, value in point.items() if name != "offset"
        }
        file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
