"""`defectscope monitor plan`: packs channels into tasks and writes what runs them on ECS."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from defectscope.errors import EXIT_OK, InvalidParameterError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what only a plan takes."""
    plan = parser.add_argument_group("plan", "defectscope monitor plan CHANNELS.toml --out FOLDER")
    plan.add_argument("--vcpu", type=int, default=4, metavar="N", help="of a task (default: 4)")
    plan.add_argument("--image", default="", metavar="URI", help="what the tasks run")
    plan.add_argument(
        "--out", type=Path, metavar="FOLDER", help="writes live.json, a CloudFormation template"
    )


def run(arguments: argparse.Namespace, place: str) -> int:
    """Prints the groups, and writes the template where it was asked for."""
    from rich.console import Console
    from rich.table import Table

    from defectscope.monitor.config import read_config
    from defectscope.monitor.config_source import config_source
    from defectscope.monitor.config_text import of_channels
    from defectscope.monitor.plan import UTILISATION, as_json, cores_of, packed, template

    source = config_source(place)
    text, _ = source.read()
    config = read_config(text, source.name)
    cores = {
        name: cores_of(c.format, c.looks.share if c.looks and not c.looks.endpoint else 0.0)
        for name, c in config.channels.items()
    }
    groups = packed(cores, arguments.vcpu)
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table("group", "channels", "cores", "memory", "which")
    for number, group in enumerate(groups, 1):
        which = ", ".join(group.names)
        shown = which if len(which) <= 60 else which[:57] + "..."
        memory = f"{group.memory_mb / 1024:.1f} GB"
        table.add_row(str(number), str(len(group.names)), f"{group.cores:.2f}", memory, shown)
    console.print(table)
    console.print(
        f"{len(cores)} channels, {sum(cores.values()):.1f} cores at full use;"
        f" {len(groups)} tasks of {arguments.vcpu} vCPU, {100 * UTILISATION:.0f} % of each used",
        highlight=False,
    )
    if arguments.out is None:
        return EXIT_OK
    if not arguments.image:
        raise InvalidParameterError("--out needs --image: what the tasks run")
    documents = [of_channels(text, group.names) for group in groups]
    clips = {c.clips.place for c in config.channels.values() if c.clips is not None}
    endpoints = {c.looks.endpoint for c in config.channels.values() if c.looks} - {""}
    size, image, outputs = arguments.vcpu, arguments.image, config.outputs
    made = as_json(template(groups, documents, size, image, clips, outputs, endpoints))
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "live.json"
    path.write_text(made)
    console.print(f"wrote {path}")
    return EXIT_OK
