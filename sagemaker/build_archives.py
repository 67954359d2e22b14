"""Builds archives/<name>/model.tar.gz for the detectors, each tested by a real prediction.

    python sagemaker/build_archives.py                     all of them
    python sagemaker/build_archives.py freeze loudness     some of them

What is up to date is left alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from defectscope.deploy.archives import build_archives, handler_names
from defectscope.errors import DefectscopeError


def main() -> int:
    """Parses the command line, builds, and prints one line per archive."""
    parser = argparse.ArgumentParser(
        description="Build the archives that TorchServe and SageMaker load.",
        epilog="Each archive is unpacked and makes one real prediction before it counts as built.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="what to build (default: every handler)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("archives"),
        help="folder to write to (default: %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="build again what is up to date")
    parser.add_argument(
        "--artifacts",
        type=Path,
        metavar="DIR",
        help="your own artifacts, as defectscope-train export writes them, or a folder of several",
    )
    options = parser.parse_args()
    names = options.names or list(handler_names())
    width = max(map(len, names))
    began_s = {name: time.monotonic() for name in names}

    def show(name: str, state: str) -> None:
        if state == "building":
            began_s[name] = time.monotonic()
        ended = state in ("built", "up to date")
        took = f" in {time.monotonic() - began_s[name]:.1f} s" if state == "built" else ""
        if ended or sys.stdout.isatty():
            end = "\n" if ended else ""
            print(f"\r{name:<{width}}  {state}{took:<12}", end=end, flush=True)

    try:
        archives = build_archives(
            options.output, names, force=options.force, artifacts=options.artifacts, progress=show
        )
    except DefectscopeError as error:
        print(f"\n{error.code}: {error.message}", file=sys.stderr)
        return 1
    total = sum(archive.size_bytes for archive in archives)
    print(f"{len(archives)} archives, {total / 1e6:.1f} MB, in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
