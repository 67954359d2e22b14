"""Learns a hidden layer over blocks: which of them are what is asked for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.hidden_layer import HiddenLayer, standardised

_DECAY = 1.0
_RATE, _BATCH = 2e-3, 512

Floats = NDArray[np.float32]


def learn_layer(
    values: Floats, labels: NDArray[np.bool_], seed: int, *, hidden: int, rounds: int
) -> HiddenLayer:
    """Returns the layer.

    Args:
        values: (blocks, FEATURES).
        labels: (blocks,).
        seed: Of its first weights and of the order of blocks.
        hidden: Units.
        rounds: Times that each block is shown.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-3
    make: Any = MLPClassifier
    layer = make(
        (hidden,),
        alpha=_DECAY,
        max_iter=rounds,
        learning_rate_init=_RATE,
        batch_size=_BATCH,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # So many rounds are meant: more of them learn the recordings.
        warnings.simplefilter("ignore", ConvergenceWarning)
        layer.fit(standardised(values, mean, scale), labels)
    inner, outer = layer.coefs_
    return HiddenLayer(
        mean,
        scale,
        inner.astype(np.float32),
        layer.intercepts_[0].astype(np.float32),
        outer[:, 0].astype(np.float32),
        layer.intercepts_[1].astype(np.float32),
    )
