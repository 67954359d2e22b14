"""The runtime: POST /endpoints/NAME/invocations, as sagemaker-runtime speaks it."""

from __future__ import annotations

from collections.abc import Mapping

from defectscope.container.faults import FaultError
from defectscope.container.messages import BodyLimitExceededError, HttpRequest, Reply
from defectscope.errors import LocalError
from defectscope.local.endpoint_api import Endpoints
from defectscope.local.endpoints import Endpoint, Variant
from defectscope.local.exchange import AnswerTooLargeError, ModelAnswer
from defectscope.local.faults import runtime_validation
from defectscope.local.model_server import ModelBusyError, ModelTimeoutError
from defectscope.local.settings import ACCOUNT_ID
from defectscope.local.workplace import Workplace

# Headers of the call that SageMaker hands to the container.
_PASSED_ON = (
    "Content-Type",
    "Accept",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Inference-Id",
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Session-Id",
)
_DEFAULT_CONTENT_TYPE = "application/octet-stream"
# Source: botocore's model of ModelError, OriginalMessage.
_MESSAGE_LIMIT = 2048


def model_error(endpoint: Endpoint, variant: Variant, status: int, message: str) -> FaultError:
    """Returns the ModelError that reports what a container answered.

    Source: API_runtime_InvokeEndpoint, Errors, ModelError: HTTP 424.
    """
    who = "server" if status >= 500 or status == 0 else "client"
    group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
    arn = f"arn:aws:logs:{endpoint.region}:{ACCOUNT_ID}:log-group:{group}"
    return FaultError(
        424,
        "ModelError",
        f'Received {who} error ({status}) from primary with message "{message[:_MESSAGE_LIMIT]}". '
        f"See {group}, variant {variant.name}, for more information."[:_MESSAGE_LIMIT],
        {
            "OriginalStatusCode": status,
            "OriginalMessage": message[:_MESSAGE_LIMIT],
            "LogStreamArn": arn,
        },
    )


class Runtime:
    """Answers invocations by passing them to the chosen variant's server."""

    def __init__(self, workplace: Workplace, endpoints: Endpoints) -> None:
        self._settings = workplace.settings
        self._endpoints = endpoints

    def invoke(self, request: HttpRequest, region: str, endpoint_name: str) -> Reply:
        """InvokeEndpoint.

        Raises:
            FaultError: As SageMaker documents: ValidationError, ModelError, ServiceUnavailable,
                ThrottlingException, or 413 for a body above the limit.
        """
        endpoint = self._endpoints.serving(region, endpoint_name)
        if endpoint.async_config:
            raise runtime_validation(
                f"Endpoint {endpoint_name} of account {ACCOUNT_ID} takes asynchronous "
                "invocations only."
            )
        if request.header("X-Amzn-SageMaker-Inference-Component"):
            raise runtime_validation("Inference components are not emulated.")
        variant = endpoint.choose(request.header("X-Amzn-SageMaker-Target-Variant"))
        server = variant.server
        if server is None:
            raise FaultError(503, "ServiceUnavailable", f"Variant {variant.name} has no instance.")
        limit = (
            self._settings.serverless_body_bytes
            if variant.serverless
            else self._settings.realtime_body_bytes
        )
        try:
            with server.receiving(request.body, limit) as (body, size), server.slot():
                answer = server.invoke(
                    body,
                    size,
                    container_headers(request),
                    timeout_s=self._settings.realtime_timeout_s,
                    answer_limit=limit,
                )
        except BodyLimitExceededError:
            # SageMaker's front end refuses such a body before any service sees it: no error code.
            raise FaultError(413, None, f"HTTP content length exceeded {limit} bytes.") from None
        except LocalError as error:
            raise _fault(endpoint, variant, error) from None
        return _reply(endpoint, variant, answer)


def _fault(endpoint: Endpoint, variant: Variant, error: LocalError) -> FaultError:
    match error:
        case ModelTimeoutError():
            message = (
                "Your invocation timed out while waiting for a response from container primary. "
                "Review the latency metrics for each container in Amazon CloudWatch, resolve the "
                "issue, and try again."
            )
            return model_error(endpoint, variant, 0, message)
        case AnswerTooLargeError():
            return model_error(endpoint, variant, 0, error.message)
        case ModelBusyError() if variant.serverless:
            return FaultError(429, "ThrottlingException", "Rate exceeded")
        case _:
            return FaultError(503, "ServiceUnavailable", error.message)


def container_headers(request: HttpRequest) -> dict[str, str]:
    """Returns what the container sees of an invocation's headers."""
    headers = {name: value for name in _PASSED_ON if (value := request.header(name))}
    headers.setdefault("Content-Type", _DEFAULT_CONTENT_TYPE)
    return headers


def answer_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns the headers of a container's answer that the caller sees."""
    passed = [("Content-Type", headers.get("content-type", _DEFAULT_CONTENT_TYPE))]
    attributes = headers.get("x-amzn-sagemaker-custom-attributes")
    if attributes:
        passed.append(("X-Amzn-SageMaker-Custom-Attributes", attributes))
    return passed


def _reply(endpoint: Endpoint, variant: Variant, answer: ModelAnswer) -> Reply:
    content = answer.read()
    if not 200 <= answer.status < 300:
        raise model_error(endpoint, variant, answer.status, content.decode(errors="replace"))
    headers = [*answer_headers(answer.headers), ("x-amzn-Invoked-Production-Variant", variant.name)]
    return Reply(200, content, headers)
