"""Makes every file that a detector needs, filled in so that all checks are green at once.

    python scripts/new_detector.py NAME [--root CHECKOUT]      or      make new-detector NAME=...

What comes out finds frames that are too bright: a small, real detector to be changed into yours.
The files are those under scripts/detector_template, one to one.
"""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent / "detector_template"
MAX_NAME_CHARACTERS = 40


class RefusedError(Exception):
    """The name cannot be a detector's."""


def main(argv: list[str] | None = None) -> int:
    """Makes the files; gives 2 where the name is refused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name", help="in snake_case, for example bright_frames")
    parser.add_argument("--root", type=Path, default=TEMPLATE.parents[1], help="the checkout")
    arguments = parser.parse_args(argv)
    try:
        check_name(arguments.name, arguments.root)
    except RefusedError as error:
        sys.stderr.write(f"new-detector: {error}\n")
        return 2
    for path in create(arguments.name, arguments.root):
        sys.stdout.write(f"{path.relative_to(arguments.root)}\n")
    return 0


def check_name(name: str, root: Path) -> None:
    """Checks that a name can be a package, a folder and a word on the command line.

    Raises:
        RefusedError: It cannot, or something of that name is there.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise RefusedError(
            f"{name!r} is not snake_case: lower-case letters, digits and single underscores, "
            "a letter first, for example bright_frames"
        )
    if len(name) > MAX_NAME_CHARACTERS:
        raise RefusedError(f"{name!r} is longer than {MAX_NAME_CHARACTERS} characters")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise RefusedError(f"{name!r} is a keyword of Python")
    if name in sys.stdlib_module_names:
        raise RefusedError(f"{name!r} is a module of Python's standard library")
    if name in ("all_detectors", "registry", "weights", "plugins"):
        raise RefusedError(f"{name!r} is taken: defectscope uses it for something else")
    for path in targets(name, root).values():
        if path.exists():
            raise RefusedError(f"{name!r} is taken: {path.relative_to(root)} is there")


def targets(name: str, root: Path) -> dict[Path, Path]:
    """Returns where each file of the template goes."""
    return {
        source: root / str(source.relative_to(TEMPLATE)).replace("NAME", name).removesuffix(".txt")
        for source in sorted(TEMPLATE.rglob("*.txt"))
    }


def create(name: str, root: Path) -> list[Path]:
    """Writes the files and returns their paths."""
    words = name.split("_")
    values = {
        "{{name}}": name,
        "{{class}}": "".join(word.capitalize() for word in words),
        "{{title}}": " ".join(words).capitalize(),
    }
    written: list[Path] = []
    for source, target in targets(name, root).items():
        text = source.read_text("utf-8")
        for token, value in values.items():
            text = text.replace(token, value)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        written.append(target)
    return written


if __name__ == "__main__":
    sys.exit(main())
