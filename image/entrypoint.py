"""Serves an archive once it has made a real prediction, and ends without losing a request.

    /opt/ml/model/<name>.mar  ->  checked, tried  ->  TorchServe, behind /ping and /invocations

TorchServe answers `/ping` before its model works and while its workers crash, so an archive that
cannot predict must not get that far: the built-in sample is analyzed before the port is opened.
Where that fails, the unpacked archive is tried in an interpreter of its own, which says why, and
this ends with that reason and exit code 1; SageMaker then shows the endpoint as failed. From then
on `/ping` tells what predictions tell. On SIGTERM no request is taken any more, and those in flight
are answered before TorchServe is ended.

Settings, all from the environment:

    DEFECTSCOPE_MODEL_DIR        where the archive lies (default /opt/ml/model)
    DEFECTSCOPE_PORT             port of /ping and /invocations (default 8080)
    DEFECTSCOPE_MAX_BODY_BYTES   largest request and answer (default 100 MiB)
    DEFECTSCOPE_HEAP_MB          Java's heap (default 1024)
    DEFECTSCOPE_METRICS          where metrics go (default the container's standard output)
    DEFECTSCOPE_HEALTH_S         how old the last prediction may be, in seconds (default 30)
    DEFECTSCOPE_WORKERS          how many (default: what the archive says)
    DEFECTSCOPE_ARTIFACTS        folder of your own artifacts (default: those of the archive)
    DEFECTSCOPE_NETWORKS         folder of converted networks (default: those of the image)
    DEFECTSCOPE_JAVA_CLASSES     file of Java's classes (default: that of the image)

SageMaker sets for containers that share an instance, and both win over the above:

    SAGEMAKER_BIND_TO_PORT       port of /ping and /invocations
    SAGEMAKER_SAFE_PORT_RANGE    FIRST-LAST, where further ports must be

With SAGEMAKER_MULTI_MODEL=true this ends at once: one TorchServe for each archive would not share
memory, and the archive of all detectors serves each of them by name.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from defectscope.container.java import MODEL_NAME_PATTERN
from defectscope.container.torchserve import TorchServe
from defectscope.errors import DefectscopeError, ServingError, SettingError

if TYPE_CHECKING:
    from defectscope.container.container import Container

_SELF_TEST = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from defectscope.serving.smoke import main; sys.exit(main(sys.argv[1:]))"
)
_SELF_TEST_TIMEOUT_S = 240.0
_START_TIMEOUT_S = 300.0
_TELL_S = 5.0
# Of every archive that torch-model-archiver makes.
_MANIFEST = "MAR-INF/MANIFEST.json"
# Tried in this order where the system offers no folder for temporary files, as with a root file
# system that is read-only.
_SCRATCH = ("/dev/shm", "/opt/ml", "/opt/ml/model")


class UnfitArchiveError(ServingError):
    """TorchServe does not get an answer out of the archive."""


def find_archive(folder: Path) -> Path:
    """Returns the one archive in a folder.

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

    TorchServe loses half of what a worker has to say; this loses nothing.

    Raises:
        ServingError: There was none; what the interpreter had to say stands before it in the log.
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
        sys.stderr.write(done.stderr)
        words = [line for line in done.stderr.splitlines() if line.strip()]
        raise ServingError(f"{archive.name}: no prediction: {words[-1] if words else 'no message'}")


def port() -> int:
    """Returns the port to listen on.

    Raises:
        SettingError: The variable holds none.
    """
    name = "SAGEMAKER_BIND_TO_PORT"
    if not os.environ.get(name):
        name = "DEFECTSCOPE_PORT"
    text = os.environ.get(name) or "8080"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SettingError(f"{name} must be a port, not {text!r}")
    return int(text)


def safe_ports() -> tuple[int, int] | None:
    """Returns the first and the last port that may be used besides; None for any.

    Raises:
        SettingError: The variable holds no range.
    """
    text = os.environ.get("SAGEMAKER_SAFE_PORT_RANGE")
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if found is None or not 0 < int(found[1]) <= int(found[2]) < 65536:
        raise SettingError(f"SAGEMAKER_SAFE_PORT_RANGE must be FIRST-LAST, not {text!r}")
    return int(found[1]), int(found[2])


