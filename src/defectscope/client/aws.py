"""The transport that speaks to AWS, or to anything that speaks like it, through boto3."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import botocore
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from boto3.session import Session
from botocore import exceptions as boto_errors
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import defectscope
from defectscope.client.faults import container_error, service_error
from defectscope.client.sessions import open_client, open_session, set_up_fault
from defectscope.client.transport import (
    JSON,
    Body,
    Invocation,
    QueuedInvocation,
    Reply,
    Ticket,
    Transport,
    split_s3,
)
from defectscope.errors import (
    DefectscopeError,
    EndpointError,
    EndpointTimeoutError,
    PayloadTooLargeError,
    TransientEndpointError,
    UsageError,
)

T = TypeVar("T")

_USER_AGENT = f"defectscope/{defectscope.__version__} botocore/{botocore.__version__}"

# The first release whose model of InvokeEndpointAsync has a body.
_INLINE_SINCE = "1.43.29"

_CONNECT_TIMEOUT_S = 5.0
# Socket time-outs are fixed when a boto3 client is made, so clients are kept for these steps and
# the first one at or above what a call has left is taken.
_STEPS_S = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 45.0, 65.0, 120.0, 300.0, 900.0, 3700.0)
_UNREACHED = (
    boto_errors.ConnectTimeoutError,
    boto_errors.ConnectionClosedError,
    boto_errors.EndpointConnectionError,
    boto_errors.IncompleteReadError,
    boto_errors.ProxyConnectionError,
    boto_errors.ResponseStreamingError,
)


class AwsTransport(Transport):
    """Calls AWS with boto3, one attempt a call, its own errors turned into defectscope's.

    Args:
        region: AWS region; None takes boto3's usual sources.
        endpoint_url: Address to call in place of AWS's, for every service.
        session: A boto3 session with other credentials than the default ones.
        max_connections: Connections kept per service.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        session: Session | None = None,
        max_connections: int = 32,
    ) -> None:
        self._session = session or open_session()
        self._region = region
        self._endpoint_url = endpoint_url
        self._max_connections = max_connections
        self._clients: dict[tuple[str, float], Any] = {}
        self._lock = threading.Lock()

    def invoke(self, call: Invocation, *, timeout_s: float) -> Reply:
        """Returns a real-time endpoint's answer."""
        request = _without_none(
            EndpointName=call.endpoint_name,
            Body=call.body,
            ContentType=call.content_type,
            Accept=JSON,
            CustomAttributes=call.custom_attributes,
        )

        def made() -> Reply:
            answer = self._client("sagemaker-runtime", timeout_s).invoke_endpoint(**request)
            return Reply(
                answer["Body"].read(), _request_id(answer), answer.get("InvokedProductionVariant")
            )

        return _translated(made, late_is_transient=False)

    def invoke_async(self, call: QueuedInvocation, *, timeout_s: float) -> Ticket:
        """Queues an invocation of an asynchronous endpoint."""
        request = _without_none(
            EndpointName=call.endpoint_name,
            ContentType=call.content_type,
            Accept=JSON,
            InputLocation=call.input_uri,
            Body=call.body,
            InvocationTimeoutSeconds=call.invocation_timeout_s,
            InferenceId=call.inference_id,
        )

        def made() -> Ticket:
            client = self._client("sagemaker-runtime", timeout_s)
            if call.body is not None and not _takes_inline_bodies(client):
                raise UsageError(
                    f"botocore {botocore.__version__} cannot send an asynchronous request by "
                    f"itself, {_INLINE_SINCE} can: pass staging_uri=, or update boto3"
                )
            answer = client.invoke_endpoint_async(**request)
            return Ticket(
                answer.get("InferenceId", call.inference_id or ""),
                answer["OutputLocation"],
                answer.get("FailureLocation"),
                _request_id(answer),
            )

        return _translated(made)

    def put(self, uri: str, body: Body, *, content_type: str, timeout_s: float) -> None:
        """Writes an object at an s3:// address, large ones in parts."""
        bucket, key = _place(uri)

        def call() -> None:
            client = self._client("s3", timeout_s)
            if isinstance(body, bytes):
                client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)
                return
            extra = {"ContentType": content_type}
            config = TransferConfig(max_concurrency=4)
            if isinstance(body, Path):
                client.upload_file(str(body), bucket, key, ExtraArgs=extra, Config=config)
            else:
                client.upload_fileobj(body, bucket, key, ExtraArgs=extra, Config=config)

        _translated(call)

    def get(self, uri: str, *, timeout_s: float) -> bytes | None:
        """Returns an object's bytes, None when there is no such object."""
        bucket, key = _place(uri)

        def call() -> bytes | None:
            client = self._client("s3", timeout_s)
            try:
                return client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                    return None
                raise

        return _translated(call)

    def list(self, prefix: str, *, timeout_s: float) -> Iterator[tuple[str, int]]:
        """Returns the address and the size in bytes of every object under an s3:// prefix."""
        bucket, key = _place(prefix)
        token: str | None = None
        while True:
            request = _without_none(Bucket=bucket, Prefix=key, ContinuationToken=token)
            page = _translated(lambda r=request: self._client("s3", timeout_s).list_objects_v2(**r))
            for item in page.get("Contents", ()):
                yield f"s3://{bucket}/{item['Key']}", int(item["Size"])
            token = page.get("NextContinuationToken")
            if not token:
                return

    def delete(self, uri: str, *, timeout_s: float) -> None:
        """Removes an object; one that is not there counts as removed."""
        bucket, key = _place(uri)
        _translated(lambda: self._client("s3", timeout_s).delete_object(Bucket=bucket, Key=key))

    def sagemaker(
        self, operation: str, request: Mapping[str, Any], *, timeout_s: float
    ) -> dict[str, Any]:
        """Returns the answer of a SageMaker control-plane call, named as in boto3."""
        return _translated(
            lambda: getattr(self._client("sagemaker", timeout_s), operation)(**request)
        )

    def close(self) -> None:
        """Closes every connection."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()

    def _client(self, service: str, timeout_s: float) -> Any:
        step = next((s for s in _STEPS_S if s >= timeout_s), _STEPS_S[-1])
        with self._lock:
            client = self._clients.get((service, step))
            if client is None:
                config = Config(
                    connect_timeout=min(_CONNECT_TIMEOUT_S, step),
                    read_timeout=step,
                    max_pool_connections=self._max_connections,
                    # Repetitions are the caller's, who knows the deadline and the budget.
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    tcp_keepalive=True,
                    # Botocore composes its own anew for each call: a tenth of what a call takes it.
                    user_agent=_USER_AGENT,
                )
                client = open_client(
                    self._session,
                    service,
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=config,
                )
                self._clients[service, step] = client
            return client


def _takes_inline_bodies(client: Any) -> bool:
    """Says whether this botocore's model of InvokeEndpointAsync has a body at all."""
    operation = client.meta.service_model.operation_model("InvokeEndpointAsync")
    return "Body" in operation.input_shape.members


