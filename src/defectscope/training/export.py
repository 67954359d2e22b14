"""Export: weights, detector.json, CARD.md and figures, ready for model_artifacts/<name>/."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from defectscope.detectors.weights import sha256_of
from defectscope.errors import InvalidParameterError
from defectscope.training import checkpoint
from defectscope.training.contract import CacheView, Recipe, Release
from defectscope.training.corpora import Corpus
from defectscope.training.loop import best_model

WEIGHTS = "weights.safetensors"
# Half precision is taken when the validation score falls by no more than this.
_HALF_COST = 5e-4


def export(
    recipe: Recipe,
    cache: CacheView,
    run: Path,
    out: Path,
    corpora: Sequence[Corpus],
    seed: int,
    mean_of: Sequence[Path] = (),
    halfway: Path | None = None,
) -> dict[str, Any]:
    """Writes the artifact of a run's best weights, or of the mean of some of its checkpoints.

    Source of `halfway`: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models".

    Args:
        recipe: What was trained.
        cache: On whose validation split thresholds are chosen, and whose test split is measured.
        run: Folder of the run.
        out: Folder to write into.
        corpora: What the cache was made of.
        seed: Of the splits and the simulation.
        mean_of: Checkpoints of the run whose mean is taken instead of the best weights.
        halfway: Weights that the run began with: what is exported lies in the middle.

    Returns:
        The `weights` entry of detector.json: file, sha256, bytes, precision.

    Raises:
        InvalidParameterError: The run has no checkpoint, `mean_of` names none of one run, or
            `halfway` no weights of this network.
    """
    # As in training: on a busy machine more threads wait for each other.
    torch.set_num_threads(recipe.schedule().threads)
    model = best_model(recipe, run)
    if mean_of:
        model.load_state_dict(checkpoint.mean(mean_of))
    if halfway is not None:
        model.load_state_dict(_midway(model.state_dict(), halfway))
    whole = {k: v.clone() for k, v in model.state_dict().items()}
    full = recipe.score(model, cache, "validation")["objective"]
    halved = {k: _half(v) for k, v in model.state_dict().items()}
    model.load_state_dict(
        {k: v.float() if v.dtype == torch.float16 else v for k, v in halved.items()}
    )
    half = recipe.score(model, cache, "validation")["objective"]
    use_half = full - half <= _HALF_COST
    if not use_half:
        model.load_state_dict(whole)
    tensors = halved if use_half else dict(model.state_dict())
    data = save({k: v.contiguous().clone() for k, v in tensors.items()})
    # What is measured is what ships.
    release = recipe.release(model.eval(), cache)
    state = checkpoint.load(run)
    assert state is not None
    entry = {
        "file": WEIGHTS,
        "sha256": sha256_of(data),
        "bytes": len(data),
        "precision": "float16" if use_half else "float32",
    }
    document = {
        "name": recipe.name,
        "version": release.version,
        "thresholds": dict(release.thresholds),
        "severity": dict(release.severity),
        "calibration": dict(release.calibration),
        "weights": entry,
        **release.extra,
        "metrics": dict(release.metrics),
        "training": {
            # As the checkpoint has it: export may be given another cache to measure on.
            "run": ast.literal_eval(state["identity"]),
            "measured_on": dict(recipe.preparation()),
            "steps": int(state["step"]),
            "best_step": int(state["best_step"]),
            **({"mean_of": [file.stem for file in mean_of]} if mean_of else {}),
            **({"halfway_to": sha256_of(halfway.read_bytes())} if halfway else {}),
            "seed": seed,
            "commit": _commit(),
            "torch": torch.__version__,
            "precision_cost": round(full - half, 6),
            "data": [corpus.describe() for corpus in corpora],
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(data)
    (out / "detector.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (out / "CARD.md").write_text(card(document, release), "utf-8")
    for name, frame in release.figures.items():
        (out / name).write_bytes(frame)
    return entry


def card(document: Mapping[str, Any], release: Release) -> str:
    """Returns CARD.md: what the weights are, what they can do, and what they were made of."""
    weights, training = document["weights"], document["training"]
    lines = [
        f"# {document['name']} {document['version']}",
        "",
        f"`{weights['file']}`: {weights['bytes']:,} bytes, {weights['precision']}, SHA-256",
        f"`{weights['sha256']}`.",
        "",
    ]
    for heading, body in release.card.items():
        lines += [f"## {heading}", "", body.strip(), ""]
    lines += ["## Data", "", "| corpus | licence | from |", "|---|---|---|"]
    lines += [f"| {d['name']} | {d['licence']} | {d['source']} |" for d in training["data"]]
    lines += [
        "",
        "Split by recording; no recording is in two splits.",
        "",
        "## Making",
        "",
        f"{_chosen(training)}, seed "
        f"{training['seed']}, commit `{training['commit'][:12]}`, PyTorch {training['torch']}. "
        f"docs/training.md says how to make it again, and how to make one for your own content.",
        "",
    ]
    return "\n".join(lines)


def _chosen(training: Mapping[str, Any]) -> str:
    steps = [str(int(name.rpartition("-")[2])) for name in training.get("mean_of", ())]
    made = f"Best of {training['steps']} steps at step {training['best_step']}"
    if steps:
        made = f"Mean of the weights at {', '.join(steps)} of {training['steps']} steps"
    if "halfway_to" in training:
        made += f", halfway back to the weights it began with (`{training['halfway_to'][:12]}`)"
    return made


def _midway(own: Mapping[str, torch.Tensor], file: Path) -> dict[str, torch.Tensor]:
    """Returns the mean, weight by weight, of a network's weights and those of a file."""
    try:
        other = load_file(file)
    except (OSError, SafetensorError) as error:
        raise InvalidParameterError(f"{file} holds no weights: {error}") from None
    if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in other.items()}:
        raise InvalidParameterError(f"{file} holds weights of another network")
    return checkpoint.mean_weights([other, own])


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.dtype == torch.float32 else tensor


def _commit() -> str:
    """Returns the commit of the checkout that trains, `unknown` outside of one."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
