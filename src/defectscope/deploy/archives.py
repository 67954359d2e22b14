"""Builds the archives that TorchServe loads and SageMaker deploys, and proves that they predict.

    handlers/<name>/ + model_artifacts/<name>/ + the package   ->   staged folder
    torch-model-archiver                                       ->   <name>.mar, made reproducible
    <name>/model.tar.gz                                        ->   the .mar at its root

An archive brings defectscope along: the image needs third-party packages only. It counts as built
when a bare interpreter has unpacked it and made a real prediction with it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import defectscope
from defectscope.errors import DeployError

ALL = "all_detectors"
MANIFEST = "manifest.json"
_SMOKE_TIMEOUT_S = 300
_ARCHIVER_TIMEOUT_S = 120
# The archiver stamps the moment of building; this takes its place, so that equal inputs give equal
# archives. The earliest date that a zip file can hold.
_CREATED_ON = "01/01/1980 00:00:00"
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
# What judging does not need: front ends, builders, training, and the launcher of TorchServe.
_LEFT_OUT = {"cli", "client", "deploy", "local", "report", "simulate", "training", "_bundled"}
_LEFT_OUT_FILES = {
    f"serving/{name}.py"
    for name in (
        "addresses",
        "container",
        "faults",
        "forwarding",
        "frontend_config",
        "health",
        "http_server",
        "java",
        "messages",
        "process_guard",
        "torchserve",
    )
}
_SUFFIXES_KEPT = {".py", ".wasm", ".sha256", ".json", ".safetensors", ".txt", ".typed"}
_OTHER_DETECTOR = re.compile(r"\bdefectscope\.detectors\.(\w+)")
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
    """Gives the names of all handlers whose detector is released, `all_detectors` last.

    A detector without its artifact is still to be tuned or trained: there is nothing to deploy.
    """
    artifacts = _folder("model_artifacts")
    names = [
        p.parent.name
        for p in sorted(_folder("handlers").glob("*/handler.py"))
        if p.parent.name == ALL or (artifacts / p.parent.name / "detector.json").is_file()
    ]
    return (*(name for name in names if name != ALL), *(name for name in names if name == ALL))


def build_archives(
    output: Path,
    names: Sequence[str] | None = None,
    *,
    force: bool = False,
    progress: Progress = lambda _name, _state: None,
) -> list[Archive]:
    """Builds archives that are not there yet, or whose inputs have changed.

    Args:
        output: Folder for <name>/<name>.mar, <name>/model.tar.gz and manifest.json.
        names: Handlers to build; None builds all.
        force: Build again what is up to date.
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
            archive = _build(name, Path(scratch), output, recorded.get(name), force, progress)
        recorded[name] = archive
        _write_manifest(output, recorded)
        archives.append(archive)
    return archives


def read_manifest(output: Path) -> dict[str, Archive]:
    """Gives the archives that an output folder records, by name; none where there is no record."""
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
        media: What to judge; the built-in sample where None.

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
    progress: Progress,
) -> Archive:
    staged = scratch / "staged"
    _stage(name, staged)
    version = _version(name)
    inputs = _tree_sha256(staged, version)
    if before and not force and before.inputs_sha256 == inputs and _intact(output, before):
        progress(name, "up to date")
        return before
    progress(name, "building")
    mar = scratch / f"{name}.mar"
    contents = _reproducible(_run_archiver(name, version, staged, scratch), mar)
    model_data = scratch / "model.tar.gz"
    _write_tar(mar, model_data)
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


def _folder(kind: str) -> Path:
    # Loaded here: everything else in deploy works without the engine.
    from defectscope.detection.artifacts import bundled

    return bundled(cast("Any", kind))


def _version(name: str) -> str:
    if name == ALL:
        return defectscope.__version__
    path = _folder("model_artifacts") / name / "detector.json"
    try:
        return str(json.loads(path.read_text("utf-8"))["version"])
    except (OSError, ValueError, KeyError) as error:
        raise DeployError(f"{path}: not a detector's artifact ({error})") from None


