"""What map and decision shall say of block corruption, and how well they say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.layout import CELL_PX
from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED, LABEL_PX
from defectscope.training.scores import auc

_PER_CELL = CELL_PX // LABEL_PX
# A cell counts as damaged from four of its sixteen blocks on: one macroblock.
_DAMAGED_SHARE = 0.25
# From so many blocks of 8 pixels on (a two-hundredth of 360 lines) damage counts in full.
_VISIBLE_BLOCKS, _FEW = 16, 0.25


def targets(masks: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
    """Returns what map and decision shall say, with weight 0 where the truth is unsure.

    Args:
        masks: (n, 2, rows, columns) labels by block.
    """
    n, two, rows, columns = masks.shape
    cells = masks.reshape(n, two, rows // _PER_CELL, _PER_CELL, columns // _PER_CELL, _PER_CELL)
    damaged = (cells == DAMAGED).mean(axis=(3, 5))
    touched = (cells != CLEAN).mean(axis=(3, 5))
    cell = damaged >= _DAMAGED_SHARE
    sure = cell | ((damaged == 0) & (touched <= 0.25))
    hit = cell.any(axis=(2, 3))  # shape (n, 2)
    # Few blocks are hard to see and no event by themselves: they count less.
    few = (masks == DAMAGED).sum(axis=(2, 3)) < _VISIBLE_BLOCKS
    # A frame is surely clean when nothing in it is damaged and next to nothing differs.
    hit_sure = hit | ((damaged.sum(axis=(2, 3)) == 0) & (touched.mean(axis=(2, 3)) < 0.02))
    return {
        "cell": torch.from_numpy(cell.astype(np.float32)),
        "cell_weight": torch.from_numpy(sure.astype(np.float32)),
        "hit": torch.from_numpy(hit.astype(np.float32)),
        "hit_weight": torch.from_numpy(np.where(hit & few, _FEW, hit_sure).astype(np.float32)),
    }


def figures(predicted: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Returns scores of predictions; `objective` is what training maximises.

    It asks for order alone: where the map says yes is chosen afterwards.
    """
    sure = predicted["hit_weight"][:, 0] > 0
    frame_auc = auc(
        predicted["decision"][sure, 0].astype(np.float64), predicted["hit"][sure, 0].astype(bool)
    )
    before = predicted["hit_weight"][:, 1] > 0
    before_auc = auc(
        predicted["decision"][before, 1].astype(np.float64),
        predicted["hit"][before, 1].astype(bool),
    )
    cell_sure = predicted["cell_weight"][:, 0] > 0
    cell, logit = predicted["cell"][:, 0][cell_sure] > 0, predicted["map"][:, 0][cell_sure]
    shown = logit > 0
    iou = float((cell & shown).sum() / max(1, (cell | shown).sum()))
    scores = {
        "frame_auc": frame_auc,
        "previous_auc": before_auc,
        "cell_auc": auc(logit.astype(np.float64), cell),
        "map_iou": iou,
    }
    return scores | {"objective": (frame_auc + before_auc + 2 * scores["cell_auc"]) / 4}
