"""Series of all levels of a way in one recording: what a grade makes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

Rows = Sequence[dict[str, Any]]
Series = tuple[str, str, bool, list[int], list[float]]
# A series of fewer levels ranks nothing.
LEAST_LEVELS = 4
_COLUMNS = 7


def series_of(rows: Rows, scores: Sequence[float]) -> list[Series]:
    """Returns way, recording, whether it is unseen, levels and scores of each series."""
    by: dict[tuple[Any, ...], list[tuple[int, float]]] = defaultdict(list)
    for row, score in zip(rows, scores, strict=True):
        name = Path(row["recording"]).name
        by[row["way"], name, row["unseen"], row["height"], row["delivery"]].append(
            (row["level"], float(score))
        )
    out: list[Series] = []
    for (way, name, unseen, height, delivery), each in sorted(by.items()):
        if len(each) >= LEAST_LEVELS:
            levels, values = zip(*sorted(each), strict=True)
            title = f"{name[:18]} {height or ''}{' again' if delivery else ''}"
            out.append((way, title, unseen, list(levels), list(values)))
    return out


def rank_correlations(found: Sequence[Series]) -> list[float]:
    """Returns the rank correlation of score and level of each; 0 where the score never changes."""
    return [
        float(spearmanr(levels, values)[0]) if len(set(values)) > 1 else 0.0
        for *_, levels, values in found
    ]


def plot(found: Sequence[Series], point: float, title: str, path: Path) -> None:
    """Draws score against level, a small diagram for each series, a row for each way."""
    from matplotlib.figure import Figure

    ways = sorted({each[0] for each in found})
    figure = Figure(figsize=(1.5 * _COLUMNS, 1.35 * len(ways)))
    grid = figure.subplots(len(ways), _COLUMNS, sharex=True, sharey=True, squeeze=False)
    for line, way in enumerate(ways):
        own = [each for each in found if each[0] == way][:_COLUMNS]
        for at in range(_COLUMNS):
            axes = grid[line, at]
            axes.set_axis_off()
            if at >= len(own):
                continue
            axes.set_axis_on()
            _, name, _, levels, values = own[at]
            axes.plot(levels, values, "o-", markersize=2.5, linewidth=1)
            axes.axhline(point, color="0.7", linewidth=0.7)
            axes.set(ylim=(0, 5.2), xticks=(1, 3, 5), yticks=(0, 3, 5))
            axes.tick_params(labelsize=6)
            (rank,) = rank_correlations([own[at]])
            axes.set_title(f"{name}  {rank:.2f}", fontsize=5.5, pad=2)
            if not at:
                axes.set_ylabel(way, fontsize=6.5)
    figure.suptitle(title, fontsize=9)
    figure.tight_layout(pad=0.4, rect=(0, 0, 1, 0.97))
    figure.savefig(path, dpi=110)


def summary(found: Sequence[Series]) -> str:
    """Returns mean and lowest rank correlation, and how many series there are."""
    ranks = rank_correlations(found)
    if not ranks:
        return "-"
    return f"{np.mean(ranks):.2f} (lowest {min(ranks):.2f}, {len(ranks)} series)"
