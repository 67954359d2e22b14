"""Builds the archives that TorchServe loads and SageMaker deploys, and proves that they predict.

    handlers/<name>/ + model_artifacts/<name>/ + the package   ->   staged folder
    torch-model-archiver                                       ->   <name>.mar, made reproducible
    <name>/model.tar.gz                                        ->   the .mar at its root

An archive brings defectscope along: the image needs third-party packages only. It counts as built
when a bare interpreter has unpacked it and made a real prediction with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from defectscope.deploy.archive_bytecode import byte_code
from defectscope.deploy.archive_contents import (
    ALL,
    artifact_of,
    folder_of,
    stage,
    tree_sha256,
    version_of,
)
from defectscope.deploy.archive_packing import reproducible, run_archiver, write_tar
from defectscope.deploy.archive_plugins import plugin_names
from defectscope.errors import DeployError

MANIFEST = "manifest.json"
_SMOKE_TIMEOUT_S = 300
_BOOT = """
import sys
sys.path.insert(0, sys.argv[1])
sys.path += sys.argv[3].split(":")
from defectscope.serving.smoke import main
sys.exit(main([sys.argv[1], sys.argv[2], *sys.argv[4:]]))
"""

Progress = Callable[[str, str], None]
"""Called with an archive's name and what happens to it: `building`, `testing`, `built`, ..."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One built archive.

    Attributes:
        name: Model name, as in handlers/.
        version: Of the detector's artifact; of the package for `all_detectors`.
        sha256: Of the contents: names and bytes of every file, free of dates.
        mar: The .mar, relative to the output folder.
        model_data: The model.tar.gz that SageMaker takes, relative to the output folder.
        size_bytes: Of model.tar.gz.
        inputs_sha256: Of what it was built from; equal inputs are not built again.
    """

    name: str
    version: str
    sha256: str
    mar: str
    model_data: str
    size_bytes: int
    inputs_sha256: str


def handler_names() -> tuple[str, ...]:
    """Returns the names of all handlers whose detector is released, `all_detectors` last.

    Detectors of other installed packages are among them.

    A detector without its artifact is still to be tuned or trained: there is nothing to deploy.
    """
    names = [
        p.parent.name
        for p in sorted(folder_of("handlers").glob("*/handler.py"))
        if p.parent.name == ALL or artifact_of(p.parent.name) is not None
    ]
    own = [name for name in names if name != ALL]
    plugins = [name for name in plugin_names() if name not in own]
    return (*own, *plugins, *(name for name in names if name == ALL))


def build_archives(
    output: Path,
    names: Sequence[str] | None = None,
    *,
    force: bool = False,
    artifacts: Path | None = None,
    progress: Progress = lambda _name, _state: None,
) -> list[Archive]:
    """Builds archives that are not there yet, or whose inputs have changed.

    Args:
        output: Folder for <name>/<name>.mar, <name>/model.tar.gz and manifest.json.
        names: Handlers to build; None builds all.
        force: Build again what is up to date.
        artifacts: Your own artifacts, as `defectscope-train export` writes them, or a folder of
            several by name; they take the place of the released ones.
        progress: Told about each step.

    Returns:
        The archives asked for, in order.

    Raises:
        DeployError: A name is unknown, the archiver failed, or a prediction failed. Archives that
            were there before stay as they were.
    """
    known = handler_names()
    wanted = known if names is None else tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise DeployError(f"no handler {name!r}; there are: {', '.join(known)}")
    output.mkdir(parents=True, exist_ok=True)
    recorded = read_manifest(output)
    archives: list[Archive] = []
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="defectscope-archive-") as scratch:
            before = recorded.get(name)
            archive = _build(name, Path(scratch), output, before, force, artifacts, progress)
        recorded[name] = archive
        _write_manifest(output, recorded)
        archives.append(archive)
    return archives


def read_manifest(output: Path) -> dict[str, Archive]:
    """Returns the archives that an output folder records, by name; none without a record."""
    try:
        data = json.loads((output / MANIFEST).read_text("utf-8"))
        return {entry["name"]: Archive(**entry) for entry in data["archives"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def smoke_test(model_data: Path, name: str, media: Path | None = None) -> dict[str, Any]:
    """Unpacks a model.tar.gz and gives the report that a bare interpreter makes with it.

    The interpreter runs isolated and without `site`: it sees the archive's folder, the standard
    library and the third-party packages, but no editable install and no environment variable.

    Args:
        model_data: The model.tar.gz.
        name: The model's name.
        media: What to analyze; the built-in sample where None.

    Raises:
        DeployError: There was no prediction; the message says why.
    """
    with tempfile.TemporaryDirectory(prefix="defectscope-smoke-") as scratch:
        folder = Path(scratch) / "model"
        with tarfile.open(model_data, "r:gz") as tar:
            tar.extractall(scratch, filter="data")
        with zipfile.ZipFile(Path(scratch) / f"{name}.mar") as mar:
            mar.extractall(folder)
        paths = sysconfig.get_paths()
        packages = ":".join(dict.fromkeys((paths["purelib"], paths["platlib"])))
        command = [sys.executable, "-I", "-S", "-c", _BOOT, str(folder), name, packages]
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "TMPDIR": scratch,
            "HOME": scratch,
            "DEFECTSCOPE_METRICS": "off",
        }
        try:
            done = subprocess.run(
                [*command, *([str(media.resolve())] if media else [])],
                cwd=scratch,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_SMOKE_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeployError(f"{name}: no prediction within {_SMOKE_TIMEOUT_S} s") from None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DeployError(f"{name}: the unpacked archive does not predict: {reason}")
    return cast("dict[str, Any]", json.loads(done.stdout))


def _build(
    name: str,
    scratch: Path,
    output: Path,
    before: Archive | None,
    force: bool,
    artifacts: Path | None,
    progress: Progress,
) -> Archive:
    staged = scratch / "staged"
    stage(name, staged, artifacts)
    version = version_of(name, artifacts)
    inputs = tree_sha256(staged, version)
    if before and not force and before.inputs_sha256 == inputs and _intact(output, before):
        progress(name, "up to date")
        return before
    progress(name, "building")
    mar = scratch / f"{name}.mar"
    compiled = byte_code(staged)
    contents = reproducible(run_archiver(name, version, staged, scratch), mar, compiled)
    model_data = scratch / "model.tar.gz"
    write_tar(mar, model_data)
    progress(name, "testing")
    smoke_test(model_data, name)
    home = output / name
    home.mkdir(exist_ok=True)
    for made in (mar, model_data):
        # Under its name only when whole: a build that is cut short leaves the old archive.
        partial = home / f".{made.name}.partial"
        shutil.copyfile(made, partial)
        partial.replace(home / made.name)
    progress(name, "built")
    return Archive(
        name=name,
        version=version,
        sha256=contents,
        mar=f"{name}/{mar.name}",
        model_data=f"{name}/{model_data.name}",
        size_bytes=(home / model_data.name).stat().st_size,
        inputs_sha256=inputs,
    )


def _intact(output: Path, archive: Archive) -> bool:
    model_data = output / archive.model_data
    return (
        (output / archive.mar).is_file()
        and model_data.is_file()
        and model_data.stat().st_size == archive.size_bytes
    )


def _write_manifest(output: Path, recorded: dict[str, Archive]) -> None:
    entries = [asdict(recorded[name]) for name in sorted(recorded)]
    partial = output / f".{MANIFEST}.partial"
    partial.write_text(json.dumps({"archives": entries}, indent=2) + "\n", "utf-8")
    partial.replace(output / MANIFEST)
