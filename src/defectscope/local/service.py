"""Routes each request: to the endpoints, the transform jobs, the runtime, or on to moto."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote

from botocore.exceptions import ClientError

from defectscope.container.faults import FaultError
from defectscope.container.messages import BodyLimitExceededError, HttpRequest, Reply, json_headers
from defectscope.deploy.aws_rules import request_faults
from defectscope.local.async_inference import AsyncInference
from defectscope.local.endpoint_api import Endpoints
from defectscope.local.faults import validation
from defectscope.local.runtime import Runtime
from defectscope.local.transform_api import TransformJobs
from defectscope.local.workplace import Workplace

_log = logging.getLogger(__name__)

_INVOCATION = re.compile(
    r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)"
)
_CONTROL_BODY_BYTES = 1024 * 1024
_TARGET_PREFIX = "SageMaker."

Operation = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class Service:
    """SageMaker on this machine, behind one HTTP address.

    Args:
        workplace: Shared surroundings.
    """

    STATUS_PATH = "/_defectscope/status"

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self.endpoints = Endpoints(workplace)
        self.transforms = TransformJobs(workplace)
        self._runtime = Runtime(workplace, self.endpoints)
        self._async = AsyncInference(workplace, self.endpoints)
        self._operations: dict[str, Operation] = {
            **self.endpoints.operations(),
            **self.transforms.operations(),
        }

    def answer(self, request: HttpRequest) -> Reply:
        """Returns the reply to any request.

        Raises:
            FaultError: The error to answer with.
        """
        region, service = request.scope()
        region = region or self._workplace.settings.region
        if request.path == self.STATUS_PATH and service is None:
            return Reply(200, json.dumps(self.status()).encode(), json_headers())
        if service in ("sagemaker", None):
            invocation = _INVOCATION.fullmatch(request.path)
            if invocation:
                return self._invoke(request, region, unquote(invocation[1]), invocation[2])
            target = request.header("X-Amz-Target") or ""
            if target.startswith(_TARGET_PREFIX):
                return self._control(request, region, target.removeprefix(_TARGET_PREFIX))
        return self._workplace.moto.forward(request)

    def _invoke(self, request: HttpRequest, region: str, endpoint_name: str, kind: str) -> Reply:
        if request.method != "POST":
            raise FaultError(405, "MethodNotAllowed", "invocations are made with POST")
        if kind == "invocations":
            return self._runtime.invoke(request, region, endpoint_name)
        if kind == "async-invocations":
            return self._async.invoke(request, region, endpoint_name)
        raise FaultError(400, "ValidationError", "Response streaming is not emulated.")

    def _control(self, request: HttpRequest, region: str, name: str) -> Reply:
        operation = self._operations.get(name)
        if operation is None and request.scope()[1] is None:
            raise FaultError(
                403, "MissingAuthenticationTokenException", "Missing Authentication Token"
            )
        try:
            body = request.body.read(_CONTROL_BODY_BYTES)
            content = json.loads(body or b"{}")
        except BodyLimitExceededError:
            raise FaultError(
                413, "RequestEntityTooLargeException", "the request is too large"
            ) from None
        except (ValueError, RecursionError):
            raise FaultError(400, "SerializationException", "the request is not JSON") from None
        if not isinstance(content, dict):
            raise FaultError(400, "SerializationException", "the request is not a JSON object")
        members = cast("dict[str, Any]", content)
        try:
            # What AWS would refuse is refused here, whoever carries it out.
            faults = request_faults("sagemaker", name, members)
            if faults:
                raise validation(_detected(faults))
            if operation is None:
                return self._workplace.moto.forward(request.with_body(body))
            result = operation(region, members)
        except ClientError as error:
            raise _passed_on(error) from None
        except (TypeError, ValueError, KeyError, AttributeError):
            # botocore checks shapes before it sends; a request made by hand may hold anything.
            _log.info("refused a malformed request", exc_info=True)
            raise validation("a member of the request is missing or has the wrong type") from None
        return Reply(200, json.dumps(result, default=str).encode(), json_headers())

    def status(self) -> dict[str, Any]:
        """Returns what exists now: endpoints and transform jobs with their states."""
        return {
            "endpoints": {
                f"{endpoint.region}/{endpoint.name}": endpoint.status
                for endpoint in self.endpoints.all()
            },
            "transform_jobs": self.transforms.states(),
        }

    def stop(self) -> None:
        """Ends every server and job."""
        self.transforms.stop()
        self.endpoints.stop()


def _detected(faults: Sequence[str]) -> str:
    """Words faults of a request as AWS does."""
    errors = "error" if len(faults) == 1 else "errors"
    return f"{len(faults)} validation {errors} detected: {'; '.join(faults)}"


def _passed_on(error: ClientError) -> FaultError:
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return FaultError(
        int(status), str(details.get("Code", "InternalFailure")), str(details.get("Message", ""))
    )
