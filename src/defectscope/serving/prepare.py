"""Converts the networks once, while an image is built, so that no container does when it starts.

    python -m defectscope.serving.prepare FOLDER

The sample is analyzed with every detector, what it has no need of is loaded besides, and the
converted networks are left in the folder; at run time `DEFECTSCOPE_NETWORKS` names it. What was
compiled for this processor is removed: containers run on others.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from defectscope import file_cache
from defectscope.analysis import analyze
from defectscope.detectors.registry import load_all
from defectscope.engine.contracts import PreparingMore
from defectscope.serving.sample import sample_avi

_CONVERTED = ".network"


def prepare(folder: Path) -> list[str]:
    """Returns the names of the converted networks that the folder holds now.

    The environment's `DEFECTSCOPE_CACHE` is set to it. Any user may read the files, none but this
    one write them.

    Raises:
        DefectscopeError: The sample cannot be analyzed.
    """
    os.environ[file_cache.ENVIRONMENT] = str(folder)
    analyze(sample_avi())
    for detector in load_all():
        if isinstance(detector, PreparingMore):
            detector.prepare_rest()
    folder.chmod(0o755)
    for path in folder.iterdir():
        if path.suffix == _CONVERTED:
            path.chmod(0o644)
        else:
            path.unlink()
    return sorted(path.name for path in folder.iterdir())


def main(arguments: list[str]) -> int:
    """Prepares the folder that is named; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}")
        return 2
    names = prepare(Path(arguments[0]))
    sys.stdout.write("".join(f"{name}\n" for name in names))
    return 0 if names else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
