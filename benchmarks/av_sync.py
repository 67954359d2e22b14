"""Measures lip sync on talking clips: every design, every shift, leaving one speaker out.

python benchmarks/av_sync.py --clips TALKING [--folds FOLDER] [--cache FOLDER] [--json OUT]
python benchmarks/av_sync.py --clips TALKING --release model_artifacts/av_sync

Sound is moved inside the clip and both are cut to what is left of them, so that nothing but lips
and sound tells. What is true of each clip stands in tests/expected_findings/talking.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from publishing import publish
from safetensors.numpy import save
from sync_designs import DESIGNS, LENGTHS_FRAMES, Measured, by_length, measure_all
from sync_verdicts import CONCLUSIVE, PLAIN, Calibrator, Tally, pooled, share, strangers, verdicts
from talking_clips import Talk, pairs, read

from defectscope.detectors.av_sync.canonical import fit


def tables(talks: Sequence[Talk], done: Measured, folds: Path | None) -> str:
    """Writes what was measured as Markdown."""
    designs = [d for d in DESIGNS if any(k[0] == d for k in done)]
    calibrator = Calibrator(talks, done)
    lines: list[str] = []
    groups: list[tuple[str, Callable[[Talk], bool], bool]] = [
        ("In step to a frame, all eleven", lambda t: t.in_step, False),
        ("of these GRID (never learned from)", lambda t: t.name.startswith("grid"), False),
        ("of these the others (left out in turn)", lambda t: t.in_step and t.training, False),
        ("Out of step by themselves, put right first", lambda t: not t.in_step, True),
    ]
    for title, chosen, corrected in groups:
        lines += [f"\n### {title}\n"]
        heads = ("design", "shift", "coverage", "right, of conclusive", "median error, ms")
        lines += [f"| {' | '.join(heads)} | offset right if forced |", "|---|---|---|---|---|---|"]
        for design in designs:
            found = verdicts(design, talks, done, chosen, calibrator, corrected=corrected)
            total = Tally()
            sizes = sorted({abs(s) for s in found})
            for size in sizes:
                both = [found[s] for s in found if abs(s) == size]
                part = pooled(both)
                total = pooled([total, part])
                lines.append(_row(design, f"{'±' if size else ''}{size:.0f} ms", part))
            lines.append(_row(f"**{design}**", "all", total))
            still = found[0.0]
            lines.append(
                f"| {design} | false out-of-step windows at 0 ms | | "
                f"{share(still.false_windows, still.windows)} | | |"
            )
    lines += ["\n### Somebody else's sound\n", "| design | inconclusive | fail | pass |"]
    lines += ["|---|---|---|---|"]
    for design in designs:
        c = strangers(design, talks, done, calibrator)
        lines.append(
            f"| {design} | {share(c['inconclusive'], c['clips'])} | {c['fail']} | {c['pass']} |"
        )
    lines += ["\n### By length of the window, within one frame\n"]
    heads = [f"{n} frames" if n < 100 else "4 s" for n in LENGTHS_FRAMES]
    for title, chosen in (
        ("speakers left out in turn", lambda t: t.training),
        ("GRID", lambda t: not t.training),
    ):
        lines += [f"\n| {title} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for design, counts in by_length(talks, folds, chosen).items():
            cells_ = [
                f"{100 * h / n:.1f}" if n else "" for h, n in (counts[k] for k in LENGTHS_FRAMES)
            ]
            lines.append(f"| {design} | {' | '.join(cells_)} |")
        lines.append(f"| windows | {' | '.join(str(counts[k][1]) for k in LENGTHS_FRAMES)} |")
    return "\n".join(lines) + "\n"


def _row(design: str, shift: str, tally: Tally) -> str:
    error = f"{np.median(tally.errors_ms):.0f}" if tally.errors_ms else ""
    return (
        f"| {design} | {shift} | {share(tally.conclusive, tally.clips)} | "
        f"{share(tally.right, tally.conclusive)} | {error} | {share(tally.forced, tally.clips)} |"
    )


def release(talks: Sequence[Talk], done: Measured, folder: Path, design: str) -> None:
    """Writes the linear model of all speakers but GRID, and the calibration, into an artifact."""
    data = save(fit([p for t in talks if t.training for p in pairs(t)]).tensors())
    (folder / "canonical.safetensors").write_bytes(data)
    path = folder / "detector.json"
    document: Mapping[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    rules = Calibrator(talks, done).rules(design, None)
    thresholds = {
        "probability_slope": round(rules.slope, 4),
        "probability_offset": round(rules.offset, 4),
        "network_share": rules.network_share,
        "conclusive": CONCLUSIVE,
        "margin_ms": PLAIN.margin_ms,
        "min_votes": PLAIN.min_votes,
        "min_pairs": PLAIN.min_pairs,
    }
    canonical = {
        "file": "canonical.safetensors",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "speakers": [t.name for t in talks if t.training],
    }
    updated = {
        "name": "av_sync",
        "version": "0.1.0",
        **document,
        "thresholds": thresholds,
        "severity": {"av_sync": {"measure": "perceptibility", "major": 1.0, "critical": 2.0}},
        "canonical": canonical,
    }
    path.write_text(json.dumps(updated, indent=1) + "\n")


def main() -> None:
    """Reads, measures and prints; writes where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="folder of talking clips")
    parser.add_argument("--folds", type=Path, help="networks by left-out clip, and release")
    parser.add_argument("--cache", type=Path, help="where mouths and sound of clips are kept")
    parser.add_argument("--out", type=Path, help="write the tables here as well")
    parser.add_argument("--release", type=Path, help="artifact folder to write model and rules to")
    parser.add_argument("--design", choices=DESIGNS, default="canonical", help="what is released")
    given = parser.parse_args()
    talks = read(given.clips, given.cache)
    done = measure_all(talks, given.folds)
    if given.release:
        release(talks, done, given.release, given.design)
        return
    text = tables(talks, done, given.folds)
    publish(text, given.out)


if __name__ == "__main__":
    main()
