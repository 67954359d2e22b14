"""The five-class task of audio_artifacts: labels of a window, and how they are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.training.audio_artifacts.windows import Evaluated
from defectscope.training.scores import Platt, auc, balanced_accuracy, confusion, wilson

NAMES = ("none", *CLASSES)
# Log odds among which each defect's call is looked for, and how often all four are gone through.
_CALLS = np.arange(-4.0, 4.01, 0.2)
_PASSES = 3


def say(
    evaluated: Evaluated, fits: Mapping[str, Platt], calls: Mapping[str, float]
) -> NDArray[np.int64]:
    """Returns the class said of each window: the defect furthest over its call, else none."""
    return _furthest(_log_odds(evaluated, fits), np.array([calls[name] for name in CLASSES]))


def choose_calls(evaluated: Evaluated, fits: Mapping[str, Platt]) -> dict[str, float]:
    """Returns the log odds at which a window is called by a defect: best balanced accuracy."""
    kept, truth = evaluated.task()
    odds, truth = _log_odds(evaluated, fits)[kept], truth[kept]
    calls = np.zeros(len(CLASSES))

    def score(trial: NDArray[np.float64]) -> float:
        # Ties go to the call nearest to even odds.
        right = balanced_accuracy(confusion(truth, _furthest(odds, trial), len(NAMES)))
        return right - 1e-6 * float(np.abs(trial).sum())

    for _ in range(_PASSES):
        for place in range(len(CLASSES)):
            trials = np.tile(calls, (len(_CALLS), 1))
            trials[:, place] = _CALLS
            calls = max(trials, key=score)
    return {name: round(float(c), 2) for name, c in zip(CLASSES, calls, strict=True)}


def measure(
    evaluated: Evaluated,
    fits: Mapping[str, Platt],
    calls: Mapping[str, float],
    chosen: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Returns balanced accuracy, recall per class, level and family, and AUC.

    Args:
        evaluated: Windows with truth and evaluation.
        fits: Calibration of each defect.
        calls: Of `choose_calls`.
        chosen: Windows to count; all of the task if left out.
    """
    predicted = say(evaluated, fits, calls)
    kept, truth = evaluated.task()
    if chosen is not None:
        kept = kept & chosen
    counts = confusion(truth[kept], predicted[kept], len(NAMES))
    levels, families = facts_of(evaluated, "severity", 0), facts_of(evaluated, "family", "")
    by_level: dict[str, dict[str, Any]] = {}
    by_family: dict[str, Any] = {}
    for i, name in enumerate(CLASSES, start=1):
        own, right = kept & (truth == i), predicted == i
        by_level[name] = {str(k): _recall(own & (levels == k), right) for k in range(1, 6)}
        for family in sorted(set(families[own])):
            by_family[f"{name}:{family}"] = _recall(own & (families == family), right)
    aucs: dict[str, float] = {}
    for i, name in enumerate(CLASSES):
        known = evaluated.weight[:, i] > 0
        aucs[name] = round(auc(evaluated.logits[known, i], evaluated.target[known, i] > 0.5), 4)
    at_least: dict[str, float] = {}
    for least in (2, 3):
        rows = kept & ((truth == 0) | (levels >= least))
        found = balanced_accuracy(confusion(truth[rows], predicted[rows], len(NAMES)))
        at_least[f"balanced_accuracy_from_level_{least}"] = round(found, 4)
    return {
        "balanced_accuracy": round(balanced_accuracy(counts), 4),
        **at_least,
        "windows": int(kept.sum()),
        "recall": {
            name: _recall(kept & (truth == i), predicted == i) for i, name in enumerate(NAMES)
        },
        "recall_by_level": by_level,
        "recall_by_family": by_family,
        "auc": aucs,
        "confusion": counts.tolist(),
    }


def tables(metrics: Mapping[str, Any]) -> str:
    """Returns what `measure` gives as Markdown: by class, by level and by family."""
    rows = ["| class | recall | 95 % | windows |", "|---|---|---|---|"]
    rows += _rows(metrics["recall"])
    levels = ["| defect | 1 | 2 | 3 | 4 | 5 |", "|---|---|---|---|---|---|"]
    for name, by_level in metrics["recall_by_level"].items():
        cells = " | ".join(
            "none" if e["value"] is None else f"{e['value']:.3f} ({e['n']})"
            for e in by_level.values()
        )
        levels.append(f"| {name} | {cells} |")
    families = ["| family | recall | 95 % | windows |", "|---|---|---|---|"]
    families += _rows(metrics["recall_by_family"])
    counts = [f"| truth, said: | {' | '.join(NAMES)} |", "|---|" + "---|" * len(NAMES)]
    counts += [
        f"| {name} | {' | '.join(str(n) for n in row)} |"
        for name, row in zip(NAMES, metrics["confusion"], strict=True)
    ]
    parts = (rows, ["Recall by level (windows):"], levels, families, counts)
    return "\n\n".join("\n".join(part) for part in parts)


def headline(metrics: Mapping[str, Any]) -> str:
    """Returns the balanced accuracies as half a sentence."""
    return (
        f"balanced accuracy {metrics['balanced_accuracy']:.4f} over all five levels, "
        f"{metrics['balanced_accuracy_from_level_2']:.4f} from level 2 on, "
        f"{metrics['balanced_accuracy_from_level_3']:.4f} from level 3 on; "
        f"{metrics['windows']} windows"
    )


def facts_of(evaluated: Evaluated, name: str, otherwise: Any) -> NDArray[Any]:
    """Returns, for each window, what is known of its clip's first defect."""
    own = [f["damages"][0][name] if f.get("damages") else otherwise for f in evaluated.facts]
    return np.array(own)[evaluated.clips]


def _log_odds(evaluated: Evaluated, fits: Mapping[str, Platt]) -> NDArray[np.float64]:
    slopes = np.array([fits[name].slope for name in CLASSES])
    return evaluated.logits * slopes + np.array([fits[name].offset for name in CLASSES])


def _furthest(odds: NDArray[np.float64], calls: NDArray[np.float64]) -> NDArray[np.int64]:
    over = odds - calls
    return np.where(over.max(axis=1) > 0, over.argmax(axis=1) + 1, 0)


def _recall(own: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, Any]:
    found, total = int((own & right).sum()), int(own.sum())
    low, high = wilson(found, total)
    value = round(found / total, 4) if total else None
    return {"value": value, "n": total, "low": round(low, 4), "high": round(high, 4)}


def _rows(entries: Mapping[str, Any]) -> Sequence[str]:
    return [
        f"| {name} | {e['value']:.3f} | {e['low']:.3f} to {e['high']:.3f} | {e['n']} |"
        for name, e in entries.items()
        if e["value"] is not None
    ]
