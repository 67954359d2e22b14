"""How audio_artifacts learns to decide: a layer, what stands on it, and the thresholds.

Pieces of programmes with one defect each, and clean recordings, go through the detector's own
analysis. The layer is fitted to single steps, and on what it says of recordings that it had not
seen stands the stack of classical measures; how much evidence a finding needs is chosen on clean
recordings that took no part in fitting it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import against
from defectscope.detectors.audio_artifacts.decision import Layer, Run, features, runs
from defectscope.detectors.audio_artifacts.events import CLICKS, ends
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.ruling import log_odds_of, runs_of
from defectscope.detectors.audio_artifacts.stack import of_the_layer
from defectscope.findings import Interval
from defectscope.training.audio_artifacts import budget
from defectscope.training.audio_artifacts.audibility import ABSENT, AUDIBLE_DB, TICKS_HZ
from defectscope.training.audio_artifacts.measured import AUDIBLE_SHARE, MAX_GAP_S, Piece
from defectscope.training.audio_artifacts.stacking import Steps, fit_stack
from defectscope.training.scores import Platt, fit_platt

Doubles = NDArray[np.float64]
# False findings in ten minutes of clean sound, all four defects together, that each sensitivity is
# chosen for, from the fewest to the most.
FALSE_PER_10_MIN = {"low": 0.6, "normal": 2.0, "high": 6.0}
FOLDS = 4
# Log odds above which steps may belong to a run, of which the best is chosen.
DRIFTS = (0.5, -0.5, -1.5, -2.5, -3.5, -4.5)
_HIDDEN, _STEPS, _BATCH, _RATE = 16, 800, 512, 6e-3
# Noise that is put on features, in units of their spread, and the share of units left out.
_NOISE, _DROP_OUT, _DECAY = 0.2, 0.2, 0.05
_WINDOW_TICKS = TICKS_HZ
# Ticks on either side of a step's middle that must show the defect, and a wider reach in which it
# must be heard.
_NEAR, _AROUND = 3, 6


@dataclass(frozen=True, slots=True)
class Rules:
    """What detector.json holds of the decision.

    Attributes:
        layer: From features to log odds.
        thresholds: Evidence that a finding needs, by `DEFECT_SENSITIVITY`.
        confidence: From the logarithm of evidence to a probability, by defect.
        drifts: Log odds above which a step belongs to a run, by defect.
    """

    layer: Layer
    thresholds: Mapping[str, float]
    confidence: Mapping[str, Platt]
    drifts: Mapping[str, float]


def truth(piece: Piece) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns target and weight of every step, (n, 4) each; of weight 0 nobody can say."""
    count = len(piece.starts_s)
    target, weight = np.zeros((count, 4), np.float32), np.ones((count, 4), np.float32)
    if piece.audibility_db is None:
        return target, weight
    place, levels = CLASSES.index(piece.defect), piece.audibility_db
    there, loud = levels > ABSENT, levels >= AUDIBLE_DB[piece.defect]
    for row, start_s in enumerate(piece.starts_s):
        first = round(start_s * TICKS_HZ)
        if piece.defect == CLICKS:
            shows = loud[first + 1 : first + _WINDOW_TICKS - 1].any()
            touches = there[first : first + _WINDOW_TICKS].any()
        else:
            middle = min(first + _WINDOW_TICKS // 2, len(levels) - 1)
            near = there[max(0, middle - _NEAR) : middle + _NEAR]
            around = loud[max(0, middle - _AROUND) : middle + _AROUND]
            shows, touches = near.mean() >= 0.5 and around.mean() >= AUDIBLE_SHARE, near.any()
        target[row, place] = float(shows)
        weight[row, place] = float(shows or not touches)
    return target, weight


def fit(pieces: Sequence[Piece], seed: int, layer: Layer | None = None) -> Layer:
    """Returns a layer fitted to the steps of some pieces, and what stands on it.

    Args:
        pieces: Clean ones and impaired ones.
        seed: Of the fits.
        layer: A layer of others' pieces that is kept: only what stands on it is fitted.
    """
    steps: list[Steps] = []
    for own, others in folds(pieces, seed + 1) if layer is None else [(pieces, pieces)]:
        unseen = layer if layer is not None else fit_layer(others, seed)
        for piece in own:
            found = features(piece.columns, piece.starts_s)
            target, weight = truth(piece)
            steps.append((unseen.alone(found), found, target, weight))
    base = layer if layer is not None else fit_layer(pieces, seed)
    return replace(base, stack=fit_stack(steps))


def folds(pieces: Sequence[Piece], seed: int) -> list[tuple[list[Piece], list[Piece]]]:
    """Returns every fold's own pieces and the others, no recording in both."""
    names = sorted({p.name for p in pieces})
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[int(k)]: place % FOLDS for place, k in enumerate(order)}
    out: list[tuple[list[Piece], list[Piece]]] = []
    for fold in range(FOLDS):
        others = [p for p in pieces if fold_of[p.name] != fold]
        own = [p for p in pieces if fold_of[p.name] == fold]
        out.append((own, others or list(pieces)))
    return out


