"""The figures of a design, as a page: seen and unseen recordings apart, way by way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy.stats import rankdata, spearmanr

from unseen.peers import NAMES
from unseen.series import rank_correlations, series_of

Rows = Sequence[dict[str, Any]]
PLAIN = 3


def wilson(hits: int, total: int) -> str:
    """Returns a share with its interval of 95 %."""
    if not total:
        return "-"
    z, p = 1.96, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return f"{p:.2f} ({hits} of {total}; {low:.2f} to {high:.2f})"


def auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Returns the area under the ROC curve, None without both classes."""
    if not positive or not negative:
        return None
    ranks = rankdata([*positive, *negative])[: len(positive)].sum()
    count = len(positive)
    return float((ranks - count * (count + 1) / 2) / count / len(negative))


def has(row: dict[str, Any], defect: str) -> bool:
    """Tells whether a defect was reported in a clip."""
    return any(name == defect for name, *_ in row["found"])


def _ranks(correlations: Sequence[float]) -> str:
    return f"{np.mean(correlations):.2f}, {min(correlations):.2f}" if correlations else "-"


def table(rows: Rows, defects: Sequence[str]) -> list[str]:
    """Returns the lines of the table by defect and way."""
    out = [
        "| defect | way | recordings | clips of levels 3 to 5 found | AUC | rank correlation, all "
        "| within a recording: mean, lowest | peer | its AUC | its rank correlation, all "
        "| within a recording |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    clean = [r for r in rows if not r["defect"]]
    for defect in defects:
        own = [r for r in rows if r["defect"] == defect]
        for way in [*sorted({r["way"] for r in own}), "all"]:
            for unseen in (False, True):
                part = [r for r in own if way in (r["way"], "all") and r["unseen"] == unseen]
                plain = [r for r in part if r["level"] >= PLAIN]
                if not plain:
                    continue
                found = sum(has(r, defect) for r in plain)
                quiet = [r for r in clean if r["unseen"] == unseen]
                ours = _figures(part, plain, quiet, lambda r, d=defect: r["peaks"][d])
                theirs = _figures(part, plain, quiet, lambda r, d=defect: r["peer"].get(d))
                out.append(
                    f"| {defect} | {way} | {'unseen' if unseen else 'seen'} | "
                    f"{wilson(found, len(plain))} | {ours} | {NAMES.get(defect, '-')} | {theirs} |"
                )
    return out


def _figures(
    part: Rows, plain: Rows, quiet: Rows, score: Callable[[dict[str, Any]], float | None]
) -> str:
    """Returns AUC and rank correlations of a score, as cells of the table."""
    scored = [(r, s) for r in part if (s := score(r)) is not None]
    if not scored:
        return "- | - | -"
    positive, negative = (
        [s for r in some if (s := score(r)) is not None] for some in (plain, quiet)
    )
    area = auc(positive, negative)
    levels, scores = [r["level"] for r, _ in scored], [s for _, s in scored]
    varied = len(set(levels)) > 1 and len(set(scores)) > 1
    rho = f"{spearmanr(scores, levels)[0]:.2f}" if varied else "-"
    within = _ranks(rank_correlations(series_of([r for r, _ in scored], scores)))
    return f"{'-' if area is None else f'{area:.3f}'} | {rho} | {within}"


def false_clips(rows: Rows, defects: Sequence[str]) -> list[str]:
    """Returns the lines on clean clips with findings."""
    out = ["| detector | recordings | clean clips with a finding | which |", "|---|---|---|---|"]
    for defect in defects:
        for unseen in (False, True):
            clean = [r for r in rows if not r["defect"] and r["unseen"] == unseen]
            wrong = [r["key"].removeprefix("clean.none.0.") for r in clean if has(r, defect)]
            out.append(
                f"| {defect} | {'unseen' if unseen else 'seen'} | "
                f"{wilson(len(wrong), len(clean))} | {', '.join(wrong) or '-'} |"
            )
    return out


def confusion(rows: Rows, defects: Sequence[str]) -> list[str]:
    """Returns the share of clips of each defect in which each detector reports something."""
    out = ["| made | " + " | ".join(defects) + " |", "|---|" + "---|" * len(defects)]
    for made in defects:
        part = [r for r in rows if r["defect"] == made]
        shares = [sum(has(r, d) for r in part) / max(1, len(part)) for d in defects]
        out.append(f"| {made} ({len(part)}) | " + " | ".join(f"{s:.2f}" for s in shares) + " |")
    return out
