"""What audio_artifacts ships with: calibration, thresholds, measured figures and the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.detector import Params
from defectscope.detectors.audio_artifacts.events import Occurrence, occurrences
from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.training.contract import CacheView, Release
from defectscope.training.recipes.sound_windows import (
    Judged,
    Programme,
    score_programmes,
    score_windows,
)
from defectscope.training.scores import (
    Platt,
    auc,
    balanced_accuracy,
    calibration_error,
    confusion,
    fit_platt,
    poisson_upper,
    reliability,
    reliability_plot,
    wilson,
)

VERSION = "0.1.0"
# False findings in ten minutes of clean validation programmes that each of the four defects may
# give; the goal on programmes never seen is two for all of them together.
_FALSE_PER_10_MIN = 0.3
# A state once entered is left below even odds.
_LEAVE = 0.5
_ENTER_LADDER = tuple(np.round(1 - 0.5 * np.geomspace(1, 0.002, 60), 4).tolist())
SEVERITY = {name: {"measure": "duration_s", "major": 2.0, "critical": 10.0} for name in CLASSES}


def describe(model: torch.nn.Module, cache: CacheView, settings: Mapping[str, Any]) -> Release:
    """Gives the release of a network: chosen on validation, measured on test."""
    validation = score_windows(model, cache, "validation", starts=(0, 10, 20, 30, 40))
    fits = {name: _fit(validation, place) for place, name in enumerate(CLASSES)}
    thresholds: dict[str, float] = {}
    clean = score_programmes(model, cache, "validation")
    for name in CLASSES:
        enter, sustained = _choose(name, clean, fits[name])
        thresholds[f"{name}_enter"] = enter
        thresholds[f"{name}_leave"] = _LEAVE
        thresholds[f"{name}_sustained"] = sustained
    test = score_windows(model, cache, "test")
    metrics = measure(test, fits)
    metrics["clean_programmes"] = false_alarms(
        score_programmes(model, cache, "test"), fits, thresholds
    )
    curves = {
        name: reliability(
            fits[name](test.logits[test.weight[:, place] > 0, place]),
            test.target[test.weight[:, place] > 0, place] > 0.5,
        )
        for place, name in enumerate(CLASSES)
    }
    metrics["calibration_error"] = {k: round(calibration_error(v), 4) for k, v in curves.items()}
    return Release(
        version=VERSION,
        thresholds=thresholds,
        severity=SEVERITY,
        calibration={k: {"slope": f.slope, "offset": f.offset} for k, f in fits.items()},
        metrics=metrics,
        card=_card(metrics),
        extra={"network": {"widths": [int(w) for w in str(settings["widths"]).split(",")]}},
        figures={"reliability.png": reliability_plot(dict(curves))},
    )


def _choose(name: str, clean: Sequence[Programme], fit: Platt) -> tuple[float, float]:
    """Gives the lowest thresholds, for entering and for steady suspicion, clean sound respects."""
    allowed = _FALSE_PER_10_MIN * sum(p.seconds for p in clean) / 600

    def false(enter: float, sustained: float) -> int:
        return sum(len(found_in(name, p, fit, (enter, _LEAVE, sustained))) for p in clean)

    never = 1.1
    enter = next((e for e in _ENTER_LADDER if false(e, never) <= allowed), _ENTER_LADDER[-1])
    steady = [s for s in _ENTER_LADDER if s <= enter]
    return enter, next((s for s in steady if false(enter, s) <= allowed), enter)


def found_in(
    name: str, programme: Programme, fit: Platt, thresholds: tuple[float, float, float]
) -> list[Occurrence]:
    """Gives what the detector would report of one defect, at its default parameters.

    Args:
        name: Which defect.
        programme: A judged recording.
        fit: The defect's calibration.
        thresholds: Enter, leave and sustained.
    """
    place, params = CLASSES.index(name), Params()
    enter, leave, sustained = thresholds
    return occurrences(
        name,
        programme.starts_s,
        fit(programme.logits[:, place]),
        enter=enter,
        leave=leave,
        sustained=sustained,
        max_gap_s=params.max_gap_s,
        min_lasting_s=params.min_lasting_s,
        audio_s=programme.seconds,
    )


def false_alarms(
    clean: Sequence[Programme], fits: Mapping[str, Platt], thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """Gives the findings on clean programmes, by corpus, with bounds."""
    bounds = {
        name: (
            thresholds[f"{name}_enter"],
            thresholds[f"{name}_leave"],
            thresholds[f"{name}_sustained"],
        )
        for name in CLASSES
    }
    out: dict[str, Any] = {}
    for corpus in ("all", *sorted({p.corpus for p in clean})):
        own = [p for p in clean if corpus in ("all", p.corpus)]
        tens = sum(p.seconds for p in own) / 600
        counts = {
            name: sum(len(found_in(name, p, fits[name], bounds[name])) for p in own)
            for name in CLASSES
        }
        total = sum(counts.values())
        out[corpus] = {
            "recordings": len(own),
            "minutes": round(tens * 10, 2),
            "findings": counts,
            "per_10_min": round(total / tens, 3),
            "per_10_min_upper_95": round(poisson_upper(total) / tens, 3),
        }
    return out


def measure(judged: Judged, fits: Mapping[str, Platt]) -> dict[str, Any]:
    """Gives the five-class task's figures: balanced accuracy, recall per class and level, AUC."""
    even = np.array([-fits[name].offset / fits[name].slope for name in CLASSES])
    scale = np.array([fits[name].slope for name in CLASSES])
    margins = (judged.logits - even) * scale
    said = np.where(margins.max(axis=1) > 0, margins.argmax(axis=1) + 1, 0)
    kept, truth = judged.task()
    counts = confusion(truth[kept], said[kept], 5)
    names = ("none", *CLASSES)
    recall = {name: _share(int(counts[i, i]), int(counts[i].sum())) for i, name in enumerate(names)}
    by_level: dict[str, dict[str, Any]] = {}
    by_family: dict[str, Any] = {}
    levels = np.array([_first(f, "severity", 0) for f in judged.facts])[judged.clips]
    families = np.array([_first(f, "family", "") for f in judged.facts])[judged.clips]
    for i, name in enumerate(names[1:], start=1):
        own = kept & (truth == i)
        by_level[name] = {
            str(level): _share(
                int((said[own & (levels == level)] == i).sum()),
                int((own & (levels == level)).sum()),
            )
            for level in range(1, 6)
        }
        for family in sorted(set(families[own])):
            chosen = own & (families == family)
            by_family[f"{name}:{family}"] = _share(
                int((said[chosen] == i).sum()), int(chosen.sum())
            )
    aucs = {
        name: round(
            auc(
                judged.logits[judged.weight[:, i] > 0, i],
                judged.target[judged.weight[:, i] > 0, i] > 0.5,
            ),
            4,
        )
        for i, name in enumerate(CLASSES)
    }
    return {
        "balanced_accuracy": round(balanced_accuracy(counts), 4),
        "balanced_accuracy_from_level_2": round(_from_level(2, kept, truth, said, levels), 4),
        "balanced_accuracy_from_level_3": round(_from_level(3, kept, truth, said, levels), 4),
        "windows": int(kept.sum()),
        "recall": recall,
        "recall_by_level": by_level,
        "recall_by_family": by_family,
        "auc": aucs,
        "confusion": counts.tolist(),
    }


