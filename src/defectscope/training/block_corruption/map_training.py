"""Learns the head that maps damage, and from which probability on a cell counts as damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.cell_map import SIDE, by_cell, cell_map
from defectscope.detectors.block_corruption.hidden_layer import HiddenLayer
from defectscope.training.block_corruption.layer_training import learn_layer
from defectscope.training.block_corruption.onset_examples import VISIBLE_AREA, Look

_HIDDEN, _ROUNDS = 48, 20
# Blocks of each look: damaged ones, and whole ones as they come. Hard ones would be told better and
# all the others worse: a map is mostly of the others.
_DAMAGED, _WHOLE = 60, 80
_DAMAGED_BLOCK, _WHOLE_BLOCK = 0.5, 0.1
# A cell is damaged from this share on, and whole where nothing is and less than this differs.
_CELL = 0.25
_THRESHOLDS = np.arange(0.1, 0.61, 0.05)
# Of thresholds that are equally good but for this, the highest: lower ones overstate areas.
_EQUAL_IOU = 0.01

Floats = NDArray[np.float32]


def block_table(
    looks: Sequence[Look], rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns features of blocks, and whether they are damaged."""
    values: list[Floats] = []
    labels: list[NDArray[np.bool_]] = []
    for look in looks:
        damaged = np.argwhere(look.damaged >= _DAMAGED_BLOCK)
        whole = np.argwhere((look.damaged == 0) & (look.touched <= _WHOLE_BLOCK))
        for places, most, label in ((damaged, _DAMAGED, True), (whole, _WHOLE, False)):
            taken = rng.permutation(places)[:most]
            values.append(look.blocks.features[taken[:, 0], taken[:, 1]])
            labels.append(np.full(len(taken), label))
    return np.concatenate(values), np.concatenate(labels)


def learn_map(looks: Sequence[Look], seed: int) -> HiddenLayer:
    """Returns the head that maps damage."""
    values, labels = block_table(looks, np.random.default_rng(seed))
    return learn_layer(values, labels, seed, hidden=_HIDDEN, rounds=_ROUNDS)


def best_threshold(head: HiddenLayer, looks: Sequence[Look]) -> float:
    """Returns the probability from which on cells are taken for damaged.

    The highest of those with the best mean IoU over frames of visible damage, or nearly so; 0.5
    where no look shows any.

    Args:
        head: The map's.
        looks: Of recordings that it did not learn from.
    """
    scores = [list(_ious(head, look)) for look in looks if look.areas[0] >= VISIBLE_AREA]
    if not scores:
        return 0.5
    means = np.mean(scores, axis=0)
    return round(float(_THRESHOLDS[means >= means.max() - _EQUAL_IOU].max()), 2)


def _ious(head: HiddenLayer, look: Look) -> Iterator[float]:
    shape = tuple(-(-count // SIDE) for count in look.damaged.shape)
    share = by_cell(look.damaged, shape)
    damaged = share >= _CELL
    sure = damaged | ((share == 0) & (by_cell(look.touched, shape) <= _CELL))
    seen = cell_map(head.of_blocks(look.blocks), shape)
    for threshold in _THRESHOLDS:
        shown = (seen >= threshold) & sure
        yield float((shown & damaged).sum() / max(1, (shown | damaged).sum()))
