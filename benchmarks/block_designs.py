"""Compares three designs of the network at half width: the same crops, start and schedule.

    python benchmarks/block_designs.py train DESIGN --root MEDIA --work WORK --start FILE
        [--crops 200000]
    python benchmarks/block_designs.py measure --work WORK CLIPS ... [--design DESIGN ...]
        [--out FILE]

DESIGN is `content`, `residuals` or `shot` (`block_design_networks.py`). WORK's cache is made by
`defectscope-train prepare block_corruption` with the settings below; FILE is what
`defectscope.training.block_corruption.initialization` makes of ImageNet's weights. CLIPS are
folders that `block_strangers.py` filled.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from block_design_networks import DESIGNS, HALF_WIDTH, ShotNet, design
from publishing import publish
from safetensors.torch import load_file, save_file

from defectscope.media import open_media
from defectscope.media.frames import Frame
from defectscope.media.pixels import to_rgb
from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED
from defectscope.training import corpora
from defectscope.training.block_corruption import recipe
from defectscope.training.block_corruption.programmes import TOUCHED_SHARE, VISIBLE_AREA
from defectscope.training.cache import Cache
from defectscope.training.loop import train
from defectscope.training.precision import autocast
from defectscope.training.run import Progress
from defectscope.training.scores import auc

_SETTINGS = recipe.BlockCorruptionSettings(
    width=HALF_WIDTH, crop_px=128, clips_per_s=3.0, most_clips=24
)
_BATCH, _SCORED_EVERY = 48, 300
_SEED = 1
# Every so many frames of a clip one is looked at, with the one before it.
_EVERY, _LINES = 8, 360
# A shot's own level is read from this share of its looks, those of lowest decisions.
_QUIET_SHARE = 0.3
_SMALL, _LARGE = 0.03, 0.07


def run(given: argparse.Namespace) -> None:
    """Trains a design, or goes on with it."""
    chosen = design(given.design, _SETTINGS)
    file = Path(recipe.__file__).parent / "recipe.toml"
    sources = corpora.read_corpora(file, given.root)
    identity = {
        "detector": chosen.name, "preparation": dict(chosen.preparation()), "seed": _SEED,
        "corpora": [corpus.describe() for corpus in sources],
    }  # fmt: skip
    steps = given.crops // _BATCH
    schedule = replace(
        chosen.schedule(), steps=steps, batch=_BATCH, score_every=_SCORED_EVERY, seed=_SEED
    )

    def show(progress: Progress) -> None:
        done = f"{progress.step} of {steps}: loss {progress.loss:.4f}"
        print(f"{done}, score {progress.objective:.4f}", flush=True)

    outcome = train(
        chosen, Cache(given.work / "cache", identity), given.work / f"design-{given.design}",
        schedule, start=load_file(given.start), report=show,
    )  # fmt: skip
    state = {k: v.contiguous() for k, v in outcome.model.state_dict().items()}
    save_file(state, given.work / f"{given.design}.safetensors")


def looks(path: Path) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Returns every eighth frame of a clip and the one before: their number, and both as RGB."""
    before: Any = None
    with open_media(path) as reader:
        for number, frame in enumerate(f for f in reader.read(audio=False) if isinstance(f, Frame)):
            if number % _EVERY == 1:
                yield number, to_rgb(frame.native, _LINES), to_rgb(before.native, _LINES)
            before = frame


def decisions(network: torch.nn.Module, seen: list[tuple[torch.Tensor, torch.Tensor]]) -> Any:
    """Returns log-odds that each look is damaged, as single frames or held against their shot."""
    with torch.inference_mode(), autocast("cpu"):
        parts = [network.mapped(*pair)[:2] for pair in seen]  # type: ignore[operator]
        said = np.array([float(network.decided(*part)[0, 0]) for part in parts])  # type: ignore[operator]
        if not isinstance(network, ShotNet):
            return said
        quiet = np.argsort(said)[: max(1, round(_QUIET_SHARE * len(said)))]
        usual = torch.cat([parts[k][1] for k in quiet]).mean(dim=(0, 2, 3))[None]
        over = [network.against(features, usual) for _, features in parts]
        return np.array([float(network.decided(*part)[0, 0]) for part in over])


