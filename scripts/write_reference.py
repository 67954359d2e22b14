"""Writes the parts of the documentation that follow from the code, so that they cannot differ.

    python scripts/write_reference.py [--check]      or      make reference

- the tables of parameters in docs/detectors/ and docs/gallery.md;
- docs/cli.md, from `--help`;
- the parameters in docs/openapi.yaml, and docs/parameters.schema.json.

With --check it writes nothing and gives 1 where a file is not as it would be written.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from defectscope.cli.main import build_parser
from defectscope.cli.simulate import explain
from defectscope.detectors.registry import built_in, detector_class
from defectscope.parameters import schema, table
from defectscope.simulate.registry import simulator, simulators
from defectscope.training.cli import build_parser as build_training_parser

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MARK = "    # Written by `make reference`; edit src/defectscope/detectors/NAME/params.py instead.\n"


def files() -> dict[Path, str]:
    """Returns the contents of every file that is written, as they should be."""
    made = {DOCS / "detectors" / f"{name}.md": _page(name) for name in built_in()}
    made[DOCS / "gallery.md"] = _gallery()
    made[DOCS / "cli.md"] = _command_line()
    made[DOCS / "openapi.yaml"] = _openapi()
    text = json.dumps(_parameters_schema(), indent=2, ensure_ascii=False)
    made[DOCS / "parameters.schema.json"] = text + "\n"
    return made


def _page(name: str) -> str:
    text = (DOCS / "detectors" / f"{name}.md").read_text("utf-8")
    found = re.search(r"(?<=^## Parameters\n\n)(\|.*\n)+", text, re.MULTILINE)
    assert found is not None, f"docs/detectors/{name}.md has no table under ## Parameters"
    return text[: found.start()] + table(detector_class(name).Params) + text[found.end() :]


def _gallery() -> str:
    text = (DOCS / "gallery.md").read_text("utf-8")
    for name, made in simulators().items():
        # Up to the next heading there is one table.
        pattern = rf"(^## {name}\n(?:(?!## ).*\n)*?)((?:\|.*\n)+)"
        found = re.search(pattern, text, re.MULTILINE)
        assert found is not None, f"docs/gallery.md has no table under ## {name}: make gallery"
        text = text[: found.start(2)] + table(made.params) + text[found.end(2) :]
    return text


def _command_line() -> str:
    parts = [
        "# Command line\n\nWritten from `--help` by `make reference`. Exit statuses and error "
        "codes are the same everywhere; messages begin with `error[CODE]`.\n"
    ]
    for program in (build_parser(), build_training_parser()):
        parts.append(_help(program))
        for action in program._actions:  # argparse has no public way to its subcommands
            for command in _commands(action).values():
                parts.append(_help(command))
                for inner in command._actions:
                    parts += [_help(each) for each in _commands(inner).values()]
    parts.append(
        "\n## defectscope simulate freeze --help\n\nAfter the name of a defect, `--help` explains "
        f"that one:\n\n```text\n{explain(simulator('freeze'))}\n```\n"
    )
    return "".join(parts)


def _commands(action: argparse.Action) -> dict[str, argparse.ArgumentParser]:
    choices: Any = action.choices
    return choices if isinstance(action, vars(argparse)["_SubParsersAction"]) else {}


def _help(parser: argparse.ArgumentParser) -> str:
    lines = [line.rstrip() for line in parser.format_help().strip().splitlines()]
    return f"\n## {parser.prog}\n\n```text\n" + "\n".join(lines) + "\n```\n"


def _parameters_schema() -> dict[str, Any]:
    bounds = {"^severity\\.": {"type": "number", "minimum": 0, "maximum": 1e6}}
    return {
        "type": "object",
        "description": "Parameters by detector; those that are not given keep their defaults.",
        "properties": {
            name: schema(detector_class(name).Params) | {"patternProperties": bounds}
            for name in built_in()
        },
        # Detectors of other packages have parameters of their own.
        "additionalProperties": {"type": "object"},
    }


def _openapi() -> str:
    text = (DOCS / "openapi.yaml").read_text("utf-8").partition(MARK)[0]
    block = yaml.safe_dump(
        {"Parameters": _parameters_schema()}, sort_keys=False, allow_unicode=True, width=100
    )
    return text + MARK + "".join(f"    {line}\n" for line in block.splitlines())


def main() -> int:
    """Writes, or checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where files differ")
    only_check = parser.parse_args().check
    differ = [path for path, text in files().items() if _is_other(path, text)]
    for path in differ:
        sys.stdout.write(f"{path.relative_to(ROOT)}{' differs' if only_check else ''}\n")
        if not only_check:
            path.write_text(files()[path], "utf-8")
    return 1 if only_check and differ else 0


def _is_other(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text("utf-8") != text


if __name__ == "__main__":
    # Help is wrapped to the terminal's width otherwise.
    os.environ["COLUMNS"] = "100"
    sys.exit(main())
