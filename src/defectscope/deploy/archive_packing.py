"""From a folder to the files that TorchServe and SageMaker take: equal inputs, equal bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from defectscope.errors import DeployError

_ARCHIVER_TIMEOUT_S = 120
# The archiver stamps the moment of building; this takes its place, so that equal inputs give equal
# archives. The earliest date that a zip file can hold.
_CREATED_ON = "01/01/1980 00:00:00"
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def run_archiver(name: str, version: str, staged: Path, scratch: Path) -> Path:
    """Lets torch-model-archiver make the .mar; it empties $TMPDIR/<name>, so that is private."""
    private, made = scratch / "tmp", scratch / "made"
    private.mkdir()
    made.mkdir()
    # The handler and its configuration are named; the children of the rest go along.
    rest = scratch / "rest"
    rest.mkdir()
    for folder in [p for p in staged.iterdir() if p.is_dir()]:
        folder.rename(rest / folder.name)
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


def reproducible(mar: Path, target: Path, added: Mapping[str, bytes]) -> str:
    """Writes the archive again in a fixed order without dates; returns its contents' SHA-256.

    Args:
        mar: As the archiver made it.
        target: Where to write it.
        added: Further files by name, which the archiver would leave out.
    """
    digest = hashlib.sha256()
    with zipfile.ZipFile(mar) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in sorted({*old.namelist(), *added}):
            data = added[entry] if entry in added else old.read(entry)
            if entry == "MAR-INF/MANIFEST.json":
                manifest = {**json.loads(data), "createdOn": _CREATED_ON}
                data = json.dumps(manifest, indent=2, sort_keys=True).encode()
            info = zipfile.ZipInfo(entry, _ZIP_DATE)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, data)
            digest.update(f"{hashlib.sha256(data).hexdigest()}  {entry}\n".encode())
    return digest.hexdigest()


def write_tar(mar: Path, target: Path) -> None:
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
