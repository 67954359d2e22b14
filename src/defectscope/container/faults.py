"""Errors as AWS puts them on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from defectscope.errors import ServingError


class FaultError(ServingError):
    """An error answer: HTTP status, AWS's error code, message and further members.

    Args:
        status: HTTP status.
        code: AWS's name of the error; None for the few answers that carry none.
        message: What happened, in one sentence.
        members: Further members of the error's body, for example OriginalStatusCode.
    """

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.aws_code = code
        self.members = dict(members or {})

    def headers(self) -> list[tuple[str, str]]:
        """Returns the header that names the error to AWS's SDKs."""
        named = [("x-amzn-ErrorType", self.aws_code)] if self.aws_code else []
        return [*named, ("Content-Type", "application/json")]

    def body(self) -> bytes:
        """Returns the JSON body, readable for the JSON and the REST-JSON protocol alike."""
        content: dict[str, Any] = {"Message": self.message, "message": self.message, **self.members}
        if self.aws_code:
            content["__type"] = self.aws_code
        return json.dumps(content).encode()
