"""`defectscope detectors`: what can be found, and every parameter with its meaning."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from typing import Any

from defectscope.errors import EXIT_OK


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "detectors",
        help="list the detectors, or one with its parameters",
        description="Lists every detector with its defects, or explains one and its parameters.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the detector to explain")
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of its parameters instead"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the list or the explanation."""
    from rich.console import Console
    from rich.table import Table

    from defectscope.detectors import detector_class, load, names, not_installed, unfit_plugins
    from defectscope.detectors.registry import built_in
    from defectscope.engine.artifacts import tuned
    from defectscope.engine.plugins import discovered
    from defectscope.parameters import described, schema

    # Piped output is for other programs: no wrapping to a width nobody sees.
    console = Console(width=None if sys.stdout.isatty() else 160)
    if arguments.name is None:
        table = Table(title="Detectors", title_justify="left")
        for heading in ("name", "finds", "needs", "version"):
            table.add_column(heading, no_wrap=heading != "finds")
        for name in names():
            detector = load(name)
            needs = ", ".join(sorted(detector.needs.media)) or "any stream"
            table.add_row(name, ", ".join(detector.defects), needs, tuned(name).version)
        console.print(table)
        for name in (n for n in names() if n not in built_in()):
            plugin = discovered().plugins[name]
            console.print(f"{name} comes from the package {plugin.package} {plugin.version}.")
        for error in unfit_plugins():
            console.print(f"left out: {error.message}", style="yellow", highlight=False)
        for name, how in not_installed().items():
            console.print(f"{name} cannot run here yet: pip install {how}", style="yellow")
        console.print("`defectscope detectors NAME` explains one and its parameters.", style="dim")
        return EXIT_OK
    kind = detector_class(arguments.name)
    if arguments.schema:
        sys.stdout.write(json.dumps(schema(kind.Params), indent=2, ensure_ascii=False) + "\n")
        return EXIT_OK
    console.print(inspect.getdoc(sys.modules[kind.__module__]) or "", highlight=False)
    table = Table(title="\nParameters", title_justify="left")
    for heading in ("parameter", "default", "range", "meaning"):
        table.add_column(heading, no_wrap=heading in ("parameter", "default"))
    for parameter in described(kind.Params):
        shown = (parameter.name, f"{parameter.default!r}", parameter.allowed, parameter.meaning)
        table.add_row(*shown)
    console.print(table)
    console.print(f"Set one with --set {arguments.name}.PARAMETER=VALUE.", style="dim")
    return EXIT_OK
