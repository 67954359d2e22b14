"""How an error is shown on a terminal: one line, with its code."""

from __future__ import annotations

import sys

from defectscope.errors import EXIT_INTERNAL, DefectscopeError


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
    # Loaded when something has gone wrong: versions and platforms take time to look up.
    from defectscope.desk.diagnosis import save_diagnosis

    where = f"{about}: " if about else ""
    sys.stderr.write(f"defectscope: error[internal_error]: {where}{save_diagnosis(error, about)}\n")
    return EXIT_INTERNAL