def fit_layer(pieces: Sequence[Piece], seed: int) -> Layer:
    """Returns a layer fitted to the steps of some pieces."""
    inputs = of_the_layer(np.vstack([features(p.columns, p.starts_s) for p in pieces]))
    truths = [truth(p) for p in pieces]
    target = torch.from_numpy(np.vstack([t for t, _ in truths]))
    weight = torch.from_numpy(np.vstack([w for _, w in truths]))
    centre, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    steps = torch.from_numpy(((inputs - centre) / spread).astype(np.float32))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        hidden = torch.nn.Linear(steps.shape[1], _HIDDEN)
        out = torch.nn.Linear(_HIDDEN, len(CLASSES))
        network = torch.nn.Sequential(hidden, torch.nn.ReLU(), torch.nn.Dropout(_DROP_OUT), out)
        optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
        pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_STEPS)
        for _ in range(_STEPS):
            rows = torch.randint(len(steps), (_BATCH,))
            noisy = steps[rows] + _NOISE * torch.randn(_BATCH, steps.shape[1])
            each = torch.nn.functional.binary_cross_entropy_with_logits(
                network(noisy), target[rows] * 0.98 + 0.01, reduction="none"
            )
            loss = (each * weight[rows]).sum() / weight[rows].sum().clamp_min(1.0)
            optimiser.zero_grad()
            loss.backward()  # pyright: ignore[reportUnknownMemberType]
            optimiser.step()
            pace.step()
    matrix = hidden.weight.detach().numpy().T / spread[:, None]
    return Layer(
        matrix.astype(np.float64),
        hidden.bias.detach().numpy().astype(np.float64) - centre @ matrix,
        out.weight.detach().numpy().T.astype(np.float64),
        out.bias.detach().numpy().astype(np.float64),
    )


def found(piece: Piece, rules: Rules) -> dict[str, list[tuple[float, Interval]]]:
    """Returns the evidence of every run of every defect, with its ends."""
    log_odds = log_odds_of(rules.layer, piece.columns, piece.starts_s)
    out: dict[str, list[tuple[float, Interval]]] = {}
    for place, defect in enumerate(CLASSES):
        own = runs_of(
            defect,
            log_odds[:, place],
            piece.columns,
            piece.starts_s,
            max_gap_s=MAX_GAP_S,
            drift=rules.drifts[defect],
            least=rules.thresholds[f"{defect}_low"],
        )
        out[defect] = _ended(piece, defect, own)
    return out


def decided_by(layer: Layer, piece: Piece) -> Doubles:
    """Returns log odds, (n, 4), of a piece, what speaks against a defect heeded."""
    own = layer(features(piece.columns, piece.starts_s))
    return against.lowered(own, piece.columns, piece.starts_s)


def best_over(own: Sequence[tuple[float, Interval]], event: Interval) -> float:
    """Returns the evidence of the surest run that overlaps an event, 0 without one."""
    over = (e for e, interval in own if interval.intersection_s(event) > 0)
    return max(over, default=0.0)


