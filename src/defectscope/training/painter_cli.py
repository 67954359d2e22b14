"""The verbs `painter` and `paint` of `defectscope-train`: the learned maker of block corruption."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from defectscope.errors import InvalidParameterError
from defectscope.parameters import from_text
from defectscope.training.settings import named_values


def painter_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `painter` takes."""
    parser.add_argument("--work", type=Path, required=True, help="folder of patches and checkpoint")
    parser.add_argument(
        "--root", type=Path, action="append", required=True, help="folder of pristine recordings"
    )
    parser.add_argument("--clips", type=int, default=200, help="broken clips to learn from; 200")
    parser.add_argument(
        "--schedule", action="append", default=[], metavar="NAME=VALUE", help="steps, batch, ..."
    )
    parser.add_argument("--seed", type=int, default=1, help="of the clips and of training; 1")
    parser.add_argument("--out", type=Path, required=True, help="file to write (safetensors)")


def paint_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `paint` takes."""
    parser.add_argument("source", type=Path, help="a video, 8-bit 4:2:0")
    parser.add_argument("--painter", type=Path, required=True, help="what `painter` wrote")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--start", type=float, help="where it starts, seconds; default: centred")
    parser.add_argument("--duration", type=float, help="how long it lasts, seconds")
    parser.add_argument("--severity", type=float, default=3.0, help="1 to 5; 3")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="kind, area, strength, hold_frames",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of what is painted; 0")


def painter(options: argparse.Namespace, console: Console) -> None:
    """Teaches a painter and writes it."""
    from defectscope.training.block_corruption.painter_training import PainterPlan, taught

    if options.clips < 1:
        raise InvalidParameterError("--clips is at least 1")
    plan = from_text(PainterPlan(seed=options.seed), named_values(options.schedule))
    taught(options.root, options.work, options.clips, plan, options.out, console.print)


def paint(options: argparse.Namespace, console: Console) -> None:
    """Paints the defect into a copy of a video."""
    from defectscope.simulate.painted_blocks import paint_file

    truth = paint_file(
        options.painter, options.source, options.out, seed=options.seed, start_s=options.start,
        duration_s=options.duration, severity=options.severity, overrides=named_values(options.set),
    )  # fmt: skip
    for entry in truth:
        console.print(f"{options.out}: {entry.start_s:.3f} to {entry.end_s:.3f} s")
