"""Does painted damage teach a detector more than drawn damage? Probes at equal numbers.

    patches  break clips of some recordings and cut squares around the damage, intact beside damaged
    probe    teach a small network on drawn, painted, mixed and real damage, and judge each on real
             damage of recordings that neither the painter nor the probe has seen
    sheet    a picture: intact squares, real damage, and the painters' beside it

Every training set has the same number of damaged squares and of intact ones. Drawn and painted
damage cover the same blocks of the same squares: only how the blocks look differs. How strong
painted damage is comes from the real damage that the painter was taught on. The judges are damage
that FFmpeg's decoders left in broken streams (`simulate.effects.bitstream_damage`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from defectscope.simulate.effects.damage_mask import CLEAN, LABEL_PX
from defectscope.simulate.effects.painter import (
    CODE,
    KINDS,
    Painter,
    Wish,
    codes,
    load_painter,
)
from defectscope.training.block_corruption.painter_training import (
    recordings_in,
    uncropped,
    wishes,
)
from defectscope.training.block_corruption.patches import Patches, read, store

# Squares of each kind, damaged and intact, that a probe is taught on.
SQUARES = 1_000
SEEDS = 5
_STEPS, _BATCH, _RATE, _WIDTH = 400, 64, 2e-3, 16
_FALSE_SHARE = 0.02

Floats = NDArray[np.float32]


class Probe(nn.Module):
    """A small network that says of a square, and the one before it, whether damage is in it."""

    def __init__(self) -> None:
        super().__init__()
        sides = (3, _WIDTH, 2 * _WIDTH, 3 * _WIDTH)
        self.steps = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(sides))
        self.out = nn.Linear(2 * sides[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (n,) log-odds of (n, 2, 64, 64): luma shown, and of the square before."""
        x = torch.cat([x, x[:, :1] - x[:, 1:]], 1)
        for step in self.steps:
            x = functional.leaky_relu(step(x), 0.1)
        return self.out(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))[:, 0]


def luma(crops: NDArray[np.uint8]) -> Floats:
    """Returns (n, 64, 64) in units of the painter, of what `examples.crop` made."""
    return (np.stack([uncropped(c)[0] for c in crops]).astype(np.float32) - 128) / CODE


def pairs(shown: Floats, patches: Patches) -> tuple[Floats, Floats]:
    """Returns damaged and intact squares, each (n, 2, 64, 64) with the intact one before it."""
    before = luma(patches.intact[:, 1])
    return np.stack([shown, before], 1), np.stack([luma(patches.intact[:, 0]), before], 1)


def masked(patches: Patches) -> Floats:
    """Returns the squares shown, with damage only where the truth has it."""
    mask = (patches.masks[:, 0] != CLEAN).repeat(LABEL_PX, 1).repeat(LABEL_PX, 2)
    return np.where(mask, luma(patches.shown[:, 0]), luma(patches.intact[:, 0]))


def painted(painter: Painter, patches: Patches, strengths: Floats, seed: int) -> Floats:
    """Returns the same squares with the same blocks painted, (n, 64, 64) of luma."""
    wish, _ = wishes(patches)
    rng = np.random.default_rng(seed)
    kinds = torch.from_numpy(rng.integers(0, len(KINDS), len(patches)))
    strength = torch.from_numpy(rng.choice(strengths, len(patches)))
    generator = torch.Generator().manual_seed(seed)
    out: list[Floats] = []
    with torch.inference_mode():
        for rows in torch.arange(len(patches)).split(64):
            own = Wish(
                wish.intact[rows], wish.previous[rows], wish.mask[rows], kinds[rows], strength[rows]
            )
            made = painter(own, generator).numpy()
            out += [(codes(m)[0].astype(np.float32) - 128) / CODE for m in made]
    return np.stack(out)


