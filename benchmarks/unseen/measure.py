"""What the shipped detectors report on the clips of a design: kept, so that a run can go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from defectscope.analysis import analyze
from defectscope.engine.artifacts import bundled
from unseen.design import Clip
from unseen.make import make
from unseen.peers import scores


def stamp(detectors: Sequence[str]) -> str:
    """Returns a name for the detectors as they are tuned now."""
    digest = hashlib.sha256()
    for name in sorted(detectors):
        digest.update((bundled("model_artifacts") / name / "detector.json").read_bytes())
    return digest.hexdigest()[:10]


def measured(
    clips: Iterable[Clip], work: Path, detectors: Sequence[str], ffmpeg: Path | None = None
) -> list[dict[str, Any]]:
    """Makes and analyses clips; returns what is true of each and what was reported.

    Args:
        clips: The design.
        work: Where clips and reports are kept.
        detectors: Which detectors run.
        ffmpeg: A binary that has CAMBI, for banding's peer.
    """
    kept = work / f"reports.{stamp(detectors)}.jsonl"
    done: dict[str, dict[str, Any]] = {}
    if kept.exists():
        done = {row["key"]: row for row in map(json.loads, kept.read_text("utf-8").splitlines())}
    out: list[dict[str, Any]] = []
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a", encoding="utf-8") as file:
        for clip in clips:
            if clip.key not in done:
                path = make(clip, work)
                report = analyze(path, detectors=list(detectors))
                row = {
                    **json.loads(path.with_suffix(".json").read_text("utf-8")),
                    "peer": scores(path, [clip.defect] if clip.defect else [*detectors], ffmpeg),
                    "found": [[f.defect, f.start_s, f.end_s] for f in report.findings],
                    "peaks": {
                        name: entry["peak_score"][name] for name, entry in report.verdicts.items()
                    },
                }
                done[clip.key] = row
                file.write(json.dumps(row) + "\n")
                file.flush()
            out.append(done[clip.key])
    return out
