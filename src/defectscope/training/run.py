"""A training run: the network, its running average, the optimiser and the batches drawn ahead."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from defectscope.errors import InvalidParameterError
from defectscope.training import checkpoint
from defectscope.training.contract import CacheView, Recipe, Schedule
from defectscope.training.precision import autocast


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: Optimiser steps done.
        steps: Steps in all.
        loss: Mean over the last lines' steps.
        objective: Last score on the validation split, NaN before the first.
        best: Best so far.
        examples_per_s: Over the last report's steps.
        remaining_s: At that speed.
    """

    step: int
    steps: int
    loss: float
    objective: float
    best: float
    examples_per_s: float
    remaining_s: float


class Run:
    """The moving parts of a run.

    Args:
        recipe: What is trained.
        schedule: How long and how fast.
        device: PyTorch device.
        start: Weights to begin with, as `train` says.
    """

    def __init__(
        self,
        recipe: Recipe,
        schedule: Schedule,
        device: str,
        start: Mapping[str, torch.Tensor] | None,
    ) -> None:
        self.recipe, self.schedule, self.device = recipe, schedule, device
        self.model = recipe.build()
        if start is not None:
            own = self.model.state_dict()
            fitting = {k: _grown(own[k], v) for k, v in start.items() if k in own}
            self.model.load_state_dict({**own, **fitting})
        self.model.to(device).train()
        self.averaged = copy.deepcopy(self.model).eval()
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": schedule.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=schedule.peak_rate,
            fused=False,
        )
        self.step = 0
        self.best = -math.inf
        self.best_step = 0
        self.objective = math.nan
        self.stale = 0
        self.best_weights: dict[str, torch.Tensor] | None = None
        self._drawer = ThreadPoolExecutor(1, "batches")
        self._coming: Future[tuple[int, Mapping[str, torch.Tensor]]] | None = None

    def rate(self) -> float:
        """Learning rate of the step to come: linear rise, then half a cosine to zero."""
        done = self.step / self.schedule.steps
        warm = self.schedule.warm_up
        if done < warm:
            return self.schedule.peak_rate * (0.04 + 0.96 * done / warm)
        phase = (done - warm) / max(1.0 - warm, 1e-9)
        return self.schedule.peak_rate * 0.5 * (1.0 + math.cos(math.pi * min(phase, 1.0)))

    def advance(self, cache: CacheView) -> dict[str, float]:
        """Does one optimiser step."""
        seed, batch = (self._coming or self._drawer.submit(self._draw, cache, self.step)).result()
        # The next batch is drawn while this one is learned from.
        self._coming = self._drawer.submit(self._draw, cache, self.step + 1)
        # Dropout and the like draw from PyTorch's generator: tie it to the step as well.
        torch.manual_seed(seed)
        batch = {k: v.to(self.device, non_blocking=True) for k, v in batch.items()}
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        with autocast(self.device, wanted=self.schedule.bf16):
            loss, more = self.recipe.loss(self.model, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip_norm)
        self.optimiser.step()
        self.step += 1
        self._average()
        return {"loss": float(loss.detach()), "gradient_norm": float(norm), **more}

    def _draw(self, cache: CacheView, step: int) -> tuple[int, Mapping[str, torch.Tensor]]:
        """Returns what a step learns from: a seed for PyTorch's generator, and the batch."""
        rng = np.random.default_rng([self.schedule.seed, step])
        return int(rng.integers(2**63)), self.recipe.batch(cache, rng, self.schedule.batch)

    def close(self) -> None:
        """Drops what was drawn ahead."""
        self._drawer.shutdown(cancel_futures=True)

    def _average(self) -> None:
        # A young average follows closely, so that the first scores mean something.
        decay = min(self.schedule.averaging, (1 + self.step) / (10 + self.step))
        if self.schedule.averaging == 0:
            decay = 0.0
        with torch.no_grad():
            own = self.model.state_dict()
            for name, kept in self.averaged.state_dict().items():
                if kept.dtype.is_floating_point:
                    kept.lerp_(own[name], 1.0 - decay)
                else:
                    kept.copy_(own[name])

    def score(self, cache: CacheView) -> dict[str, float]:
        """Scores the averaged weights on the validation split and remembers the best."""
        with torch.no_grad():
            scores = dict(self.recipe.score(self.averaged, cache, "validation"))
        self.objective = scores["objective"]
        if self.objective > self.best:
            self.best, self.best_step, self.stale = self.objective, self.step, 0
            self.best_weights = {k: v.clone() for k, v in self.averaged.state_dict().items()}
        else:
            self.stale += 1
        return scores

    def exhausted(self) -> bool:
        """Whether scores have stopped rising for as long as the schedule allows."""
        return 0 < self.schedule.patience <= self.stale

    def progress(self, loss: float, steps_per_s: float) -> Progress:
        """Returns where the run stands."""
        left = (self.schedule.steps - self.step) / max(steps_per_s, 1e-9)
        speed = steps_per_s * self.schedule.batch
        return Progress(
            self.step, self.schedule.steps, loss, self.objective, self.best, speed, left
        )

    def best_model(self) -> torch.nn.Module:
        """Returns the network with the best averaged weights."""
        if self.best_weights is not None:
            self.averaged.load_state_dict(self.best_weights)
        return self.averaged.eval()

    def _identity(self) -> dict[str, Any]:
        plan = asdict(self.schedule)
        # May change between two starts: a run can be shortened or drawn out, and the learning rate
        # follows the share that is done.
        for free in ("steps", "threads", "checkpoint_s"):
            plan.pop(free)
        return {
            "recipe": self.recipe.name,
            "settings": asdict(self.recipe.settings),
            "schedule": plan,
        }

    def state(self) -> dict[str, Any]:
        """Returns everything that going on needs."""
        return {
            "identity": repr(self._identity()),
            "step": self.step,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            "best_step": self.best_step,
            "best_weights": self.best_weights,
            "objective": self.objective,
            "stale": self.stale,
        }

    def resume(self, folder: Path) -> None:
        """Takes up the newest checkpoint, if there is one."""
        state = checkpoint.load(folder)
        if state is None:
            return
        if state["identity"] != repr(self._identity()):
            raise InvalidParameterError(
                f"{folder} holds a run with another schedule or other settings; take another --run"
            )
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.best, self.best_step = state["step"], state["best"], state["best_step"]
        self.best_weights, self.stale = state["best_weights"], state["stale"]
        self.objective = state["objective"]


def _grown(fresh: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Returns what a tensor held, in the shape of a fresh one that may be larger."""
    if kept.shape == fresh.shape:
        return kept
    pairs = list(zip(kept.shape, fresh.shape, strict=False))
    if kept.ndim != fresh.ndim or any(old > new for old, new in pairs):
        return fresh
    out = fresh.clone()
    # New outputs stay as they were drawn; what the old ones would hear of new inputs is nothing,
    # so that at first the network says what it said.
    if out.ndim > 1:
        out[: kept.shape[0]] = 0
    out[tuple(slice(old) for old in kept.shape)] = kept.to(out.dtype)
    return out