def taught(damaged: Floats, intact: Floats, seed: int) -> Probe:
    """Returns a probe taught on squares of both kinds."""
    torch.manual_seed(seed)
    probe = Probe()
    steps = torch.optim.AdamW(probe.parameters(), _RATE, weight_decay=1e-2)
    paces = torch.optim.lr_scheduler.OneCycleLR(steps, _RATE, _STEPS)
    sets = torch.from_numpy(damaged), torch.from_numpy(intact)
    want = torch.cat([torch.ones(_BATCH // 2), torch.zeros(_BATCH // 2)])
    for step in range(_STEPS):
        x = torch.cat([s[torch.randint(len(s), (_BATCH // 2,))] for s in sets])
        if step % 2:
            x = x.flip(-1)
        loss = functional.binary_cross_entropy_with_logits(probe(x), want)
        steps.zero_grad()
        loss.backward()
        steps.step()
        paces.step()
    return probe.eval()


def judged(probe: Probe, damaged: Floats, intact: Floats, ways: Sequence[str]) -> dict[str, float]:
    """Returns AUC over all squares and by way of damaging, and recall at few false ones."""
    from sklearn.metrics import roc_auc_score

    with torch.inference_mode():
        hit, miss = (probe(torch.from_numpy(x)).numpy() for x in (damaged, intact))
    at = float(np.quantile(miss, 1 - _FALSE_SHARE))
    out = {"auc": _auc(roc_auc_score, hit, miss), "recall": float((hit > at).mean())}
    for way in KINDS:
        own = np.array([w == way for w in ways])
        if own.any():
            out[way] = _auc(roc_auc_score, hit[own], miss[own])
    return out


def _auc(score: Any, hit: Floats, miss: Floats) -> float:
    labels = np.repeat([1, 0], [len(hit), len(miss)])
    return float(score(labels, np.concatenate([hit, miss])))


def training_sets(
    work: Path, painters: dict[str, Painter], seed: int
) -> dict[str, tuple[Floats, Floats]]:
    """Returns what each probe is taught on: damaged and intact squares, equally many of each."""
    rng = np.random.default_rng(seed)
    drawn = read(sorted((work / "train").glob("drawn*.npz")))
    broken = read(sorted((work / "train").glob("broken*.npz")))
    drawn, broken = (p.taken(rng.permutation(len(p))[:SQUARES]) for p in (drawn, broken))
    strengths = wishes(broken)[0].strength.numpy()
    sets = {"drawn": pairs(masked(drawn), drawn), "broken": pairs(masked(broken), broken)}
    for name, painter in painters.items():
        sets[name] = pairs(painted(painter, drawn, strengths, seed), drawn)
    for name in painters:
        for other in ("drawn", "broken"):
            halves = (
                [x[: SQUARES // 2] for x in sets[other]],
                [x[SQUARES // 2 :] for x in sets[name]],
            )
            damaged, intact = (np.concatenate(parts) for parts in zip(*halves, strict=True))
            sets[f"{other} and {name}, half each"] = damaged, intact
    halves = [x[: SQUARES // 2] for x in sets["drawn"]], [x[SQUARES // 2 :] for x in sets["broken"]]
    damaged, intact = (np.concatenate(parts) for parts in zip(*halves, strict=True))
    return sets | {"drawn and broken, half each": (damaged, intact)}


def probe(work: Path, painters: dict[str, Painter]) -> dict[str, list[dict[str, float]]]:
    """Teaches and judges every probe over the seeds."""
    test = read(sorted((work / "test").glob("broken*.npz")))
    ways = [f["generator"] for f in test.facts]
    names = {f["recording"] for f in test.facts}
    print(f"judged on {len(test)} damaged squares of {len(names)} unseen recordings", flush=True)
    damaged, intact = pairs(luma(test.shown[:, 0]), test)
    out: dict[str, list[dict[str, float]]] = {}
    for seed in range(1, SEEDS + 1):
        for name, (hit, miss) in training_sets(work, painters, seed).items():
            found = judged(taught(hit, miss, seed), damaged, intact, ways)
            out.setdefault(name, []).append(found)
            print(seed, name, found, flush=True)
    return out


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Returns means with the half width of their 95 % intervals over the seeds (Student)."""
    from scipy.stats import t

    columns = list(next(iter(found.values()))[0])
    lines = ["| taught on | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, rows in found.items():
        cells: list[str] = []
        for column in columns:
            values = np.array([row[column] for row in rows])
            half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
            cells.append(f"{values.mean():.3f} +-{half:.3f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sheet(work: Path, painters: dict[str, Painter], out: Path, count: int = 10) -> None:
    """Writes a picture: rows intact, real damage, then one for each painter."""
    test = read(sorted((work / "test").glob("broken*.npz")))
    own = test.taken(np.linspace(0, len(test) - 1, count).astype(int))
    wish, real = wishes(own)
    rows = [wish.intact, real]
    with torch.inference_mode():
        for painter in painters.values():
            rows.append(painter(wish, torch.Generator().manual_seed(1)))
    tiles: list[NDArray[np.uint8]] = []
    for row in rows:
        squares = [_rgb(square.numpy()) for square in row]
        tiles.append(np.concatenate([np.pad(s, ((2, 2), (2, 2), (0, 0))) for s in squares], 1))
    av.VideoFrame.from_ndarray(np.concatenate(tiles), "rgb24").save(str(out))


def _rgb(square: Floats) -> NDArray[np.uint8]:
    y, u, v = codes(square)
    packed = np.concatenate([y.ravel(), u.ravel(), v.ravel()]).reshape(-1, y.shape[1])
    large = av.VideoFrame.from_ndarray(packed, "yuv420p").reformat(128, 128, "rgb24")
    return large.to_ndarray()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("patches", "probe", "sheet"))
    parser.add_argument("--work", type=Path, required=True, help="folder of the squares")
    parser.add_argument("--train", type=Path, action="append", default=[], help="recordings")
    parser.add_argument("--test", type=Path, action="append", default=[], help="others")
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--painter", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--out", type=Path, help="JSON of `probe`, PNG of `sheet`")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    if options.verb == "patches":
        for part, roots, drawn in (
            ("train", options.train, False),
            ("train", options.train, True),
            ("test", options.test, False),
        ):
            store(recordings_in(roots), options.work / part, options.clips, 11, drawn, print)
        return 0
    painters = {n: load_painter(Path(f)) for n, f in (p.split("=", 1) for p in options.painter)}
    if options.verb == "sheet":
        sheet(options.work, painters, options.out)
        return 0
    found = probe(options.work, painters)
    print(table(found))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
