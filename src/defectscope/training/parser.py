"""What `defectscope-train` takes: its verbs, their options, and their help."""

from __future__ import annotations

import argparse
from pathlib import Path

from defectscope.engine.artifacts import ENVIRONMENT
from defectscope.training import painter_cli
from defectscope.training.contract import LEARNED

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
        ("heads", "learn the heads that map damage and tell its beginnings and ends"),
        ("tune", "choose calibration and thresholds on whole programmes, into detector.json"),
        ("painter", "teach a generator to paint the defect as real decoders leave it"),
        ("paint", "paint the defect into a copy of a video, with its truth beside it"),
    ):
        verb = verbs.add_parser(name, help=summary, description=summary.capitalize() + ".")
        known = TUNED if name in ("heads", "tune", "painter", "paint") else LEARNED
        if name == "evaluate":
            verb.add_argument("detector", metavar="DETECTOR", help="any; `defectscope detectors`")
        else:
            verb.add_argument("detector", choices=known, metavar="DETECTOR", help=", ".join(known))
        _ARGUMENTS[name](verb)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, required=True, help="folder of cache and runs")
    parser.add_argument("--run", default="run", help="name of the run inside --work")
    parser.add_argument("--seed", type=int, default=1, help="of splits, simulation and training")
    _sources(parser)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the recipe"
    )


def _sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corpora", type=Path, help="corpora file (TOML); default: the released detector's own"
    )
    parser.add_argument(
        "--root", type=Path, action="append", default=[], help="where corpus folders are looked for"
    )
    parser.add_argument(
        "--folder", type=Path, action="append", default=[], help="your own pristine recordings"
    )


def _in_use(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--artifacts",
        type=Path,
        metavar="DIR",
        help=f"the artifact in use; default: {ENVIRONMENT} of the environment, then the released",
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
    _in_use(parser)


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--mean",
        type=Path,
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="a kept checkpoint of the run; again for more: their mean instead of the best score",
    )
    parser.add_argument(
        "--halfway",
        type=Path,
        metavar="WEIGHTS",
        help="the weights that the run began with: the mean of both is exported",
    )


def _heads_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, required=True, help="folder of the clips' examples")
    _sources(parser)
    parser.add_argument("--clips", type=int, default=600, help="clips in all; 600")
    parser.add_argument("--seed", type=int, default=1, help="of the clips and of training; 1")
    _in_use(parser)


def _tune_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, required=True, help="folder of clips and measurements")
    _sources(parser)
    parser.add_argument("--clips", type=int, default=5, help="clips of each recording; 5")
    parser.add_argument(
        "--seed", type=int, action="append", help="of the clips; again for more; 77"
    )
    _in_use(parser)


_ARGUMENTS = {
    "prepare": _prepare_arguments,
    "train": _train_arguments,
    "evaluate": _evaluate_arguments,
    "export": _export_arguments,
    "heads": _heads_arguments,
    "tune": _tune_arguments,
    "painter": painter_cli.painter_arguments,
    "paint": painter_cli.paint_arguments,
}
