"""Lays out Java's classes as they lie in memory, while an image is built.

    python -m defectscope.container.prepare_java FILE

TorchServe's frontend loads 5,000 classes when it starts, which takes 1.2 s of processor time from
their jar and next to none from such a file (Java's Class Data Sharing). The frontend serves an
archive that echoes, so that all it needs is loaded, and Java writes out what that was. The file
holds for this Java and this jar; with others Java passes over it. `DEFECTSCOPE_JAVA_CLASSES` names
it at run time.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from defectscope.container.java import COMPILER_OPTIONS, frontend_jar, java_executable
from defectscope.container.torchserve import TorchServe
from defectscope.errors import ServingError

_NAME = "echo"
_HANDLER = """
class Echo:
    def initialize(self, ctx):
        pass

    def handle(self, data, ctx):
        return ["{}" for _ in data]
"""
_MANIFEST = {
    "runtime": "python",
    "model": {"modelName": _NAME, "modelVersion": "1", "handler": "handler.py"},
    "archiverVersion": "0.12.0",
}
_TIMEOUT_S = 300


def prepare_java(target: Path) -> None:
    """Writes the file.

    Raises:
        ServingError: Java or TorchServe are not there, or the frontend does not serve.
    """
    with tempfile.TemporaryDirectory(prefix="defectscope-java-") as scratch:
        listed = Path(scratch) / "classes"
        _serve(_echo(Path(scratch)), listed)
        command = [str(java_executable()), "-Xshare:dump", *COMPILER_OPTIONS]
        command += [f"-XX:SharedClassListFile={listed}", f"-XX:SharedArchiveFile={target}"]
        command += ["-cp", str(frontend_jar())]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    if done.returncode != 0 or not target.is_file():
        raise ServingError(f"Java wrote no classes: {done.stderr.strip()[-400:]}")
    target.chmod(0o644)


def _echo(folder: Path) -> Path:
    path = folder / f"{_NAME}.mar"
    with zipfile.ZipFile(path, "w") as mar:
        mar.writestr("MAR-INF/MANIFEST.json", json.dumps(_MANIFEST))
        mar.writestr("handler.py", _HANDLER)
    return path


def _serve(archive: Path, listed: Path) -> None:
    options = f"-Xshare:off -XX:DumpLoadedClassList={listed}"
    with TorchServe(archive, environment={"JAVA_TOOL_OPTIONS": options}) as server:
        server.wait_ready()
        with contextlib.closing(server.connect(60.0)) as connection:
            connection.request("POST", "/invocations", b"\n", {"Content-Type": "video/mp4"})
            status = connection.getresponse().status
        if status != 200:
            raise ServingError(f"TorchServe answered {status}")
        # The list is whole when Java has ended by itself.
        server.stop(grace_s=20.0)
    if not listed.is_file():
        raise ServingError("Java named no classes")


def main(arguments: list[str]) -> int:
    """Prepares the file that is named; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}")
        return 2
    try:
        prepare_java(Path(arguments[0]))
    except ServingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
