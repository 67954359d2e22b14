"""Learns the small head that tells where damage begins and ends, and puts it beside the weights.

`defectscope-train onset block_corruption` runs it, after `train` and before `tune`. The hidden
layer learns on single blocks; how frames pool them is learned on blocks of recordings that the
layer did not see (stacking), so that it does not trust the layer more than it deserves. For the
same reason all of it learns on recordings of the validation and test splits: on those that the
network was trained on, its map and its decisions are better than they are elsewhere.

Source: Wolpert 1992, "Stacked generalization", Neural Networks 5.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from defectscope.detectors.block_corruption.blocks import NAMES
from defectscope.detectors.block_corruption.onset import Onset, frame_features, standardised
from defectscope.engine.artifacts import DOCUMENT, artifact_folder
from defectscope.errors import InvalidParameterError
from defectscope.training.block_corruption import onset_examples
from defectscope.training.block_corruption.onset_examples import Look
from defectscope.training.block_corruption.programmes import NAME, detector_in_use, recordings
from defectscope.training.block_corruption.sources import VIDEO_SUFFIXES
from defectscope.training.contract import Recording
from defectscope.training.corpora import Corpus

FILE = "onset.safetensors"
_FOLDS = 5
_HIDDEN, _ROUNDS, _DECAY = 24, 30, 1.0
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
        return int(hashlib.sha256(self.recording.encode()).hexdigest(), 16) % _FOLDS


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


def learn_blocks(values: Floats, labels: NDArray[np.bool_], seed: int) -> dict[str, Floats]:
    """Returns the tensors of the hidden layer."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-3
    make: Any = MLPClassifier
    layer = make(
        (_HIDDEN,),
        alpha=_DECAY,
        max_iter=_ROUNDS,
        learning_rate_init=2e-3,
        batch_size=512,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # So many rounds are meant: more of them learn the recordings.
        warnings.simplefilter("ignore", ConvergenceWarning)
        layer.fit(standardised(values, mean, scale), labels)
    inner, outer = layer.coefs_
    return {
        "mean": mean,
        "scale": scale,
        "inner": inner.astype(np.float32),
        "inner_offset": layer.intercepts_[0].astype(np.float32),
        "outer": outer[:, 0].astype(np.float32),
        "outer_offset": layer.intercepts_[1].astype(np.float32),
    }


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


def with_frames(blocks: dict[str, Floats]) -> Onset:
    """Returns a head of a hidden layer alone."""
    none = np.zeros(1, np.float32)
    return Onset(**blocks, frame_mean=none, frame_scale=none + 1, frame_weights=none,
                 frame_offset=none)  # fmt: skip


def described(head: Onset, examples: Sequence[Example]) -> Floats:
    """Returns the features of frames that a hidden layer gives: (examples, features)."""
    rows: list[Floats] = []
    scores: dict[int, Floats] = {}
    for example in examples:
        pair = (example.look, example.other)
        for look in pair:
            if id(look) not in scores:
                scores[id(look)] = head.of_blocks(look.blocks)
        ways = pair[0].blocks, pair[1].blocks
        own = [scores[id(look)] for look in pair]
        rows.append(frame_features(own, ways, np.array(example.look.logits, np.float32), 0))
    return np.stack(rows)


def learn(examples: Sequence[Example], seed: int) -> tuple[Onset, Floats]:
    """Returns the head, and the frames' features of layers that did not see their recording."""
    rng = np.random.default_rng(seed)
    folds = np.array([example.fold for example in examples])
    stacked: Floats | None = None
    for fold in range(_FOLDS):
        own = [example for example in examples if example.fold == fold]
        if not own:
            continue
        others = [example for example in examples if example.fold != fold]
        layer = with_frames(learn_blocks(*block_table(others, rng), seed))
        found = described(layer, own)
        if stacked is None:
            stacked = np.zeros((len(examples), found.shape[1]), np.float32)
        stacked[folds == fold] = found
    assert stacked is not None
    sure = np.array([example.label is not None for example in examples])
    labels = np.array([example.label == 1 for example in examples])
    frames = learn_frames(stacked[sure], labels[sure])
    layer_tensors = learn_blocks(*block_table(examples, rng), seed)
    return Onset(**layer_tensors, **frames), stacked


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


def onset_artifact(
    sources: Sequence[Corpus], work: Path, count: int, seed: int, report: Callable[[str], None]
) -> dict[str, Any]:
    """Learns the head and writes it beside detector.json, which names it and its hash.

    Args:
        sources: What the weights in use were trained on.
        work: Where examples are kept; a second run reads them.
        count: Clips.
        seed: Of the clips and of the layer.
        report: Takes a line for every clip that is made.

    Returns:
        What detector.json then says of it.

    Raises:
        InvalidParameterError: There are too few recordings, or nothing to learn from.
    """
    files = make_examples(unlearned(sources), work, count, seed, report)
    examples = read_examples(files)
    labels = [example.label for example in examples]
    parts = {example.fold for example in examples}
    if len(parts) < 2 or min(labels.count(0), labels.count(1)) < _FOLDS:
        raise InvalidParameterError(
            "the clips show too little damage, or too few recordings, to learn from; make more"
        )
    head, _ = learn(examples, seed)
    data = save(head.tensors())
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
    document["onset"] = entry
    (folder / DOCUMENT).write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    report(f"{folder / FILE}: {len(examples)} looks, {labels.count(1)} with new damage")
    return entry
