"""Makes one real prediction with an unpacked archive, the way TorchServe would.

Runs inside a bare interpreter that finds the archive and the image's third-party packages, and
nothing else: what is missing from the archive fails here and not in production.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import defectscope
from defectscope.errors import ServingError
from defectscope.serving.base import Handler
from defectscope.serving.sample import sample_avi


class BareContext:
    """Stands in for TorchServe's context, for one item.

    Attributes:
        model_name: Name of the archive.
        status: HTTP status that the handler set.
        content_type: Content-Type that the handler set.
    """

    def __init__(self, model_name: str, headers: Mapping[str, str]) -> None:
        self.model_name = model_name
        self.status = 200
        self.content_type = ""
        self._headers = headers

    def get_request_id(self, idx: int = 0) -> str | None:
        """Returns a fixed identifier."""
        return f"smoke-{idx}"

    def get_all_request_header(self, idx: int) -> Mapping[str, Any]:
        """Returns the headers it was made with."""
        return self._headers

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Notes the status."""
        self.status = code

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Notes the content type."""
        self.content_type = value


def load_handler(folder: Path) -> Handler[Any, Any]:
    """Imports handler.py from the archive's folder and makes its one class.

    Raises:
        ServingError: It does not hold exactly one class, or defectscope comes from elsewhere.
    """
    if not Path(defectscope.__file__).resolve().is_relative_to(folder.resolve()):
        raise ServingError(f"defectscope was imported from outside the archive: {folder}")
    module = importlib.import_module("handler")
    own = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise ServingError(f"handler.py must hold exactly one class, not {len(own)}")
    return cast("Handler[Any, Any]", own[0]())


def predict(handler: Handler[Any, Any], name: str, media: bytes) -> dict[str, Any]:
    """Returns the answer to some media, after checking that a broken body is refused.

    Raises:
        ServingError: The answer is not what the handler serves.
    """
    reasons = _Reasons()
    logging.getLogger("defectscope.serving").addHandler(reasons)
    handler.initialize(BareContext(name, {}))
    refused = BareContext(name, {"Content-Type": "application/json"})
    handler.handle([{"body": bytearray(b"{")}], refused)
    if refused.status != 400:
        raise ServingError(f"{name}: malformed JSON was answered with {refused.status}")
    context = BareContext(name, {"Content-Type": "application/octet-stream"})
    (text,) = handler.handle([{"body": bytearray(media)}], context)
    answer = json.loads(text)
    try:
        handler.prove(context.status, answer)
    except ServingError as error:
        raise ServingError(f"{name}: {reasons.last or error.message}") from error
    return answer


class _Reasons(logging.Handler):
    """Keeps what the handler logged and did not tell its caller."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Notes the exception of a record."""
        if record.exc_info and record.exc_info[1] is not None:
            self.last = " ".join(
                f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}".split()
            )


def main(arguments: list[str]) -> int:
    """Analyzes `arguments[2]`, or the sample, with the archive `arguments[1]` in `arguments[0]`."""
    folder, name = Path(arguments[0]), arguments[1]
    media = Path(arguments[2]).read_bytes() if len(arguments) > 2 else sample_avi()
    try:
        report = predict(load_handler(folder), name, media)
    except ServingError as error:
        sys.stderr.write(f"ServingError: {error}\n")
        return 1
    sys.stdout.write(json.dumps(report) + "\n")
    return 0
