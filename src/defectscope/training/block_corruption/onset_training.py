"""Learns the small head that tells where damage begins and ends.

The hidden layer learns on single blocks; how frames pool them is learned on blocks of recordings
that the layer did not see (stacking), so that it does not trust the layer more than it deserves.

Source: Wolpert 1992, "Stacked generalization", Neural Networks 5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.blocks import NAMES
from defectscope.detectors.block_corruption.hidden_layer import HiddenLayer, standardised
from defectscope.detectors.block_corruption.onset import Onset, frame_features
from defectscope.training.block_corruption import onset_examples
from defectscope.training.block_corruption.layer_training import learn_layer
from defectscope.training.block_corruption.onset_examples import Look

# Parts of the recordings.
FOLDS = 5
_HIDDEN, _ROUNDS = 24, 30
# Blocks of each look: damaged ones; whole ones that changed most, and others.
_DAMAGED, _CHANGED, _OTHERS = 40, 12, 12
# Damage is new in a block from this share on, in a frame from this share on; where the other frame
# shows damage as well, from the third on.
_NEW_BLOCK, _NEW, _GROWN = 0.5, 0.005, 0.01
_WHOLE_BLOCK = 0.1
_HARDLY = 0.002
_STRENGTH = 0.03

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Example:
    """A look, and what it is for.

    Attributes:
        look: The look.
        other: The same pair the other way round.
        label: 1 where damage is new, 0 where nothing is, None where that is not certain.
        recording: Which recording it shows.
        facts: How the clip was made.
    """

    look: Look
    other: Look
    label: int | None
    recording: str
    facts: dict[str, Any]

    @property
    def fold(self) -> int:
        """Which part of the recordings it belongs to."""
        return int(hashlib.sha256(self.recording.encode()).hexdigest(), 16) % FOLDS


def label_of(look: Look) -> int | None:
    """Returns whether damage is new in a look's frame; None where neither is certain."""
    if look.is_clean:
        return 0
    if look.new_share >= _NEW and look.areas[1] < _HARDLY:
        return 1
    if look.new_share >= _GROWN:
        return 1
    # Damage that goes on, without more of it.
    return 0 if look.new_share < _NEW / 10 and look.areas[0] >= _NEW else None


def read_examples(files: Sequence[Path]) -> list[Example]:
    """Returns the examples of stored clips."""
    out: list[Example] = []
    for file in files:
        about, looks = onset_examples.read(file)
        facts = {name: about[name] for name in ("recording", "generator", "codec")}
        for forth, back in zip(looks[::2], looks[1::2], strict=True):
            for look, other in ((forth, back), (back, forth)):
                out.append(Example(look, other, label_of(look), facts["recording"], facts))
    return out


def block_table(
    examples: Sequence[Example], rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns features of blocks, hard ones among them, and whether damage is new in them."""
    change = NAMES.index("excess")
    values: list[Floats] = []
    labels: list[NDArray[np.bool_]] = []
    for example in examples:
        look = example.look
        features = look.blocks.features
        new = np.argwhere((look.damaged >= _NEW_BLOCK) & (look.other_damaged == 0))
        whole = np.argwhere((look.damaged == 0) & (look.touched <= _WHOLE_BLOCK))
        new = rng.permutation(new)[:_DAMAGED]
        by_change = np.argsort(-features[whole[:, 0], whole[:, 1], change])[:_CHANGED]
        kept = np.concatenate([whole[by_change], rng.permutation(whole)[:_OTHERS]])
        for places, label in ((new, True), (kept, False)):
            values.append(features[places[:, 0], places[:, 1]])
            labels.append(np.full(len(places), label))
    return np.concatenate(values), np.concatenate(labels)


def learn_blocks(examples: Sequence[Example], rng: np.random.Generator, seed: int) -> HiddenLayer:
    """Returns the hidden layer."""
    values, labels = block_table(examples, rng)
    return learn_layer(values, labels, seed, hidden=_HIDDEN, rounds=_ROUNDS)


def learn_frames(values: Floats, labels: NDArray[np.bool_]) -> dict[str, Floats]:
    """Returns the tensors of the regression over frames, both classes weighing alike."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
    make: Any = LogisticRegression
    found = make(C=_STRENGTH, class_weight="balanced", max_iter=3000)
    found.fit(standardised(values, mean, scale), labels)
    return {
        "frame_mean": mean.astype(np.float32),
        "frame_scale": scale.astype(np.float32),
        "frame_weights": found.coef_[0].astype(np.float32),
        "frame_offset": found.intercept_.astype(np.float32),
    }


def described(layer: HiddenLayer, examples: Sequence[Example]) -> Floats:
    """Returns the features of frames that a hidden layer gives: (examples, features)."""
    rows: list[Floats] = []
    scores: dict[int, Floats] = {}
    for example in examples:
        pair = (example.look, example.other)
        for look in pair:
            if id(look) not in scores:
                scores[id(look)] = layer.of_blocks(look.blocks)
        ways = pair[0].blocks, pair[1].blocks
        own = [scores[id(look)] for look in pair]
        rows.append(frame_features(own, ways, np.array(example.look.logits, np.float32), 0))
    return np.stack(rows)


def learn(examples: Sequence[Example], seed: int) -> tuple[Onset, Floats]:
    """Returns the head, and the frames' features of layers that did not see their recording."""
    rng = np.random.default_rng(seed)
    folds = np.array([example.fold for example in examples])
    stacked: Floats | None = None
    for fold in range(FOLDS):
        own = [example for example in examples if example.fold == fold]
        if not own:
            continue
        others = [example for example in examples if example.fold != fold]
        found = described(learn_blocks(others, rng, seed), own)
        if stacked is None:
            stacked = np.zeros((len(examples), found.shape[1]), np.float32)
        stacked[folds == fold] = found
    assert stacked is not None
    sure = np.array([example.label is not None for example in examples])
    labels = np.array([example.label == 1 for example in examples])
    frames = learn_frames(stacked[sure], labels[sure])
    return Onset(learn_blocks(examples, rng, seed), **frames), stacked
