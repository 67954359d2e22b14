"""The figures of a design, as a page: seen and unseen recordings apart, way by way."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from scipy.stats import rankdata, spearmanr

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


def table(rows: Rows, defects: Sequence[str]) -> list[str]:
    """Returns the lines of the table by defect and way."""
    out = [
        "| defect | way | recordings | clips of levels 3 to 5 found | AUC | rank correlation |",
        "|---|---|---|---|---|---|",
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
                negative = [r["peaks"][defect] for r in clean if r["unseen"] == unseen]
                area = auc([r["peaks"][defect] for r in plain], negative)
                scores = [r["peaks"][defect] for r in part]
                levels = [r["level"] for r in part]
                varied = len(set(levels)) > 1 and len(set(scores)) > 1
                rho = f"{spearmanr(scores, levels)[0]:.2f}" if varied else "-"
                found = sum(has(r, defect) for r in plain)
                out.append(
                    f"| {defect} | {way} | {'unseen' if unseen else 'seen'} | "
                    f"{wilson(found, len(plain))} | {'-' if area is None else f'{area:.3f}'} | "
                    f"{rho} |"
                )
    return out


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
