"""Bodies that reach a worker as files, and what else the container tells it beside a request.

TorchServe's frontend holds a body several times over in Java's memory, and copies it once more into
the worker: 400 MB end a heap of 1 GiB, and each megabyte takes 3 ms. So what stands in front of
TorchServe writes the body into a private folder and passes its name on in a header.

The names mean nothing from outside: the container drops such headers from what callers send, and a
worker takes files from the folder in its own environment alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from defectscope.errors import MalformedRequestError, OverloadedError

FOLDER_VARIABLE = "DEFECTSCOPE_HANDOVER_DIR"
"""Names the folder to a worker."""

PREFIX = "x-defectscope-"
"""Of every header between the container and its worker, in lower case."""

BODY_HEADER = "X-Defectscope-Body"
TYPE_HEADER = "X-Defectscope-Content-Type"
HEALTH_HEADER = "X-Defectscope-Health"

MARKER = "defectscope/serving/handover.py"
"""An archive that holds this file can take bodies as files."""

_NAME = re.compile(r"[0-9a-f]{32}")


def handed_over(
    headers: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> Path | None:
    """Returns the file that holds a request's body; None where the request holds it itself.

    Args:
        headers: By lower-case name.
        environment: Variables of this worker, those of this process where None.

    Raises:
        MalformedRequestError: No container in front of this worker can have named such a file.
        OverloadedError: The file is gone, because who asked has given up waiting.
    """
    name = headers.get(BODY_HEADER.lower())
    if name is None:
        return None
    folder = (os.environ if environment is None else environment).get(FOLDER_VARIABLE)
    if not folder or not _NAME.fullmatch(name):
        raise MalformedRequestError(f"{BODY_HEADER} is for the container alone")
    path = Path(folder) / name
    if not path.exists():
        raise OverloadedError("the caller had gone before a worker was free")
    return path


def is_trial(headers: Mapping[str, str]) -> bool:
    """Says whether a request only asks whether the model predicts; it is counted nowhere.

    Args:
        headers: By lower-case name.
    """
    return HEALTH_HEADER.lower() in headers
