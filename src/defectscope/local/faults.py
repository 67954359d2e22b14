"""The errors that SageMaker's control plane and runtime answer with most."""

from __future__ import annotations

from defectscope.container.faults import FaultError


def validation(message: str) -> FaultError:
    """Returns the control plane's answer to a request that cannot be carried out.

    Source: API_CreateEndpoint, Errors; CommonErrors, ValidationError.
    """
    return FaultError(400, "ValidationException", message)


def runtime_validation(message: str) -> FaultError:
    """Returns the runtime's answer to a request that cannot be carried out.

    Source: API_runtime_InvokeEndpoint, Errors, ValidationError.
    """
    return FaultError(400, "ValidationError", message)
