"""The training loop: one-cycle AdamW with weight averaging, resumable after a kill at any moment.

Every batch is drawn by a generator seeded with (seed, step), so a resumed run sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

import copy
import math
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from defectscope.errors import InvalidParameterError
from defectscope.training import checkpoint
from defectscope.training.contract import CacheView, Recipe, Schedule
from defectscope.training.journal import Journal

# Steps between two lines of training metrics.
_REPORT_EVERY = 25


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        model: The averaged weights with the best validation score, in evaluation mode.
        step: Steps done.
        best_step: Step of the best score.
        best: Its objective.
        finished: False when it was asked to stop before the end.
    """

    model: torch.nn.Module
    step: int
    best_step: int
    best: float
    finished: bool


def train(
    recipe: Recipe,
    cache: CacheView,
    folder: Path,
    schedule: Schedule,
    *,
    device: str | None = None,
    start: Mapping[str, torch.Tensor] | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Trains, or goes on with what the folder's checkpoints hold.

    SIGTERM and SIGINT end the run after the step in hand with a checkpoint; after SIGKILL at most
    `schedule.checkpoint_s` seconds are lost.

    Args:
        recipe: What is trained.
        cache: Prepared examples.
        folder: Of the run: checkpoints, metrics.jsonl, metrics.png.
        schedule: How long and how fast.
        device: PyTorch device; CUDA when there is one, else the CPU.
        start: Pretrained weights to begin with. A layer that has grown since keeps what it had
            and does not listen to its new inputs yet; names that the network lacks, or that have
            shrunk, are left out.
        report: Called with the run's progress now and then.

    Raises:
        InvalidParameterError: The folder holds a run with another schedule or other settings.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(schedule.threads)
    torch.manual_seed(schedule.seed)
    journal = Journal(folder)
    run = _Run(recipe, schedule, device, start)
    run.resume(folder)
    journal.rewind(run.step)
    told, told_step, last_save = time.monotonic(), run.step, time.monotonic()
    losses: list[Mapping[str, float]] = []
    with _stop_on_signal() as stopping:
        while run.step < schedule.steps and not run.exhausted():
            losses.append(run.advance(cache))
            if run.step % _REPORT_EVERY == 0:
                now = time.monotonic()
                speed = (run.step - told_step) / max(now - told, 1e-9)
                told, told_step = now, run.step
                means = {k: float(np.mean([row[k] for row in losses])) for k in losses[0]}
                journal.add(run.step, "train", {**means, "rate": run.rate()})
                losses.clear()
                if report is not None:
                    report(run.progress(means["loss"], speed))
            if run.step % schedule.score_every == 0 or run.step == schedule.steps:
                journal.add(run.step, "validation", run.score(cache))
                journal.draw()
                told, told_step = time.monotonic(), run.step
            if stopping() or time.monotonic() - last_save > schedule.checkpoint_s:
                checkpoint.save(folder, run.step, run.state())
                last_save = time.monotonic()
            if stopping():
                break
    checkpoint.save(folder, run.step, run.state())
    finished = run.step >= schedule.steps or run.exhausted()
    return Outcome(run.best_model(), run.step, run.best_step, run.best, finished)


def best_model(recipe: Recipe, folder: Path) -> torch.nn.Module:
    """Gives the best weights of a run in evaluation mode, finished or not.

    Raises:
        InvalidParameterError: The folder holds no checkpoint.
    """
    state = checkpoint.load(folder)
    if state is None:
        raise InvalidParameterError(f"{folder} holds no checkpoint: train first")
    model = recipe.build()
    model.load_state_dict(state["best_weights"] or state["averaged"])
    return model.eval()


def _grown(fresh: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Gives what a tensor held, in the shape of a fresh one that may be larger."""
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


class _Run:
    """The moving parts of a run."""

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
        rng = np.random.default_rng([self.schedule.seed, self.step])
        # Dropout and the like draw from PyTorch's generator: tie it to the step as well.
        torch.manual_seed(int(rng.integers(2**63)))
        batch = self.recipe.batch(cache, rng, self.schedule.batch)
        batch = {k: v.to(self.device, non_blocking=True) for k, v in batch.items()}
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.schedule.bf16):
            loss, more = self.recipe.loss(self.model, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip_norm)
        self.optimiser.step()
        self.step += 1
        self._average()
        return {"loss": float(loss.detach()), "gradient_norm": float(norm), **more}

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
        """Gives where the run stands."""
        left = (self.schedule.steps - self.step) / max(steps_per_s, 1e-9)
        speed = steps_per_s * self.schedule.batch
        return Progress(
            self.step, self.schedule.steps, loss, self.objective, self.best, speed, left
        )

    def best_model(self) -> torch.nn.Module:
        """Gives the network with the best averaged weights."""
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
        """Gives everything that going on needs."""
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


@contextmanager
def _stop_on_signal() -> Generator[Callable[[], bool]]:
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    try:
        before = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: whoever owns the process handles its signals
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
