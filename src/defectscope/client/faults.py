"""From what AWS or the container answered to the error tree, and what is worth repeating."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from defectscope import errors
from defectscope.errors import (
    AccessDeniedError,
    DefectscopeError,
    EndpointError,
    EndpointNotFoundError,
    EndpointTimeoutError,
    MediaError,
    MediaUnavailableError,
    ModelError,
    PayloadTooLargeError,
    ThrottledError,
    TransientEndpointError,
    UsageError,
)

_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_TRANSIENT = frozenset(
    {
        "InternalDependencyException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "ModelNotReadyException",
        "RequestTimeout",
    }
)
# TorchServe's answers for a worker that died; 507 where it was killed, as for want of memory.
_WORKER_DIED = frozenset({500, 507})
# Statuses of the container after which the same request may well succeed.
_TRANSIENT_CONTAINER = frozenset({408, 429, 502, 503, 504})
_WRAPPED = re.compile(r"""with message ['"](\{.*\})['"]""", re.S)


def _by_code() -> dict[str, type[DefectscopeError]]:
    """Returns the classes that an endpoint's own error codes stand for."""
    found: dict[str, type[DefectscopeError]] = {}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, (MediaError, UsageError)):
            found[kind.code] = kind
    return found


_CALLERS_FAULTS = _by_code()


def service_error(
    code: str, message: str, *, status: int | None, request_id: str | None
) -> DefectscopeError:
    """Returns the error for a refusal by AWS itself (not by the container)."""
    text = f"{message} [{code}]" if code else message
    lowered = message.lower()
    if code in _DENIED:
        return AccessDeniedError(text, request_id=request_id)
    if code in _THROTTLED or status == 429:
        return ThrottledError(text, request_id=request_id)
    if code in _TRANSIENT or (status is not None and status >= 500):
        return TransientEndpointError(text, request_id=request_id)
    if status == 413 or code in {"EntityTooLarge", "RequestEntityTooLargeException"}:
        return PayloadTooLargeError(text, request_id=request_id)
    if "not found" in lowered or "could not find" in lowered or "does not exist" in lowered:
        return EndpointNotFoundError(text, request_id=request_id)
    if "length less than or equal" in lowered:
        return PayloadTooLargeError(text, request_id=request_id)
    return EndpointError(text, request_id=request_id)


def container_error(
    status: int | None, original_message: str, *, request_id: str | None
) -> DefectscopeError:
    """Returns the error for what the container answered.

    A fault that the caller can mend (bad media, an unknown detector) comes as the class that the
    same fault has in-process, with the `ModelError` as its cause; everything else is a
    `ModelError` itself.
    """
    code, message, inner_id = _endpoint_says(original_message)
    error = ModelError(
        message or f"the container answered {status} without a message",
        request_id=request_id or inner_id,
        original_code=code,
        original_status=status,
    )
    if "timed out" in message.lower() and code is None:
        # SageMaker's own words when the container took longer than it may.
        late = EndpointTimeoutError(error.message, request_id=error.request_id)
        late.__cause__ = error
        return late
    kind = _CALLERS_FAULTS.get(code or "")
    if kind is not None:
        fault = kind(error.message, request_id=error.request_id)
        fault.__cause__ = error
        return fault
    if status == 413:
        # TorchServe's own cap answers 413 with an empty body.
        return PayloadTooLargeError(
            message or "the body is larger than the container's max_request_size",
            request_id=error.request_id,
        )
    return error


def record_error(body: dict[str, Any], *, request_id: str | None = None) -> DefectscopeError:
    """Returns the error that a line `{"error": {...}}` of a JSON-lines answer stands for."""
    return container_error(None, json.dumps(body), request_id=request_id)


def _endpoint_says(text: str) -> tuple[str | None, str, str | None]:
    # SageMaker wraps the answer in a sentence of its own where it reports a failure in S3.
    wrapped = _WRAPPED.search(text)
    if wrapped is not None:
        text = wrapped[1]
    try:
        data = json.loads(text)
    except ValueError:
        return None, text.strip()[:2000], None
    if not isinstance(data, dict):
        return None, text.strip()[:2000], None
    body = cast("dict[str, Any]", data)
    inner = body.get("error")
    if isinstance(inner, dict):
        fields = cast("dict[str, Any]", inner)
        code, request_id = fields.get("code"), fields.get("request_id")
        return (
            code if isinstance(code, str) else None,
            str(fields.get("message", ""))[:2000],
            request_id if isinstance(request_id, str) else None,
        )
    # TorchServe's own answers: {"code": 503, "type": "...", "message": "..."}
    return None, str(body.get("message", text))[:2000], None


def is_transient(error: Exception) -> bool:
    """Says whether the same call may succeed when it is made again."""
    if isinstance(error, ModelError):
        if error.original_status in _TRANSIENT_CONTAINER:
            return True
        # A worker that died took requests in flight with it; it is back within seconds.
        return error.original_status in _WORKER_DIED and error.original_code is None
    # A time-out is no transient fault: media that takes too long takes too long again.
    return isinstance(error, (MediaUnavailableError, ThrottledError, TransientEndpointError))