def choose(pieces: Sequence[Piece], seed: int, layer: Layer | None = None) -> Rules:
    """Returns the layer fitted to all pieces, and rules from layers that had not seen them.

    Of each defect the drift is taken that finds most, over all shares of the budget of false
    findings that it might get; then the budget of each sensitivity is shared among the defects.

    Args:
        pieces: Clean ones and impaired ones.
        seed: Of the fits.
        layer: See `fit`.
    """
    unseen: list[tuple[Piece, Doubles]] = []
    for own, others in folds(pieces, seed):
        fitted = fit(others, seed, layer)
        unseen += [(p, decided_by(fitted, p)) for p in own]
    seconds = sum(p.seconds for p in pieces if not p.defect)
    thresholds: dict[str, float] = {}
    confidence: dict[str, Platt] = {}
    drifts: dict[str, float] = {}
    budgets = {name: int(rate * seconds / 600) for name, rate in FALSE_PER_10_MIN.items()}
    evidence: dict[str, _Evidence] = {}
    for place, defect in enumerate(CLASSES):
        tried = {drift: _evidence_of(unseen, place, drift) for drift in DRIFTS}

        def found_at(drift: float, tried: Mapping[float, _Evidence] = tried) -> float:
            counts = range(budgets["normal"] + 1)
            return float(np.mean([budget.recall(*tried[drift], allowed) for allowed in counts]))

        drifts[defect] = max(DRIFTS, key=found_at)
        evidence[defect] = clean, hits = tried[drifts[defect]]
        both = np.log(np.array([*clean, *hits]) + budget.LEAST_EVIDENCE)
        real = np.r_[np.zeros(len(clean), bool), np.ones(len(hits), bool)]
        confidence[defect] = fit_platt(both, real)
    # A higher sensitivity may report whatever a lower one does.
    fewest: dict[str, int] = {name: 0 for name in CLASSES}
    for sensitivity, allowed in budgets.items():
        curves = {
            name: [budget.recall(*own, k) for k in range(fewest[name], allowed + 1)]
            for name, own in evidence.items()
        }
        more = budget.shared(curves, allowed - sum(fewest.values()))
        fewest = {name: fewest[name] + more[name] for name in CLASSES}
        for name, own in evidence.items():
            asked = budget.least(*own, fewest[name])
            thresholds[f"{name}_{sensitivity}"] = round(asked, 3)
    return Rules(fit(pieces, seed, layer), thresholds, confidence, drifts)


_Evidence = tuple[list[float], list[float]]


def _evidence_of(unseen: Sequence[tuple[Piece, Doubles]], place: int, drift: float) -> _Evidence:
    """Returns the evidence of runs in clean pieces, and that over events that are heard."""
    clean: list[float] = []
    hits: list[float] = []
    for piece, log_odds in unseen:
        own = _runs(piece, place, log_odds, drift)
        if not piece.defect:
            clean += [evidence for evidence, _ in own]
        elif piece.defect == CLASSES[place]:
            hits += [best_over(own, o) for o in piece.joined_events() if piece.is_audible(o)]
    return clean, hits


def _runs(
    piece: Piece, place: int, log_odds: Doubles, drift: float
) -> list[tuple[float, Interval]]:
    own = runs(log_odds[:, place], piece.starts_s, MAX_GAP_S, drift)
    return _ended(piece, CLASSES[place], own)


def _ended(piece: Piece, defect: str, own: Sequence[Run]) -> list[tuple[float, Interval]]:
    return [
        (run.evidence, Interval(*ends(defect, piece.starts_s, run, piece.seconds))) for run in own
    ]


def rules_of(artifact: Mapping[str, Any]) -> Rules:
    """Returns the decision that detector.json holds."""
    return Rules(
        Layer.of(artifact["decision"]),
        artifact["thresholds"],
        {k: Platt(v["slope"], v["offset"]) for k, v in artifact["calibration"].items()},
        {k: float(v["drift"]) for k, v in artifact["calibration"].items()},
    )


def entries(rules: Rules) -> dict[str, Any]:
    """Returns what detector.json says of the decision: `decision`, `thresholds`, `calibration`."""
    layer = rules.layer
    named = {
        "hidden": layer.hidden, "hidden_bias": layer.hidden_bias,
        "out": layer.out, "out_bias": layer.out_bias,
    }  # fmt: skip
    return {
        "decision": {name: np.round(values, 4).tolist() for name, values in named.items()}
        | ({"stack": layer.stack.entry()} if layer.stack is not None else {}),
        "thresholds": dict(rules.thresholds),
        "calibration": {
            name: {"drift": rules.drifts[name], "slope": fit.slope, "offset": fit.offset}
            for name, fit in rules.confidence.items()
        },
    }