def _without_none(**request: Any) -> dict[str, Any]:
    return {k: v for k, v in request.items() if v is not None}


def _place(uri: str) -> tuple[str, str]:
    try:
        return split_s3(uri)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _request_id(answer: Mapping[str, Any]) -> str | None:
    found = answer.get("ResponseMetadata", {}).get("RequestId")
    return str(found) if found else None


def _translated(call: Callable[[], T], *, late_is_transient: bool = True) -> T:
    """Makes a boto3 call and turns whatever it raises into the error tree."""
    try:
        return call()
    except DefectscopeError:
        raise
    except ClientError as error:
        found = _from_client_error(error)
        # What the container said is the nearer cause and leads on to boto3's error.
        nearest = found if found.__cause__ is None else found.__cause__
        nearest.__cause__ = error
        raise found from found.__cause__
    except boto_errors.ReadTimeoutError as error:
        if late_is_transient:
            raise TransientEndpointError(str(error)) from error
        raise EndpointTimeoutError(f"no answer in time: {error}") from error
    except boto_errors.ParamValidationError as error:
        if "Body" in str(error) and "length" in str(error):
            raise PayloadTooLargeError(str(error)) from error
        raise UsageError(str(error)) from error
    except _UNREACHED as error:
        raise TransientEndpointError(f"the service cannot be reached: {error}") from error
    except (BotoCoreError, Boto3Error) as error:
        fault = set_up_fault(error)
        if fault is not None:
            raise fault from error
        # boto3's uploads wrap what went wrong in an error of their own.
        if isinstance(error.__context__, ClientError):
            raise _from_client_error(error.__context__) from error
        raise EndpointError(f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise EndpointError(f"{type(error).__name__}: {error}") from error


def _from_client_error(error: ClientError) -> DefectscopeError:
    answer: Any = error.response
    details = answer.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    metadata = answer.get("ResponseMetadata", {})
    status, request_id = metadata.get("HTTPStatusCode"), _request_id(answer)
    if code == "ModelError":
        return container_error(
            answer.get("OriginalStatusCode"),
            str(answer.get("OriginalMessage", message)),
            request_id=request_id,
        )
    return service_error(code, message, status=status, request_id=request_id)
