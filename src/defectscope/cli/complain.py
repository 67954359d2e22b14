"""How an error is shown on a terminal: one line, with its code."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from importlib import metadata

import defectscope
from defectscope.errors import EXIT_INTERNAL, DefectscopeError

_NAMED = ("av", "numpy", "scipy", "torch", "wasmtime", "boto3")


def complain(error: DefectscopeError, about: str | None = None) -> int:
    """Writes an error as one line with its code and gives the exit status it stands for."""
    message = " ".join(error.message.split())
    if about is not None and about not in message:
        message = f"{about}: {message}"
    request = f" (request {error.request_id})" if error.request_id else ""
    sys.stderr.write(f"defectscope: error[{error.code}]: {message}{request}\n")
    return error.exit_code


def complain_of(code: str, message: str, about: str) -> None:
    """Writes an error that was raised elsewhere, as in a process of its own."""
    text = " ".join(message.split())
    where = "" if about in text else f"{about}: "
    sys.stderr.write(f"defectscope: error[{code}]: {where}{text}\n")


def diagnose(error: Exception, about: str | None = None) -> int:
    """Saves what is needed to mend a fault of this program; returns the exit status it stands for.

    Args:
        error: The fault.
        about: Which media it came with.
    """
    lines = [
        f"defectscope {defectscope.__version__}",
        f"Python {platform.python_version()} on {platform.platform()}",
        *(f"{name} {_version(name)}" for name in _NAMED),
        f"media: {about or 'none'}",
        "",
        *traceback.format_exception(error),
    ]
    text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="defectscope-diagnosis-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write("\n".join(lines))
        saved = f"; the diagnosis is in {file.name}"
    except OSError:
        saved = ""
    where = f"{about}: " if about else ""
    sys.stderr.write(f"defectscope: error[internal_error]: {where}{text}{saved}\n")
    return EXIT_INTERNAL


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
