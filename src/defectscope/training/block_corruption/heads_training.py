"""Learns the small heads and puts them beside the weights: `defectscope-train heads`.

It comes after `train` and before `tune`. All of it learns on recordings of the validation and test
splits: on those that the network was trained on, its map and its decisions are better than they
are elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from defectscope.detectors.block_corruption.heads import Heads
from defectscope.engine.artifacts import DOCUMENT, artifact_folder
from defectscope.errors import InvalidParameterError
from defectscope.training.block_corruption import onset_examples
from defectscope.training.block_corruption.map_training import best_threshold, learn_map
from defectscope.training.block_corruption.onset_training import FOLDS, learn, read_examples
from defectscope.training.block_corruption.programmes import NAME, detector_in_use, recordings
from defectscope.training.block_corruption.sources import VIDEO_SUFFIXES
from defectscope.training.contract import Recording
from defectscope.training.corpora import Corpus

FILE = "heads.safetensors"
# Of five parts of the recordings, those that the map's threshold is chosen on.
_HELD = (3, 4)


def unlearned(sources: Sequence[Corpus]) -> list[Recording]:
    """Returns the videos that the network did not learn from.

    Raises:
        MediaNotFoundError: A corpus has no usable recording.
        InvalidParameterError: There are fewer than two.
    """
    found = recordings(sources, "validation", "test")
    shown = [r for r in found if r.path.suffix.lower() in VIDEO_SUFFIXES]
    if len(shown) < 2:
        raise InvalidParameterError(
            f"damage and cuts want two videos of the validation and test splits; these hold "
            f"{len(shown)}"
        )
    return shown


def make_examples(
    recordings: Sequence[Recording],
    work: Path,
    count: int,
    seed: int,
    report: Callable[[str], None],
) -> list[Path]:
    """Makes the clips once; a second run goes on with what is missing."""
    work.mkdir(parents=True, exist_ok=True)
    runtime = detector_in_use().runtime
    out: list[Path] = []
    for number in range(count):
        path = work / f"{number:05d}.npz"
        nothing = path.with_suffix(".none")
        if not path.exists() and not nothing.exists():
            plan = onset_examples.plan_of(recordings, number, seed)
            if not onset_examples.make(plan, runtime, path):
                nothing.touch()
            report(f"{number}: {plan.recording.name}, {plan.generator} {plan.codec}")
        if path.exists():
            out.append(path)
    return out


def heads_artifact(
    sources: Sequence[Corpus], work: Path, count: int, seed: int, report: Callable[[str], None]
) -> dict[str, Any]:
    """Learns the heads and writes them beside detector.json, which names them and their hash.

    The map's threshold, `cell`, goes into detector.json as well.

    Args:
        sources: What the weights in use were trained on.
        work: Where examples are kept; a second run reads them.
        count: Clips.
        seed: Of the clips and of the layers.
        report: Takes a line for every clip that is made.

    Returns:
        What detector.json then says of them.

    Raises:
        InvalidParameterError: There are too few recordings, or nothing to learn from.
    """
    files = make_examples(unlearned(sources), work, count, seed, report)
    examples = read_examples(files)
    labels = [example.label for example in examples]
    parts = {example.fold for example in examples}
    if len(parts) < 2 or min(labels.count(0), labels.count(1)) < FOLDS:
        raise InvalidParameterError(
            "the clips show too little damage, or too few recordings, to learn from; make more"
        )
    onset, _ = learn(examples, seed)
    held = [e.look for e in examples if e.fold in _HELD]
    others = [e.look for e in examples if e.fold not in _HELD]
    looks = [example.look for example in examples]
    cell = best_threshold(learn_map(others or looks, seed), held or looks)
    data = save(Heads(onset, learn_map(looks, seed)).tensors())
    folder = detector_in_use().tuned.folder or artifact_folder(NAME)
    entry = {
        "file": FILE,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "looks": len(examples),
        "beginnings": labels.count(1),
        "clips": len(files),
        "recordings": len({example.recording for example in examples}),
        "seed": seed,
        "data": [corpus.describe() for corpus in sources],
    }
    (folder / FILE).write_bytes(data)
    document = json.loads((folder / DOCUMENT).read_text("utf-8"))
    document["heads"] = entry
    document["thresholds"]["cell"] = cell
    (folder / DOCUMENT).write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    report(
        f"{folder / FILE}: {len(examples)} looks, {labels.count(1)} with new damage; cells count "
        f"as damaged from {cell}"
    )
    return entry