def _from_level(
    least: int,
    kept: NDArray[np.bool_],
    truth: NDArray[np.int64],
    said: NDArray[np.int64],
    levels: NDArray[np.int64],
) -> float:
    chosen = kept & ((truth == 0) | (levels >= least))
    return balanced_accuracy(confusion(truth[chosen], said[chosen], 5))


def _first(facts: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    return facts["damages"][0][name] if facts.get("damages") else otherwise


def _share(right: int, total: int) -> dict[str, Any]:
    low, high = wilson(right, total)
    value = round(right / total, 4) if total else None
    return {"value": value, "n": total, "low": round(low, 4), "high": round(high, 4)}


def _fit(judged: Judged, place: int) -> Platt:
    known = judged.weight[:, place] > 0
    return fit_platt(judged.logits[known, place], judged.target[known, place] > 0.5)


def clean_table(metrics: Mapping[str, Any]) -> str:
    """Gives the false findings on clean recordings as Markdown."""
    rows = [
        "False findings on whole clean recordings that were never seen, at the shipped thresholds:",
        "",
        "| corpus | recordings | minutes | findings | in 10 min | upper 95 % bound |",
        "|---|---|---|---|---|---|",
    ]
    for corpus, entry in metrics["clean_programmes"].items():
        counts = ", ".join(f"{v} {k.removeprefix('audio_')}" for k, v in entry["findings"].items())
        rows.append(
            f"| {corpus} | {entry['recordings']} | {entry['minutes']:.1f} | {counts} "
            f"| {entry['per_10_min']:.2f} | {entry['per_10_min_upper_95']:.2f} |"
        )
    return "\n".join(rows)


def how_well(metrics: Mapping[str, Any]) -> str:
    """Gives the measured figures as Markdown, for the card and for docs/results."""
    rows = ["| class | recall | 95 % | windows |", "|---|---|---|---|"]
    for name, entry in metrics["recall"].items():
        rows.append(
            f"| {name} | {entry['value']:.3f} | {entry['low']:.3f} to {entry['high']:.3f} "
            f"| {entry['n']} |"
        )
    levels = ["| defect | 1 | 2 | 3 | 4 | 5 |", "|---|---|---|---|---|---|"]
    for name, by_level in metrics["recall_by_level"].items():
        cells = " | ".join(
            "none" if e["value"] is None else f"{e['value']:.3f}" for e in by_level.values()
        )
        levels.append(f"| {name} | {cells} |")
    return (
        f"Simulated defects on held-out recordings, five classes, windows of one second: "
        f"balanced accuracy {metrics['balanced_accuracy']:.4f} over all five levels "
        f"(from barely audible to gross), "
        f"{metrics['balanced_accuracy_from_level_2']:.4f} from level 2 on, "
        f"{metrics['balanced_accuracy_from_level_3']:.4f} from level 3 on; "
        f"{metrics['windows']} windows.\n\n" + "\n".join(rows) + "\n\n"
        "Recall by level:\n\n" + "\n".join(levels) + "\n\n" + clean_table(metrics)
    )


def _card(metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        "What it does": (
            "Tells hum, hiss, distortion and clicks in one second of sound, without a reference. "
            "Log-mel, single lines, peaks and levels go through four small convolutional branches "
            "(about 0.5 million weights); one calibrated probability per defect comes out."
        ),
        "How well": how_well(metrics),
        "Calibration": (
            "Platt scaling on the validation split; expected calibration error on the test split: "
            + ", ".join(f"{k} {v:.3f}" for k, v in metrics["calibration_error"].items())
            + ".\n\n![reliability](reliability.png)"
        ),
        "Limits": (
            "Defects were simulated, and most programmes were music, ambience and prompts of one "
            "speaker. A drone that hums by intent, rain, or a distorted guitar alone can be "
            "mistaken for a defect. Defects of one channel are weaker in the mix: `each_channel` "
            "judges channels apart."
        ),
    }
