"""`defectscope-train`: the learned detectors, and the learned painter of block corruption."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from defectscope.engine.artifacts import ENVIRONMENT, own_artifacts
from defectscope.errors import EXIT_OK, DefectscopeError, InvalidParameterError
from defectscope.parameters import from_text
from defectscope.training import corpora as corpora_module
from defectscope.training import painter_cli
from defectscope.training.cache import Cache
from defectscope.training.contract import Recipe, Schedule, recipe
from defectscope.training.parser import build_parser
from defectscope.training.settings import named_values

# As shells have it for a process that Ctrl-C ended: 128 and the signal's number.
_INTERRUPTED = 130
# As many missed events and false findings are printed; the JSON has them all.
_LISTED = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = build_parser().parse_args(argv)
    console = Console(stderr=True)
    try:
        with _in_use(getattr(options, "artifacts", None)):
            _VERBS[options.verb](options, console)
    except DefectscopeError as error:
        console.print(f"{error.code}: {error.message}", style="red", markup=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("stopped; run the same command to go on")
        return _INTERRUPTED
    return EXIT_OK


@contextmanager
def _in_use(artifacts: Path | None) -> Generator[None]:
    """Takes the artifacts named as the ones in use, as the environment would name them."""
    before = os.environ.get(ENVIRONMENT)
    if artifacts is not None:
        own_artifacts(artifacts)
        os.environ[ENVIRONMENT] = str(artifacts)
    try:
        yield
    finally:
        if before is not None:
            os.environ[ENVIRONMENT] = before
        elif artifacts is not None:
            del os.environ[ENVIRONMENT]


def _corpora(options: argparse.Namespace) -> list[corpora_module.Corpus]:
    chosen = [corpora_module.own_folder(folder) for folder in options.folder]
    file = options.corpora
    if file is None and not chosen:
        file = Path(__file__).parent / options.detector / "recipe.toml"
    if file is not None:
        chosen += corpora_module.read_corpora(file, options.root)
    return chosen


def open_work(
    options: argparse.Namespace,
) -> tuple[Recipe, Cache, list[corpora_module.Corpus]]:
    """Returns recipe, cache and corpora as the command line names them."""
    chosen = recipe(options.detector, named_values(options.set))
    sources = _corpora(options)
    identity = {
        "detector": options.detector,
        "preparation": dict(chosen.preparation()),
        "seed": options.seed,
        "corpora": [corpus.describe() for corpus in sources],
    }
    return chosen, Cache(options.work / "cache", identity), sources


def _prepare(options: argparse.Namespace, console: Console) -> None:
    chosen, sources = recipe(options.detector, named_values(options.set)), _corpora(options)
    found = corpora_module.recordings(sources, chosen.suffixes, seed=options.seed)
    found, unreadable = corpora_module.without_unreadable(found)
    console.print(f"{len(found)} recordings of {len(sources)} corpora")
    for message in unreadable:
        console.print(f"left out: {message}", markup=False, soft_wrap=True)
    jobs = chosen.jobs(found, options.seed)
    # Only now: a mistake in what was asked for leaves no cache behind.
    _, cache, _ = open_work(options)
    with _bars(console) as bars:
        task = bars.add_task("prepare", total=len(jobs), detail="")

        def show(done: int, total: int, size: int) -> None:
            bars.update(task, completed=done, total=total, detail=f"{size / 1e9:.2f} GB")

        whole = cache.fill(jobs, max_bytes=int(options.max_gb * 1e9), progress=show)
    console.print("complete" if whole else f"stopped at --max-gb {options.max_gb:g}")


def _train(options: argparse.Namespace, console: Console) -> None:
    from safetensors.torch import load_file

    from defectscope.training.handover import hand_over, take_up
    from defectscope.training.loop import train
    from defectscope.training.run import Progress

    chosen, cache, _ = open_work(options)
    cache.require("train")
    cache.require("validation")
    plan = dataclasses.replace(chosen.schedule(), seed=options.seed)
    schedule: Schedule = from_text(plan, named_values(options.schedule))
    start = load_file(options.start) if options.start else None
    folder = options.work / options.run
    if options.take_up is not None:
        take_up(options.take_up, folder)
    with _bars(console) as bars:
        task = bars.add_task("train", total=schedule.steps, detail="")

        def show(progress: Progress) -> None:
            bars.update(
                task,
                completed=progress.step,
                detail=f"loss {progress.loss:.4f}  score {_score(progress.objective)}  "
                f"best {_score(progress.best)}  {progress.examples_per_s:.0f}/s",
            )

        outcome = train(
            chosen, cache, folder, schedule, device=options.device, start=start, report=show
        )
    if options.hand_over is not None:
        size = hand_over(folder, options.hand_over)
        console.print(f"{options.hand_over}: {size / 1e6:.2f} MB")
    state = "finished" if outcome.finished else "stopped; run the same command to go on"
    best = _score(outcome.best)
    console.print(f"{state}: step {outcome.step}, best {best} at {outcome.best_step}")


def _score(value: float) -> str:
    """Returns a score, or that nothing was scored so far."""
    return f"{value:.4f}" if math.isfinite(value) else "not yet"


def _evaluate(options: argparse.Namespace, console: Console) -> None:
    from defectscope.training.evaluate import evaluate_folder, tables

    with _bars(console) as bars:
        task = bars.add_task("evaluate", total=None, detail="")

        def show(done: int, total: int, name: str) -> None:
            bars.update(task, completed=done, total=total, detail=name)

        result = evaluate_folder(options.detector, options.media, show)
        bars.update(task, completed=result["files"] + len(result["unreadable"]), detail="")
    for table in tables(result):
        console.print(table)
    for kind in ("missed", "false"):
        for each in result[kind][:_LISTED]:
            span = f"{each['start_s']:.2f} to {each['end_s']:.2f} s"
            line = f"{kind}: {each['file']}, {each['defect']}, {span}"
            console.print(line, markup=False, soft_wrap=True)
        if len(result[kind]) > _LISTED:
            console.print(f"{len(result[kind]) - _LISTED} more are {kind}; --json lists them all")
    for message in result["unreadable"]:
        console.print(f"left out: {message}", markup=False, soft_wrap=True)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def _export(options: argparse.Namespace, console: Console) -> None:
    from defectscope.training.export import export

    chosen, cache, sources = open_work(options)
    console.print("measuring on the validation and test splits; this takes minutes")
    run, seed = options.work / options.run, options.seed
    began = options.halfway
    entry = export(chosen, cache, run, options.out, sources, seed, options.mean, began)
    console.print(f"{options.out}: {entry['file']} {entry['bytes'] / 1e6:.2f} MB {entry['sha256']}")


def _heads(options: argparse.Namespace, console: Console) -> None:
    from defectscope.training.block_corruption.heads_training import heads_artifact

    if options.clips < 1:
        raise InvalidParameterError("--clips is at least 1")
    sources, work = _corpora(options), options.work
    found = heads_artifact(sources, work, options.clips, options.seed, console.print)
    console.print_json(data=found)


def _tune(options: argparse.Namespace, console: Console) -> None:
    from defectscope.training.block_corruption.tuning import tune_artifact

    if options.clips < 1:
        raise InvalidParameterError("--clips is at least 1")
    seeds = options.seed or [77]
    found = tune_artifact(_corpora(options), options.work, options.clips, seeds, console.print)
    console.print_json(data=found)


_VERBS: dict[str, Any] = {
    "prepare": _prepare,
    "train": _train,
    "evaluate": _evaluate,
    "export": _export,
    "heads": _heads,
    "tune": _tune,
    "painter": painter_cli.painter,
    "paint": painter_cli.paint,
}


def _bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
        console=console,
        refresh_per_second=2,
    )


if __name__ == "__main__":
    sys.exit(main())
