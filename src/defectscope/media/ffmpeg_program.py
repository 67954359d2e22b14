"""Where FFmpeg's own program is: that of imageio-ffmpeg, under the GPL, run as its own process."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from defectscope.errors import InvalidParameterError, MediaUnavailableError


def ffmpeg_program(wanted_for: str, extra: str) -> str:
    """Returns the path of the program.

    Args:
        wanted_for: What needs it, as an error says it.
        extra: The extra of this package that brings it.

    Raises:
        InvalidParameterError: imageio-ffmpeg is not installed.
        MediaUnavailableError: It has no program for this machine.
    """
    try:
        program: Any = import_module("imageio_ffmpeg")
    except ModuleNotFoundError:
        raise InvalidParameterError(
            f"{wanted_for} need pip install 'defectscope[{extra}]'"
        ) from None
    try:
        return str(program.get_ffmpeg_exe())
    except RuntimeError:
        raise MediaUnavailableError("imageio-ffmpeg has no program for this machine") from None
