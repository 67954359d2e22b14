"""Measures the block corruption detector on recordings that its training never saw.

    python benchmarks/block_corruption.py --root FOLDER [--root FOLDER ...] --work FOLDER
        [--clean FOLDER] [--real FILE] [--clips 6] [--seed 78 ...] [--speed]

Clips are made of the recordings of the split, as for training, but whole and as files; the detector
evaluates the files. `defectscope-train tune block_corruption` has chosen calibration and thresholds
on the validation split of the same recordings. Writes docs/results/block_corruption.json; the page
beside it quotes it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import block_runs
import block_scores

from defectscope.detectors import load
from defectscope.training.block_corruption.programmes import (
    FRAMES,
    NAME,
    RATE_FPS,
    Evaluated,
    evaluate,
    make_clips,
    recordings,
    released_corpora,
)

RESULT = Path(__file__).resolve().parents[1] / "docs" / "results" / f"{NAME}.json"
SEED = 78


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clean", type=Path, action="append", default=[])
    parser.add_argument("--real", type=Path, action="append", default=[])
    parser.add_argument("--clips", type=int, default=6, help="clips of each recording")
    parser.add_argument("--seed", type=int, action="append", help=f"of the clips; {SEED}")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--make", action="store_true", help="make the clips and stop")
    parser.add_argument(
        "--speed", action="store_true", help="measure speed alone, on a quiet machine"
    )
    options = parser.parse_args(argv)
    if options.speed:
        document = json.loads(RESULT.read_text("utf-8"))
        document["speed_1080x1920"] = block_runs.speed()
        RESULT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        print(json.dumps(document["speed_1080x1920"], indent=1))
        return 0
    options.work.mkdir(parents=True, exist_ok=True)
    evaluated: list[Evaluated] = []
    seeds, sources = options.seed or [SEED], released_corpora(options.root)
    for clip in itertools.chain.from_iterable(
        make_clips(sources, options.work, options.split, options.clips, seed) for seed in seeds
    ):
        if options.make:
            continue
        evaluated.append(Evaluated(clip, *evaluate(clip.path, options.work)))
        print(clip.path.name, clip.facts["generator"], [
            (t.start_s, t.end_s) for t in clip.truth], flush=True)  # fmt: skip
    if options.make:
        return 0
    result: dict[str, Any] = {
        "clips": len(evaluated),
        "seeds": seeds,
        "recordings": sorted({j.clip.recording for j in evaluated}),
        "clip_minutes": round(len(evaluated) * FRAMES / RATE_FPS / 60, 2),
        "thresholds": dict(load(NAME).tuned.thresholds),
        "events": block_scores.event_scores(evaluated),
        "frames": block_scores.frame_scores(evaluated),
        "map_iou": block_scores.map_iou(evaluated),
        "gate": block_scores.gate_recall(evaluated),
    }
    if options.clean:
        seen = [r.path.name for s in ("train", "validation") for r in recordings(sources, s)]
        result["clean_unseen"] = block_scores.clean_minutes(
            options.clean, [*seen, "real_defects"], options.work
        )
    result["real"] = [block_runs.real(path, options.work) for path in options.real]
    for path in options.real:
        block_runs.overlays(path, RESULT.with_name(f"{NAME}_{path.stem}.png"))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
