"""How an error is shown on a terminal: one line, with its code."""

from __future__ import annotations

import sys

from defectscope.errors import DefectscopeError


def complain(error: DefectscopeError, about: str | None = None) -> int:
    """Writes an error as one line with its code and gives the exit status it stands for."""
    message = " ".join(error.message.split())
    if about is not None and about not in message:
        message = f"{about}: {message}"
    request = f" (request {error.request_id})" if error.request_id else ""
    sys.stderr.write(f"defectscope: error[{error.code}]: {message}{request}\n")
    return error.exit_code
