"""Turns the container's process into TorchServe, once the archive has made a real prediction.

    /opt/ml/model/<name>.mar  ->  checked, tried  ->  exec java (process 1)

TorchServe answers `/ping` before its model works and while its workers crash, so an archive that
cannot predict must not get that far: this ends with a message and exit code 1 instead, and
SageMaker shows the endpoint as failed. Java takes this process's place, so the signals of
`docker stop` and of SageMaker reach it directly.

Settings, all from the environment:

    DEFECTSCOPE_MODEL_DIR        where the archive lies (default /opt/ml/model)
    DEFECTSCOPE_PORT             port of /ping and /invocations (default 8080)
    DEFECTSCOPE_MAX_BODY_BYTES   largest request and answer
    DEFECTSCOPE_HEAP_MB          Java's heap (default 1024)
    DEFECTSCOPE_METRICS          where metrics go (default the container's standard output)
    DEFECTSCOPE_SELF_TEST        0 starts without the prediction
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from defectscope.errors import DefectscopeError, ServingError
from defectscope.serving.frontend_config import ServerConfig, quiet_log_config
from defectscope.serving.java import MODEL_NAME_PATTERN, java_command

_SELF_TEST = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from defectscope.serving.smoke import main; sys.exit(main(sys.argv[1:]))"
)
_SELF_TEST_TIMEOUT_S = 240.0
# Of every archive that torch-model-archiver makes.
_MANIFEST = "MAR-INF/MANIFEST.json"


def find_archive(folder: Path) -> Path:
    """Gives the one archive in a folder.

    Raises:
        ServingError: There is none, or more than one, or it is broken.
    """
    found = sorted(folder.glob("*.mar"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ServingError(f"{folder} must hold exactly one .mar, found: {names}")
    (archive,) = found
    if not MODEL_NAME_PATTERN.fullmatch(archive.stem):
        raise ServingError(f"not an archive name that TorchServe can take: {archive.name!r}")
    try:
        with zipfile.ZipFile(archive) as mar:
            damaged = mar.testzip()
            if damaged is not None:
                raise ServingError(f"{archive.name}: {damaged} is damaged")
            if _MANIFEST not in mar.namelist():
                raise ServingError(f"{archive.name} was not made by torch-model-archiver")
    except (zipfile.BadZipFile, OSError) as error:
        raise ServingError(f"{archive.name} cannot be read: {error}") from None
    return archive


def self_test(archive: Path, scratch: Path) -> None:
    """Makes one prediction with the unpacked archive, in an interpreter of its own.

    Raises:
        ServingError: There was none.
    """
    folder = scratch / "self-test"
    with zipfile.ZipFile(archive) as mar:
        mar.extractall(folder)
    command = [sys.executable, "-I", "-c", _SELF_TEST, str(folder), archive.stem]
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env={**os.environ, "DEFECTSCOPE_METRICS": "off"},
            capture_output=True,
            text=True,
            timeout=_SELF_TEST_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ServingError(f"{archive.name}: no prediction in {_SELF_TEST_TIMEOUT_S:g} s") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode != 0:
        words = [line for line in done.stderr.splitlines() if line.strip()]
        raise ServingError(f"{archive.name}: no prediction: {words[-1] if words else 'no message'}")


def prepared(archive: Path, scratch: Path) -> list[str]:
    """Writes the configuration and gives the command line of the server."""
    port = int(os.environ.get("DEFECTSCOPE_PORT", "8080"))
    body = os.environ.get("DEFECTSCOPE_MAX_BODY_BYTES")
    config = ServerConfig(
        model_store=archive.parent,
        inference_address=f"http://0.0.0.0:{port}",
        # Management and metrics stay inside the container.
        management_address=f"unix:{scratch}/management.sock",
        metrics_address=f"unix:{scratch}/metrics.sock",
        grpc_inference_port=int(os.environ.get("DEFECTSCOPE_GRPC_PORT", "7070")),
        grpc_management_port=int(os.environ.get("DEFECTSCOPE_GRPC_PORT", "7070")) + 1,
        **({"max_body_bytes": int(body)} if body else {}),
    )
    config_path = scratch / "config.properties"
    config_path.write_text(config.properties(), "utf-8")
    log_config_path = scratch / "log4j2.xml"
    log_config_path.write_text(quiet_log_config(), "utf-8")
    temp_dir = scratch / "tmp"
    temp_dir.mkdir()
    # The names SageMaker's own images use; workers read TMPDIR, the frontend TEMP.
    os.environ.update(TMPDIR=str(temp_dir), TEMP=str(temp_dir), TMP=str(temp_dir))
    # TorchServe's log drops what workers print; metrics go past it to the container's own output,
    # which stays this process's when Java takes its place.
    os.environ.setdefault("DEFECTSCOPE_METRICS", f"/proc/{os.getpid()}/fd/1")
    return java_command(
        config_path=config_path,
        log_config_path=log_config_path,
        model_store=archive.parent,
        model_name=archive.stem,
        temp_dir=temp_dir,
        heap_mb=int(os.environ.get("DEFECTSCOPE_HEAP_MB", "1024")),
    )


def main() -> int:
    """Checks, tries and becomes the server; comes back only with an exit code for a failure."""
    scratch = Path(tempfile.mkdtemp(prefix="ds-"))
    try:
        archive = find_archive(Path(os.environ.get("DEFECTSCOPE_MODEL_DIR", "/opt/ml/model")))
        if os.environ.get("DEFECTSCOPE_SELF_TEST", "1") != "0":
            self_test(archive, scratch)
        command = prepared(archive, scratch)
    except (DefectscopeError, ValueError) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        sys.stderr.write(f"defectscope: not serving: {error}\n")
        return 1
    os.chdir(scratch)
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