def refuse_multi_model() -> None:
    """Ends what cannot work.

    Raises:
        SettingError: SageMaker runs this container for many models.
    """
    if os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true":
        raise SettingError(
            "SAGEMAKER_MULTI_MODEL: this image serves one archive; all_detectors holds every "
            'detector, and a request names those it wants: {"detectors": [...]}'
        )


def number(name: str, default: float) -> float:
    """Returns a variable's number.

    Raises:
        SettingError: It holds none, or none above 0.
    """
    text = os.environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise SettingError(f"{name} must be a number above 0, not {text!r}")
    return value


def worker_count() -> int | None:
    """Returns how many workers are asked for; None for the archive's own number.

    Raises:
        SettingError: The variable holds no count.
    """
    name = "DEFECTSCOPE_WORKERS"
    text = os.environ.get(name)
    if not text:
        return None
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise SettingError(f"{name} must be a count of workers, not {text!r}")
    return int(text)


def serve(archive: Path) -> int:
    """Serves until SIGTERM; returns the exit code."""
    max_body_bytes = int(number("DEFECTSCOPE_MAX_BODY_BYTES", 100 * 1024 * 1024))
    with TorchServe(
        archive,
        environment={k: v for k, v in os.environ.items() if k not in ("TMPDIR", "TEMP", "TMP")},
        share_output=True,
        heap_mb=int(number("DEFECTSCOPE_HEAP_MB", 1024)),
        max_body_bytes=max_body_bytes,
        ports=safe_ports(),
    ) as server:
        container = started(server, max_body_bytes)
        told = threading.Event()
        signal.signal(signal.SIGTERM, lambda _number, _frame: told.set())
        while not told.wait(0.2):
            if not server.running:
                # Those in flight are still told that there will be no answer.
                container.stop(drain_s=_TELL_S, grace_s=0.0)
                raise ServingError("TorchServe ended")
        if not container.stop():
            sys.stderr.write("defectscope: ended with requests in flight\n")
    return 0


def started(server: TorchServe, max_body_bytes: int) -> Container:
    """Returns the container in front of a server that has made its first prediction.

    It serves from then on. Further workers come meanwhile: a second one that loads beside the first
    would delay the first answer by seconds.

    Raises:
        SettingError: A variable holds no number.
        UnfitArchiveError: It cannot make one.
    """
    interval_s = number("DEFECTSCOPE_HEALTH_S", 30.0)
    workers = worker_count()
    try:
        # Loaded while Java starts.
        from defectscope.container.container import Container

        server.wait_ready(_START_TIMEOUT_S)
        container = Container(
            server,
            port=port(),
            max_body_bytes=max_body_bytes,
            health_interval_s=interval_s,
        )
        server.scale(workers)
    except SettingError:
        raise
    except ServingError as error:
        raise UnfitArchiveError(error.message) from error
    except OSError as error:
        raise UnfitArchiveError(f"TorchServe went away: {error}") from error
    return container


def choose_scratch() -> None:
    """Sees to it that temporary files have a place.

    Raises:
        ServingError: No folder can be written to.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        for folder in _SCRATCH:
            try:
                with tempfile.TemporaryFile(dir=folder):
                    tempfile.tempdir = folder
                    return
            except OSError:
                continue
        raise ServingError(
            "no folder for temporary files can be written to: set TMPDIR to one"
        ) from None


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    """Checks, tries and serves; returns the exit code."""
    # As process 1 of a container this one has no default answer to SIGTERM.
    signal.signal(signal.SIGTERM, _end)
    scratch: Path | None = None
    try:
        _ = port(), safe_ports(), worker_count()
        refuse_multi_model()
        choose_scratch()
        scratch = Path(tempfile.mkdtemp(prefix="ds-"))
        archive = find_archive(Path(os.environ.get("DEFECTSCOPE_MODEL_DIR", "/opt/ml/model")))
        try:
            return serve(archive)
        except UnfitArchiveError:
            self_test(archive, scratch)
            raise
    except (DefectscopeError, ValueError) as error:
        # Everything that TorchServe had to say has been passed on: the reason comes last.
        sys.stderr.write(f"defectscope: not serving: {error}\n")
        return 1
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
