"""boto3 sessions and clients, with what is missing on this machine said in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from boto3.session import Session
from botocore import exceptions as boto_errors

from defectscope.errors import AccessDeniedError, DefectscopeError, UsageError

_NO_CREDENTIALS = (
    boto_errors.CredentialRetrievalError,
    boto_errors.NoCredentialsError,
    boto_errors.PartialCredentialsError,
    boto_errors.RefreshWithMFAUnsupportedError,
    boto_errors.TokenRetrievalError,
    boto_errors.UnauthorizedSSOTokenError,
)
_BAD_CONFIG = (
    boto_errors.ConfigNotFound,
    boto_errors.ConfigParseError,
    boto_errors.InvalidConfigError,
    boto_errors.InvalidRegionError,
    boto_errors.InvalidRetryConfigurationError,
    boto_errors.InvalidRetryModeError,
    boto_errors.UnknownEndpointError,
)


def set_up_fault(error: Exception) -> DefectscopeError | None:
    """Returns the error for something that is missing or wrong on this machine; None for others."""
    if isinstance(error, boto_errors.ProfileNotFound):
        name = error.kwargs.get("profile")
        return UsageError(f"there is no AWS profile {name!r}, which AWS_PROFILE names")
    if isinstance(error, boto_errors.NoRegionError):
        return UsageError("no AWS region: pass --region or region=, or set AWS_REGION")
    if isinstance(error, _NO_CREDENTIALS):
        return AccessDeniedError(f"no usable AWS credentials: {error}")
    if isinstance(error, _BAD_CONFIG):
        return UsageError(f"the AWS configuration makes no sense: {error}")
    return None


@contextlib.contextmanager
def one_line() -> Generator[None]:
    """Turns what boto3 raises about this machine into errors of one line.

    Raises:
        UsageError: A profile, a region or an address makes no sense.
        AccessDeniedError: There are no credentials.
    """
    try:
        yield
    except (boto_errors.BotoCoreError, ValueError) as error:
        fault = set_up_fault(error)
        if fault is None and isinstance(error, ValueError):
            # botocore raises it for an address of a service that is none.
            fault = UsageError(f"{error}")
        if fault is None:
            raise
        raise fault from error


def open_session(region: str | None = None) -> Session:
    """Returns a session with this machine's default credentials.

    Raises:
        UsageError: AWS_PROFILE names no profile, or the configuration is broken.
    """
    with one_line():
        return Session(region_name=region)


def open_client(session: Session, service: str, **options: Any) -> Any:
    """Returns a client of a service.

    Raises:
        UsageError: No region is known, or an address is none.
    """
    factory: Any = session.client
    with one_line():
        return factory(service, **options)
