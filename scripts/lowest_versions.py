"""Prints the base install's requirements at the oldest versions that pyproject.toml declares."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

# botocore is boto3's own, of the same release.
_TOGETHER = {"boto3": ("boto3", "botocore")}


def lowest(requirements: list[str]) -> list[str]:
    """Returns each requirement with its lower bound as the version.

    Raises:
        ValueError: One has no lower bound.
    """
    found: list[str] = []
    for requirement in requirements:
        matched = re.fullmatch(r"([A-Za-z0-9._-]+)>=([0-9.]+)(,<[0-9.]+)?", requirement)
        if matched is None:
            raise ValueError(f"no lower bound: {requirement}")
        name, version = matched[1], matched[2]
        version += ".0" * (2 - version.count("."))
        found += [f"{each}=={version}" for each in _TOGETHER.get(name, (name,))]
    return found


if __name__ == "__main__":
    project = Path(__file__).parents[1] / "pyproject.toml"
    declared = tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]
    sys.stdout.write("\n".join(lowest(declared)) + "\n")
