"""The journal of a run: metrics.jsonl, one object a line, and the plot drawn from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Journal:
    """Appends to metrics.jsonl and draws it.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "metrics.jsonl"
        self._plot = folder / "metrics.png"

    def rewind(self, step: int) -> None:
        """Drops what lies after a checkpoint's step, and a line that a kill cut short."""
        kept = [json.dumps(row) for row in self.rows() if int(row["step"]) <= step]
        part = self._file.with_suffix(".part")
        part.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        part.replace(self._file)

    def add(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Appends one line: `kind` is `train` or `validation`."""
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """Returns every complete line."""
        if not self._file.exists():
            return []
        rows: list[dict[str, Any]] = []
        for line in self._file.read_text("utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return rows

    def draw(self) -> Path:
        """Draws loss and scores over steps into metrics.png."""
        # Imported here: drawing is the only thing that needs it, and it takes a second to load.
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        for axes, kind in ((upper, "train"), (lower, "validation")):
            rows = [row for row in self.rows() if row["kind"] == kind]
            names = sorted({name for row in rows for name in row} - {"step", "kind", "rate"})
            for name in names:
                points = [(row["step"], row[name]) for row in rows if name in row]
                axes.plot(*zip(*points, strict=True), label=name)
            axes.set_ylabel(kind)
            axes.grid(alpha=0.3)
            if names:
                axes.legend(fontsize=7)
        lower.set_xlabel("step")
        figure.savefig(self._plot, dpi=90)
        return self._plot
