"""What is needed to mend a fault of this program, saved to a file. Standard library only."""

from __future__ import annotations

import platform
import tempfile
import traceback
from importlib import metadata

import defectscope

_NAMED = ("av", "numpy", "scipy", "torch", "wasmtime", "boto3")


def save_diagnosis(error: BaseException, about: str | None = None) -> str:
    """Saves versions and the traceback; returns the fault in one line, and where they are.

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
    except OSError:
        return text
    return f"{text}; the diagnosis is in {file.name}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
