"""The contract between the training system and a detector's recipe.

    corpora -> Recipe.prepare -> cache -> Recipe.batch -> Recipe.loss -> checkpoints
                                       -> Recipe.score -> early stopping
                                       -> Recipe.release -> model_artifacts/<name>/

A recipe lives in `defectscope.training.<detector>.recipe` as a class named `RECIPE`. It holds no
state of a run: whatever a batch needs comes from the cache and from the random generator that the
loop hands it, so a run that was killed goes on exactly as if it had not been.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol, cast

import numpy as np
import torch

from defectscope.errors import UnknownDetectorError
from defectscope.parameters import from_text, number, parameters, switch

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
LEARNED = ("audio_artifacts", "av_sync", "block_corruption")


@dataclass(frozen=True, slots=True)
class Recording:
    """One pristine file of a corpus.

    Attributes:
        path: Where it lies.
        corpus: Name of its corpus.
        key: Name within the corpus, stable between machines.
        group: Recordings of one group (one source, one speaker) never part.
        split: `train`, `validation` or `test`.
    """

    path: Path
    corpus: str
    key: str
    group: str
    split: Split

    @property
    def name(self) -> str:
        """Corpus and key, unique over all corpora."""
        return f"{self.corpus}/{self.key}"


@dataclass(frozen=True, slots=True)
class Item:
    """One prepared example: arrays in the cache and what is known of it.

    Attributes:
        key: Unique over the cache; decides where it is stored and that it is made only once.
        split: Its recording's split.
        arrays: Name -> array; stored as they are.
        facts: JSON-able truth: labels, parameters, family, severity step, source recording.
    """

    key: str
    split: Split
    arrays: Mapping[str, np.ndarray[Any, Any]]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PreparationJob:
    """A unit of preparation: made at once or, after a kill, made again.

    Attributes:
        key: Stable name of the unit.
        make: Returns the unit's items.
    """

    key: str
    make: Callable[[], Iterator[Item]]


class CacheView(Protocol):
    """What recipes see of the cache: facts in memory, arrays mapped from disk."""

    def facts(self, split: Split) -> Sequence[Mapping[str, Any]]:
        """Returns the facts of every item of a split, in a fixed order."""
        ...

    def array(self, split: Split, index: int, name: str) -> np.ndarray[Any, Any]:
        """Returns an array of the item at that place in `facts`, mapped and read-only."""
        ...


@parameters
class Schedule:
    """How long and how fast to train."""

    steps: Annotated[int, number(1, 10000000, "Optimiser steps, at most.")]
    batch: Annotated[int, number(1, 100000, "Examples a step.")]
    peak_rate: Annotated[
        float, number(0, 10, "Highest learning rate of the one-cycle schedule (AdamW).", above=True)
    ]
    weight_decay: Annotated[
        float, number(0, 10, "AdamW's decay on matrices and filters; none on gains and biases.")
    ] = 0.05
    warm_up: Annotated[float, number(0, 1, "Share of the steps during which the rate rises.")] = (
        0.15
    )
    score_every: Annotated[
        int, number(1, 1000000, "Steps between two scorings on the validation split.")
    ] = 250
    patience: Annotated[
        int,
        number(
            0, 1000000, "Scorings without a better objective after which training ends; 0 never."
        ),
    ] = 12
    averaging: Annotated[
        float,
        number(
            0,
            1,
            "Decay of the exponential moving average of the weights that is scored "
            "and shipped; 0 ships the raw weights.",
        ),
    ] = 0.998
    clip_norm: Annotated[
        float,
        number(0, 1000000, "Gradient norm above which gradients are scaled down.", above=True),
    ] = 5.0
    seed: Annotated[int, number(0, 4294967295, "Of everything that is drawn.")] = 1
    threads: Annotated[int, number(1, 1024, "CPU threads for PyTorch.")] = 1
    bf16: Annotated[bool, switch("Autocast to bfloat16 where the device computes it.")] = True
    checkpoint_s: Annotated[float, number(0, 86400, "Time between checkpoints.", "s")] = 60.0


@dataclass(frozen=True, slots=True)
class Release:
    """What a recipe has to say about weights that are about to ship.

    Attributes:
        version: Version of the artifact.
        thresholds: Operating thresholds, chosen on the validation split.
        severity: Severity rules by defect.
        calibration: Parameters that turn logits into probabilities.
        metrics: Measured on the test split.
        card: Markdown sections of CARD.md: heading -> body.
        extra: Further entries of detector.json.
        figures: File name -> bytes (PNG), put beside the card.
    """

    version: str
    thresholds: Mapping[str, float]
    severity: Mapping[str, Mapping[str, Any]]
    calibration: Mapping[str, Any]
    metrics: Mapping[str, Any]
    card: Mapping[str, str]
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    figures: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


class Recipe(Protocol):
    """What one learned detector brings.

    `settings` is a frozen dataclass: `--set name=value` on the command line replaces its fields,
    and it is written into every cache, checkpoint and artifact.
    """

    name: ClassVar[str]
    suffixes: ClassVar[frozenset[str]]  # of media files it learns from, lower case with dot
    settings: Any

    def __init__(self, settings: Any = None) -> None:
        """Takes its settings, None for the defaults."""
        ...

    def schedule(self) -> Schedule:
        """Returns the default schedule."""
        ...

    def preparation(self) -> Mapping[str, Any]:
        """Returns the settings that decide what the cache holds; others may change later."""
        ...

    def jobs(self, recordings: Sequence[Recording], seed: int) -> Sequence[PreparationJob]:
        """Returns the units of preparation: damage, encode, reduce to what training reads."""
        ...

    def build(self) -> torch.nn.Module:
        """Returns a fresh network (initialised from the global PyTorch seed)."""
        ...

    def batch(
        self, cache: CacheView, rng: np.random.Generator, size: int
    ) -> Mapping[str, torch.Tensor]:
        """Draws a training batch: crops and augmentations come from `rng` alone."""
        ...

    def loss(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Returns the loss to minimise and what else is worth plotting."""
        ...

    def score(self, model: torch.nn.Module, cache: CacheView, split: Split) -> Mapping[str, float]:
        """Scores a split; `objective` is what early stopping maximises."""
        ...

    def release(self, model: torch.nn.Module, cache: CacheView) -> Release:
        """Chooses thresholds and calibration on validation, measures on test, and describes."""
        ...


def recipe(name: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Returns the recipe of a learned detector.

    Args:
        name: The detector.
        overrides: Settings to replace, as text; each is parsed as its field's type.

    Raises:
        UnknownDetectorError: No learned detector has that name.
        InvalidParameterError: A setting is unknown or cannot be parsed.
    """
    if name not in LEARNED:
        raise UnknownDetectorError(f"no learned detector {name!r}; there are: {', '.join(LEARNED)}")
    module = importlib.import_module(f"defectscope.training.{name}.recipe")
    plain = cast("Recipe", module.RECIPE())
    if not overrides:
        return plain
    return cast("Recipe", module.RECIPE(from_text(plain.settings, overrides)))
