"""The training loop: one-cycle AdamW with weight averaging, resumable after a kill at any moment.

Every batch is drawn by a generator seeded with (seed, step), so a resumed run sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import torch

from defectscope.errors import InvalidParameterError
from defectscope.training import checkpoint
from defectscope.training.contract import CacheView, Recipe, Schedule
from defectscope.training.journal import Journal
from defectscope.training.run import Progress, Run

# Steps between two lines of training metrics.
_REPORT_EVERY = 25


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
    run = Run(recipe, schedule, device, start)
    run.resume(folder)
    journal.rewind(run.step)
    told, told_step, last_save = time.monotonic(), run.step, time.monotonic()
    losses: list[Mapping[str, float]] = []
    with _stop_on_signal() as stopping, contextlib.closing(run):
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
    """Returns the best weights of a run in evaluation mode, finished or not.

    Raises:
        InvalidParameterError: The folder holds no checkpoint.
    """
    state = checkpoint.load(folder)
    if state is None:
        raise InvalidParameterError(f"{folder} holds no checkpoint: train first")
    model = recipe.build()
    model.load_state_dict(state["best_weights"] or state["averaged"])
    return model.eval()


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