def measure(given: argparse.Namespace) -> None:
    """Scores the designs on looks at clips of recordings that nothing was learned from."""
    torch.set_num_threads(1)
    networks: dict[str, torch.nn.Module] = {}
    for name in given.design or DESIGNS:
        weights = given.work / f"{name}.safetensors"
        if weights.exists():
            networks[name] = design(name, _SETTINGS).build().eval()
            networks[name].load_state_dict(load_file(weights))
    said: dict[str, list[np.ndarray]] = {name: [] for name in networks}
    areas: list[float] = []
    ways: list[tuple[int, str, str]] = []
    for number, path in enumerate(p for f in given.clips for p in sorted(f.glob("*.mp4"))):
        with np.load(path.with_suffix(".npz")) as stored:
            facts, masks = json.loads(str(stored["facts"])), stored["masks"]
        hit = (masks == DAMAGED).mean(axis=(1, 2))
        sure = (hit >= VISIBLE_AREA) | ((masks != CLEAN).mean(axis=(1, 2)) <= TOUCHED_SHARE)
        rows, pairs = [], []
        for row, now, before in looks(path):
            rows.append(row)
            pairs.append(tuple(torch.from_numpy(x).permute(2, 0, 1)[None] for x in (now, before)))
        known = sure[rows]
        for name, network in networks.items():
            said[name].append(decisions(network, pairs)[known])  # type: ignore[arg-type]
        areas += hit[rows][known].tolist()
        ways += [(number, facts["generator"], facts.get("codec") or "")] * int(known.sum())
        if number % 20 == 0:
            print(path, flush=True)
    publish(
        table({k: np.concatenate(v) for k, v in said.items()}, np.array(areas), ways), given.out
    )


def table(said: dict[str, np.ndarray], areas: np.ndarray, ways: list[tuple[int, str, str]]) -> str:
    """Returns a row a design: AUC of looks, whole, within clips, and by what damaged them."""
    hit = areas >= VISIBLE_AREA
    clip = np.array([w[0] for w in ways])
    shown = {
        "all": np.ones(len(hit), bool),
        "HEVC": np.array([w[2] == "libx265" for w in ways]),
        "lost slices": np.array([w[1] == "slice_loss" for w in ways]),
        "over 7 %": areas >= _LARGE,
        "under 3 %": areas < _SMALL,
    }
    lines = [
        f"{len(hit)} looks, {int(hit.sum())} damaged, {len(set(clip.tolist()))} clips", "",
        "| design | " + " | ".join(shown) + " | within a clip |", "|---" * (len(shown) + 2) + "|",
    ]  # fmt: skip
    for name, odds in said.items():
        values = [auc(odds[own | ~hit], hit[own | ~hit]) for own in shown.values()]
        inside = [
            auc(odds[clip == c], hit[clip == c])
            for c in np.unique(clip)
            if len(set(hit[clip == c].tolist())) == 2
        ]
        cells = " | ".join(f"{v:.3f}" for v in [*values, float(np.mean(inside))])
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    training = verbs.add_parser("train")
    training.add_argument("design", choices=DESIGNS)
    training.add_argument("--root", type=Path, action="append", required=True)
    training.add_argument("--start", type=Path, required=True)
    training.add_argument("--crops", type=int, default=200_000)
    training.set_defaults(verb=run)
    measuring = verbs.add_parser("measure")
    measuring.add_argument("clips", type=Path, nargs="+")
    measuring.add_argument("--design", choices=DESIGNS, action="append", help="default: all")
    measuring.add_argument("--out", type=Path)
    measuring.set_defaults(verb=measure)
    for verb in (training, measuring):
        verb.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    given.verb(given)


if __name__ == "__main__":
    main()