def _stage(name: str, staged: Path) -> None:
    """Lays out what goes into the archive, beside the handler and its configuration."""
    package = Path(defectscope.__file__).resolve().parent
    detectors = None if name == ALL else _with_dependencies(name, package)
    for source in _package_files(package, detectors):
        _copy(source, staged / "defectscope" / source.relative_to(package))
    artifacts = _folder("model_artifacts")
    chosen = sorted(p.name for p in artifacts.iterdir() if (p / "detector.json").is_file())
    for folder in chosen if detectors is None else sorted(detectors):
        for source in sorted((artifacts / folder).rglob("*")):
            if source.is_file() and source.suffix in _SUFFIXES_KEPT:
                target = Path("defectscope/_bundled/model_artifacts")
                _copy(source, staged / target / source.relative_to(artifacts))
    for file in ("handler.py", "model-config.yaml"):
        _copy(_folder("handlers") / name / file, staged / file)


def _package_files(package: Path, detectors: set[str] | None) -> Iterator[Path]:
    for source in sorted(package.rglob("*")):
        if not source.is_file() or source.suffix not in _SUFFIXES_KEPT:
            continue
        folder, *inner = source.relative_to(package).parts
        if folder in _LEFT_OUT or source.relative_to(package).as_posix() in _LEFT_OUT_FILES:
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
        for source in (package / "detectors" / folder).rglob("*.py"):
            for other in _OTHER_DETECTOR.findall(source.read_text("utf-8")):
                if other not in found and (package / "detectors" / other).is_dir():
                    waiting.append(other)
    return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _run_archiver(name: str, version: str, staged: Path, scratch: Path) -> Path:
    """Lets torch-model-archiver make the .mar; it empties $TMPDIR/<name>, so that is private."""
    private, made = scratch / "tmp", scratch / "made"
    private.mkdir()
    made.mkdir()
    # The handler and its configuration are named; the children of the rest go along.
    rest = scratch / "rest"
    rest.mkdir()
    (staged / "defectscope").rename(rest / "defectscope")
    command = [sys.executable, "-m", "model_archiver.model_packaging", "--model-name", name]
    command += ["--version", version, "--handler", str(staged / "handler.py")]
    command += ["--config-file", str(staged / "model-config.yaml")]
    command += ["--extra-files", str(rest), "--export-path", str(made)]
    done = subprocess.run(
        command,
        env={**os.environ, "TMPDIR": str(private)},
        capture_output=True,
        text=True,
        timeout=_ARCHIVER_TIMEOUT_S,
        check=False,
    )
    mar = made / f"{name}.mar"
    if done.returncode != 0 or not mar.is_file():
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DeployError(f"{name}: torch-model-archiver failed: {reason}")
    return mar


def _reproducible(mar: Path, target: Path) -> str:
    """Writes the archive again in a fixed order without dates; gives its contents' SHA-256."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(mar) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in sorted(old.namelist()):
            data = old.read(entry)
            if entry == "MAR-INF/MANIFEST.json":
                manifest = {**json.loads(data), "createdOn": _CREATED_ON}
                data = json.dumps(manifest, indent=2, sort_keys=True).encode()
            info = zipfile.ZipInfo(entry, _ZIP_DATE)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, data)
            digest.update(f"{hashlib.sha256(data).hexdigest()}  {entry}\n".encode())
    return digest.hexdigest()


def _write_tar(mar: Path, target: Path) -> None:
    """Puts the .mar at the root of a model.tar.gz without dates, owners or a file name."""
    data = mar.read_bytes()
    info = tarfile.TarInfo(mar.name)
    info.size, info.mode = len(data), 0o644
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        tar.addfile(info, io.BytesIO(data))


def _tree_sha256(staged: Path, version: str) -> str:
    digest = hashlib.sha256(f"{version} {sys.version_info[:2]}\n".encode())
    for source in sorted(p for p in staged.rglob("*") if p.is_file()):
        entry = source.relative_to(staged).as_posix()
        digest.update(f"{hashlib.sha256(source.read_bytes()).hexdigest()}  {entry}\n".encode())
    return digest.hexdigest()


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
