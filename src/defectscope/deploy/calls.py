"""API calls as data: printed, made once, and taken back when a later one fails."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from defectscope.client.sessions import open_client, open_session, set_up_fault
from defectscope.deploy import sdk
from defectscope.deploy.aws_rules import request_faults
from defectscope.deploy.service_model import operation_name
from defectscope.errors import (
    AccessDeniedError,
    DefectscopeError,
    DeployError,
    InvalidParameterError,
)

_MISSING = re.compile(r"could not find|not found|does not exist|cannot find|no such", re.I)
_MISSING_CODES = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchKey",
        "ObjectNotFoundException",
        "RepositoryNotFoundException",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS API call: the service and operation as boto3 names them, and the request."""

    service: str
    operation: str
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def as_dict(self) -> dict[str, Any]:
        """Returns the call for printing, the operation as AWS's reference names it."""
        name = operation_name(self.service, self.operation)
        return {"service": self.service, "operation": name, "request": dict(self.request)}

    def check(self) -> None:
        """Holds the request against AWS's service model and what AWS documents beside it.

        Raises:
            InvalidParameterError: AWS would refuse it; the message says all that it would say.
        """
        name = operation_name(self.service, self.operation)
        faults = request_faults(self.service, name, self.request)
        if faults:
            raise InvalidParameterError(f"{name}: {'; '.join(faults)}")


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that is made once: how to find, make and remove it."""

    label: str
    make: Call
    find: Call
    remove: Call | None = None


class Account:
    """The AWS account, or what stands in for it, that calls go to.

    Args:
        region: AWS region; None takes boto3's usual sources.
        endpoint_url: Address to call in place of AWS's.
        session: A boto3 session with other credentials than the default ones.
        typed: Create resources through the SageMaker Python SDK where that works; None does so
            when it is installed.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        session: Session | None = None,
        typed: bool | None = None,
    ) -> None:
        self.session = session or open_session(region)
        self.region = region or self.session.region_name
        self.endpoint_url = endpoint_url
        self.typed = sdk.installed() if typed is None else typed
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Returns the boto3 client of a service, made once."""
        if service not in self._clients:
            self._clients[service] = open_client(
                self.session,
                service,
                region_name=self.region,
                endpoint_url=self.endpoint_url,
                config=Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard"}),
            )
        return self._clients[service]

    def call(self, call: Call) -> dict[str, Any]:
        """Makes a call.

        Raises:
            DeployError: It failed; the message names the operation and AWS's reason.
            AccessDeniedError: Credentials are missing or lack a permission.
        """
        try:
            if (
                self.typed
                and self.endpoint_url is None
                and sdk.handles(call.operation, call.request)
            ):
                sdk.create(call.operation, call.request, self.session, self.region)
                return {}
            return getattr(self.client(call.service), call.operation)(**call.request)
        except ClientError as error:
            raise _translated(call, error) from error
        except BotoCoreError as error:
            raise _unmade(call, error) from error

    def find(self, call: Call) -> dict[str, Any] | None:
        """Makes a call that describes something; None when there is no such thing.

        Raises:
            DeployError: It failed otherwise.
        """
        try:
            return getattr(self.client(call.service), call.operation)(**call.request)
        except ClientError as error:
            answer: Any = error.response
            details = answer.get("Error", {})
            if details.get("Code") in _MISSING_CODES or _MISSING.search(details.get("Message", "")):
                return None
            raise _translated(call, error) from error
        except BotoCoreError as error:
            raise _unmade(call, error) from error


class Transaction:
    """A sequence of calls: if one fails, those before it are undone in reverse order.

    Args:
        account: Where to call.
        dry_run: Make no call at all; `calls` then says what would be called on an empty account.
        show: Told one line per step.
    """

    def __init__(
        self, account: Account, *, dry_run: bool = False, show: Callable[[str], None] | None = None
    ) -> None:
        self.account = account
        self.dry_run = dry_run
        self.calls: list[Call] = []
        self._show = show or _silent
        self._made: list[Resource] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or not self._made:
            return
        undone = [self._undo(resource) for resource in reversed(self._made)]
        note = "; ".join(line for line in undone if line)
        if isinstance(error, DeployError):
            raise DeployError(f"{error.message} ({note})") from error
        error.add_note(note)

    def ensure(self, resource: Resource) -> bool:
        """Makes what is not there yet; says whether it had to.

        Raises:
            InvalidParameterError: AWS would refuse it.
        """
        resource.make.check()
        if not self.dry_run and self.account.find(resource.find) is not None:
            self._show(f"{resource.label}: there already")
            return False
        self.run(resource.make, f"{resource.label}: made")
        self._made.append(resource)
        return True

    def run(self, call: Call, label: str) -> dict[str, Any]:
        """Makes a call that changes something; in a dry run only notes it.

        Raises:
            InvalidParameterError: AWS would refuse it.
        """
        call.check()
        self.calls.append(call)
        if self.dry_run:
            return {}
        answer = self.account.call(call)
        self._show(label)
        return answer

    def tell(self, line: str) -> None:
        """Shows a line that goes with no step."""
        self._show(line)

    def to_json(self) -> str:
        """Returns the calls so far as a JSON list."""
        return json.dumps([call.as_dict() for call in self.calls], indent=2, default=str)

    def _undo(self, resource: Resource) -> str:
        if resource.remove is None or self.dry_run:
            return ""
        try:
            self.account.call(resource.remove)
        except (DeployError, AccessDeniedError) as error:
            return f"could not remove {resource.label}: {error.message}"
        self._show(f"{resource.label}: removed again")
        return f"removed {resource.label} again"


def fingerprint(request: Mapping[str, Any]) -> str:
    """Returns eight characters that change when a request does; names carry it."""
    text = json.dumps(request, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Returns tags as most of AWS's requests want them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def without_none(**request: Any) -> dict[str, Any]:
    """Returns a request without the fields that are None or empty."""
    return {k: v for k, v in request.items() if v is not None and v != {} and v != []}


def _translated(call: Call, error: ClientError) -> DeployError | AccessDeniedError:
    answer: Any = error.response
    details, metadata = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    code = str(details.get("Code", ""))
    # Some refusals list every value that would have been allowed.
    reason = str(details.get("Message", ""))[:400]
    text = f"{call.service}.{call.operation}: {reason} [{code}]"
    kind = AccessDeniedError if "AccessDenied" in code or "Token" in code else DeployError
    return kind(text, request_id=metadata.get("RequestId"))


def _unmade(call: Call, error: BotoCoreError) -> DefectscopeError:
    fault = set_up_fault(error)
    return fault or DeployError(f"{call.service}.{call.operation}: {error}")


def _silent(_line: str) -> None:
    """Shows nothing."""
