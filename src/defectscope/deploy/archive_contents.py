"""What goes into an archive: the handler, its detectors with their artifacts, and the package."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import defectscope
from defectscope.deploy.archive_plugins import (
    plugin_names,
    plugin_root,
    stage_plugin,
    stage_plugins_that_fit,
)
from defectscope.errors import DeployError, PluginError

ALL = "all_detectors"
"""The archive that has every detector."""

# What analyzing does not need: front ends, builders, training, and the launcher of TorchServe.
LEFT_OUT = {
    "_bundled",
    "cli",
    "client",
    "container",
    "deploy",
    "local",
    "report",
    "simulate",
    "training",
}
_BUNDLED = Path("defectscope/_bundled")
_SUFFIXES_KEPT = {".py", ".wasm", ".sha256", ".json", ".safetensors", ".txt", ".typed"}
# Counts ways of building: archives of another are built again.
_FORMAT = 2
_OTHER_DETECTOR = re.compile(r"\bdefectscope\.detectors\.(\w+)")


def folder_of(kind: str) -> Path:
    """Returns where `handlers` or `model_artifacts` lie, in a checkout or in an installation."""
    # Loaded here: everything else in deploy works without the engine.
    from defectscope.engine.artifacts import bundled

    return bundled(cast("Any", kind))


def artifact_of(name: str, artifacts: Path | None = None) -> Path | None:
    """Returns the file that says what a detector or renderer is; None where there is none.

    That of a detector of another package lies in its own package, the user's own in `artifacts`.
    """
    from defectscope.engine.artifacts import artifact_folder

    try:
        folder = artifact_folder(name, artifacts)
    except PluginError:
        return None
    for file in ("detector.json", "renderer.json"):
        if (folder / file).is_file():
            return folder / file
    return None


def version_of(name: str, artifacts: Path | None = None) -> str:
    """Returns the version of a detector's or renderer's artifact, or the package's for all.

    Raises:
        DeployError: The artifact is broken.
    """
    if name == ALL:
        return defectscope.__version__
    path = artifact_of(name, artifacts) or folder_of("model_artifacts") / name / "detector.json"
    try:
        return str(json.loads(path.read_text("utf-8"))["version"])
    except (OSError, ValueError, KeyError) as error:
        raise DeployError(f"{path}: not a detector's artifact ({error})") from None


def stage(name: str, staged: Path, artifacts: Path | None = None) -> None:
    """Lays out what goes into the archive, beside the handler and its configuration.

    Args:
        name: Of the handler.
        staged: Folder to lay it out in.
        artifacts: The user's own artifacts, in place of the released ones.

    Raises:
        DeployError: The detector is of a package whose code an archive cannot bring.
    """
    package = Path(defectscope.__file__).resolve().parent
    if name in plugin_names():
        stage_plugin(name, staged)
    elif name == ALL:
        stage_plugins_that_fit(staged)
    detectors = None if name == ALL else _with_dependencies(name, package)
    for source in _package_files(package, detectors):
        _copy(source, staged / "defectscope" / source.relative_to(package))
    from defectscope.engine.artifacts import OWN, own_artifacts

    released = folder_of("model_artifacts")
    chosen = sorted(p.name for p in released.iterdir() if (p / "detector.json").is_file())
    wanted = chosen if detectors is None else sorted(detectors)
    for folder in wanted:
        _copy_artifact(released / folder, staged / _BUNDLED / "model_artifacts" / folder)
    for folder, source in own_artifacts(artifacts).items():
        if folder in wanted or folder in plugin_names():
            _copy_artifact(source, staged / _BUNDLED / OWN / folder)
    for file in ("handler.py", "model-config.yaml"):
        if not (staged / file).exists():
            _copy(folder_of("handlers") / name / file, staged / file)


def _package_files(package: Path, detectors: set[str] | None) -> Iterator[Path]:
    for source in sorted(package.rglob("*")):
        if not source.is_file() or source.suffix not in _SUFFIXES_KEPT:
            continue
        folder, *inner = source.relative_to(package).parts
        if folder in LEFT_OUT:
            continue
        nested = folder == "detectors" and len(inner) > 1
        if nested and detectors is not None and inner[0] not in detectors:
            continue
        yield source


def _with_dependencies(name: str, package: Path) -> set[str]:
    """The detector's folder and those that its modules import from."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        folder = waiting.pop()
        found.add(folder)
        offered = folder in plugin_names()
        code = plugin_root(folder) if offered else package / "detectors" / folder
        for source in code.rglob("*.py"):
            for other in _OTHER_DETECTOR.findall(source.read_text("utf-8")):
                if other not in found and (package / "detectors" / other).is_dir():
                    waiting.append(other)
    return found


def _copy_artifact(source: Path, target: Path) -> None:
    for file in sorted(source.rglob("*")):
        if file.is_file() and file.suffix in _SUFFIXES_KEPT:
            _copy(file, target / file.relative_to(source))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def tree_sha256(staged: Path, version: str) -> str:
    """Returns the hash of everything that an archive is built from, and of how it is."""
    digest = hashlib.sha256(f"{version} {sys.version_info[:2]} {_FORMAT}\n".encode())
    for source in sorted(p for p in staged.rglob("*") if p.is_file()):
        entry = source.relative_to(staged).as_posix()
        digest.update(f"{hashlib.sha256(source.read_bytes()).hexdigest()}  {entry}\n".encode())
    return digest.hexdigest()
