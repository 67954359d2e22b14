"""What the network is trained to minimise: errors of the map, of its blocks and of the decision."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from defectscope.detectors.block_corruption.network import BlockNet

# Crops that make up a frame for the decision to learn on: an eighth to a half of 360 lines.
_JOINED = 4
# Log-odds by which damage is to stand out, and the weight of what stands still.
_MARGIN, _STILL = 1.0, 0.5


def loss(
    network: BlockNet,
    inputs: tuple[torch.Tensor, torch.Tensor],
    truth: Mapping[str, torch.Tensor],
    contrast: float = 0.0,
) -> tuple[torch.Tensor, Mapping[str, float]]:
    """Returns the sum of what the map and the decision get wrong, and its parts.

    Args:
        network: What is trained.
        inputs: (n, 3, height, width) each: the frame, and the one before.
        truth: As `block_targets.targets` gives it, with `block` and `block_weight` by block, and
            `same`, (m, 2), rows with damage and the same rows without.
        contrast: Weight of what content cancels in: same frames damaged and not, and the two
            frames of a row.
    """
    logits, features, blocks = network.mapped(*inputs)
    decision = network.decided(logits, features)
    cells = _cross_entropy(logits, truth["cell"], truth["cell_weight"] * (1 + truth["cell"]))
    fine = _cross_entropy(blocks, truth["block"], truth["block_weight"] * (1 + truth["block"]))
    crops = _cross_entropy(decision, truth["hit"], truth["hit_weight"])
    rows = joint(len(logits), truth["hit"], truth["hit_weight"])
    wide = network.decided(side_by_side(logits, rows), side_by_side(features, rows))
    # A frame is as damaged as the most damaged of its parts.
    hit, weight = truth["hit"][rows].amax(dim=1), truth["hit_weight"][rows]
    weight = torch.where(hit > 0, (weight * truth["hit"][rows]).amax(dim=1), weight.amin(dim=1))
    frames = (crops + _cross_entropy(wide, hit, weight)) / 2
    further = apart(decision, truth) if contrast > 0 else decision.new_zeros(())
    return cells + 0.5 * fine + frames + contrast * further, {
        "contrast_loss": float(further.detach()),
        "map_loss": float(cells.detach()),
        "block_loss": float(fine.detach()),
        "decision_loss": float(frames.detach()),
    }


def apart(decision: torch.Tensor, truth: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Returns how far decisions fall short of telling damage by differences alone.

    Damaged frames must score over the same frames undamaged, a frame over the one before it where
    damage comes, under it where damage goes, and as much as it where nothing does.
    """
    decision, hit, sure = decision.float(), truth["hit"], truth["hit_weight"]
    bad, good = truth["same"][:, 0], truth["same"][:, 1]
    over = functional.softplus(_MARGIN - (decision[bad] - decision[good]))
    weight = hit[bad] * sure[bad]
    first = (over * weight).sum() / weight.sum().clamp(min=1)
    step, known = decision[:, 0] - decision[:, 1], sure.amin(dim=1)
    change = hit[:, 0] - hit[:, 1]
    moved = functional.softplus(_MARGIN - change * step)
    still = functional.smooth_l1_loss(step, torch.zeros_like(step), reduction="none")
    each = torch.where(change != 0, moved, _STILL * still)
    second = (each * known).sum() / known.sum().clamp(min=1)
    return first + second


def joint(count: int, hit: torch.Tensor, sure: torch.Tensor) -> torch.Tensor:
    """Returns which crops make up a frame each: (frames, _JOINED) rows of the batch.

    A detector decides about whole frames, which have many times the cells of a crop, so the
    strongest of them are stronger. Each damaged crop is set beside clean ones, and of clean ones
    alone as many frames are made as there are.

    Args:
        count: Crops in the batch.
        hit: (count, 2) whether something in them is damaged.
        sure: (count, 2) whether that is known.
    """
    dirty = hit.amax(dim=1) > 0
    clean = torch.nonzero(~dirty & (sure.amin(dim=1) > 0)).flatten()
    damaged = torch.nonzero(dirty).flatten()
    if len(clean) < _JOINED:
        return torch.arange(count)[:, None]
    whole = torch.stack([clean[torch.randperm(len(clean))] for _ in range(_JOINED)], dim=1)
    order = torch.arange(len(damaged))[:, None] + torch.arange(_JOINED - 1)
    mixed = torch.cat([damaged[:, None], clean[order % len(clean)]], dim=1)
    return torch.cat([whole, mixed])


def side_by_side(maps: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Returns maps (n, channels, rows, columns) of crops as frames that many times as wide."""
    chosen = maps[rows]  # shape (frames, parts, channels, rows, columns)
    return chosen.permute(0, 2, 3, 1, 4).flatten(3)


def _cross_entropy(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Returns the weighted mean of the cross entropy."""
    total = functional.binary_cross_entropy_with_logits(
        logits.float(), truth, weight, reduction="sum"
    )
    return total / weight.sum().clamp(min=1)
