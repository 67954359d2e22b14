"""`defectscope-train`: the learned detectors, and the learned painter of block corruption."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from defectscope.errors import EXIT_OK, DefectscopeError, InvalidParameterError
from defectscope.parameters import from_text
from defectscope.training import corpora as corpora_module
from defectscope.training import painter_cli
from defectscope.training.cache import Cache
from defectscope.training.contract import LEARNED, Recipe, Schedule, recipe
from defectscope.training.settings import named_values

_DEFAULT_CACHE_GB = 4.0
# The others choose their thresholds on export; block corruption wants whole programmes.
TUNED = ("block_corruption",)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser; its help is the documentation of every option."""
    parser = argparse.ArgumentParser(
        prog="defectscope-train",
        description="Trains the learned detectors on your own pristine content, or on ours. "
        "Every verb can be killed at any moment and started again.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, summary in (
        ("prepare", "simulate defects into a cache"),
        ("train", "train on the cache, or go on"),
        ("evaluate", "measure a detector on labelled media: a folder with truth files"),
        ("export", "write weights, detector.json and CARD.md"),
        ("onset", "learn the head that tells where damage begins and ends, beside the weights"),
        ("tune", "choose calibration and thresholds on whole programmes, into detector.json"),
        ("painter", "teach a generator to paint the defect as real decoders leave it"),
        ("paint", "paint the defect into a copy of a video, with its truth beside it"),
    ):
        verb = verbs.add_parser(name, help=summary, description=summary.capitalize() + ".")
        known = TUNED if name in ("onset", "tune", "painter", "paint") else LEARNED
        verb.add_argument("detector", choices=known, metavar="DETECTOR", help=", ".join(known))
        _ARGUMENTS[name](verb)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, required=True, help="folder of cache and runs")
    parser.add_argument("--run", default="run", help="name of the run inside --work")
    parser.add_argument("--seed", type=int, default=1, help="of splits, simulation and training")
    parser.add_argument(
        "--corpora", type=Path, help="corpora file (TOML); default: the released detector's own"
    )
    parser.add_argument(
        "--root", type=Path, action="append", default=[], help="where corpus folders are looked for"
    )
    parser.add_argument(
        "--folder", type=Path, action="append", default=[], help="your own pristine recordings"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the recipe"
    )


def _prepare_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--max-gb", type=float, default=_DEFAULT_CACHE_GB, help="size of the cache")


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument(
        "--schedule", action="append", default=[], metavar="NAME=VALUE", help="steps, batch, ..."
    )
    parser.add_argument("--device", help="PyTorch device; default: CUDA when there is one")
    parser.add_argument("--start", type=Path, help="pretrained weights (safetensors) to begin with")
    parser.add_argument("--take-up", type=Path, help="go on with a run that was handed over")
    parser.add_argument("--hand-over", type=Path, help="write what going on elsewhere needs")


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("media", type=Path, help="folder of media, each with FILE.truth.json")
    parser.add_argument("--json", type=Path, help="write the tables as JSON, too")


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--out", type=Path, required=True, help="model_artifacts/DETECTOR")


def _onset_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, required=True, help="folder of the clips' examples")
    parser.add_argument(
        "--root", type=Path, action="append", required=True, help="folder of pristine recordings"
    )
    parser.add_argument("--clips", type=int, default=600, help="clips in all; 600")
    parser.add_argument("--seed", type=int, default=1, help="of the clips and of training; 1")


def _tune_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, required=True, help="folder of clips and measurements")
    parser.add_argument(
        "--root", type=Path, action="append", default=[], help="where corpus folders are looked for"
    )
    parser.add_argument("--clips", type=int, default=5, help="clips of each recording; 5")
    parser.add_argument(
        "--seed", type=int, action="append", help="of the clips; again for more; 77"
    )


_ARGUMENTS = {
    "prepare": _prepare_arguments,
    "train": _train_arguments,
    "evaluate": _evaluate_arguments,
    "export": _export_arguments,
    "onset": _onset_arguments,
    "tune": _tune_arguments,
    "painter": painter_cli.painter_arguments,
    "paint": painter_cli.paint_arguments,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = build_parser().parse_args(argv)
    console = Console(stderr=True)
    try:
        _VERBS[options.verb](options, console)
    except DefectscopeError as error:
        console.print(f"{error.code}: {error.message}", style="red", markup=False)
        return error.exit_code
    return EXIT_OK


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
    chosen, cache, sources = open_work(options)
    found = corpora_module.recordings(sources, chosen.suffixes, seed=options.seed)
    console.print(f"{len(found)} recordings of {len(sources)} corpora")
    jobs = chosen.jobs(found, options.seed)
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

    result = evaluate_folder(options.detector, options.media)
    for table in tables(result):
        console.print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def _export(options: argparse.Namespace, console: Console) -> None:
    from defectscope.training.export import export

    chosen, cache, sources = open_work(options)
    entry = export(chosen, cache, options.work / options.run, options.out, sources, options.seed)
    console.print(f"{options.out}: {entry['file']} {entry['bytes'] / 1e6:.2f} MB {entry['sha256']}")


def _onset(options: argparse.Namespace, console: Console) -> None:
    from defectscope.training.block_corruption.onset_training import onset_artifact

    if options.clips < 1:
        raise InvalidParameterError("--clips is at least 1")
    found = onset_artifact(options.root, options.work, options.clips, options.seed, console.print)
    console.print_json(data=found)


def _tune(options: argparse.Namespace, console: Console) -> None:
    from defectscope.training.block_corruption.tuning import tune_artifact

    if options.clips < 1:
        raise InvalidParameterError("--clips is at least 1")
    seeds = options.seed or [77]
    found = tune_artifact(options.root, options.work, options.clips, seeds, console.print)
    console.print_json(data=found)


_VERBS: dict[str, Any] = {
    "prepare": _prepare,
    "train": _train,
    "evaluate": _evaluate,
    "export": _export,
    "onset": _onset,
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
