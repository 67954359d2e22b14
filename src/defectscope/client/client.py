"""The client: media in, reports out, wherever the endpoint is."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from defectscope.client import film, pool
from defectscope.client.caller import Caller
from defectscope.client.hooks import Hook, log_event
from defectscope.client.jobs import AsyncJob, Job, Outcome, TransformJob, job_from_id
from defectscope.client.media import Media, source
from defectscope.client.records import Options, Span, encode, named, record
from defectscope.client.retry import Deadline, RetryBudget, RetryPolicy
from defectscope.client.routes import Routes
from defectscope.client.settings import deployed_with, settings
from defectscope.client.transform import transform_request
from defectscope.client.transport import Transport
from defectscope.client.wire import Wire
from defectscope.errors import UsageError
from defectscope.findings import Report


class Client:
    """Evaluates media with a deployed endpoint.

    One client serves many threads. It holds connections: close it, or use it in a `with` block.

    Args:
        endpoint_name: The real-time endpoint; default from DEFECTSCOPE_ENDPOINT.
        async_endpoint_name: The asynchronous endpoint, for `submit` and for media too large for a
            body; default from DEFECTSCOPE_ASYNC_ENDPOINT. Give one of the two at least.
        region: AWS region; boto3's usual sources when None.
        endpoint_url: Address to call in place of AWS's, for example that of `defectscope local`.
        staging_uri: s3:// prefix for media too large for a body.
        timeout_s: Longest wait for one attempt; see `ClientSettings`.
        max_body_bytes: Bodies above this go through S3; see `ClientSettings`.
        segment_s: Length of the intervals that long media is cut into; see `ClientSettings`.
        concurrency: Calls in flight at once.
        retry: How often and how soon to repeat throttled and failed calls.
        retry_budget: How many repetitions all calls together may spend.
        hooks: Called with a `CallEvent` for every attempt, repetition and end.
        transport: Used in place of AWS; `FakeTransport` in tests.
        sleep: Waits between attempts; substituted in tests.

    Raises:
        UsageError: No endpoint is named, or a setting makes no sense.
    """

    def __init__(
        self,
        *,
        endpoint_name: str | None = None,
        async_endpoint_name: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        staging_uri: str | None = None,
        timeout_s: float | None = None,
        max_body_bytes: int | None = None,
        segment_s: float | None = None,
        concurrency: int | None = None,
        retry: RetryPolicy | None = None,
        retry_budget: RetryBudget | None = None,
        hooks: Sequence[Hook] = (),
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (endpoint_name or async_endpoint_name):
            endpoint_name = os.environ.get("DEFECTSCOPE_ENDPOINT")
            async_endpoint_name = os.environ.get("DEFECTSCOPE_ASYNC_ENDPOINT")
        if not (endpoint_name or async_endpoint_name):
            raise UsageError("name an endpoint: endpoint_name= or DEFECTSCOPE_ENDPOINT")
        self.endpoint_name = endpoint_name
        self.async_endpoint_name = async_endpoint_name
        self.settings = settings(
            {
                "timeout_s": timeout_s,
                "max_body_bytes": max_body_bytes,
                "staging_uri": staging_uri,
                "segment_s": segment_s,
                "concurrency": concurrency,
            }
        )
        self._sleep = sleep
        caller = Caller(
            policy=retry or RetryPolicy(),
            budget=retry_budget or RetryBudget(),
            hooks=(log_event, *hooks),
            sleep=sleep,
            rng=random.Random(),
        )
        if transport is None:
            # boto3 is loaded only when something is really going to be called.
            from defectscope.client.aws import AwsTransport

            transport = AwsTransport(region=region, endpoint_url=endpoint_url)
        self._wire = Wire(transport, caller, upload_timeout_s=self.settings.upload_timeout_s)
        self._routes = Routes(
            self._wire, self.settings, endpoint_name, async_endpoint_name, sleep=sleep
        )

    @classmethod
    def for_endpoint(cls, endpoint_name: str, **options: Any) -> Self:
        """Returns a client with the limits and the kind that the endpoint was deployed with.

        Describing it and reading its tags takes sagemaker:DescribeEndpoint and sagemaker:ListTags.
        Options are those of the constructor; what is given there wins.

        Raises:
            EndpointNotFoundError: There is no such endpoint.
        """
        with cls(endpoint_name=endpoint_name, **options) as asking:
            described = asking._wire.sagemaker("describe_endpoint", {"EndpointName": endpoint_name})
            arn = described["EndpointArn"]
            answer = asking._wire.sagemaker("list_tags", {"ResourceArn": arn})
        tags = {tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())}
        kind = "async_endpoint_name" if described.get("AsyncInferenceConfig") else "endpoint_name"
        found: dict[str, Any] = {kind: endpoint_name, **deployed_with(tags)}
        return cls(**{**found, **{k: v for k, v in options.items() if v is not None}})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._wire.close()

    def analyze(
        self,
        media: Media,
        *,
        detectors: Sequence[str] | None = None,
        captions_uri: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        audio_layout: str | None = None,
        program: int | None = None,
        profile: str | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        segment_s: float | None = None,
        content_type: str | None = None,
        timeout_s: float | None = None,
    ) -> Report:
        """Returns the report on one medium.

        Small media travels in the call; larger media is put under `staging_uri` and removed again.
        Media at an address goes to the asynchronous endpoint in one piece if there is one, else
        to the real-time endpoint in intervals that the endpoint itself merges.

        Args:
            media: A path, bytes, an s3:// (or, where the endpoint allows it, https://) address or
                a file object opened for bytes.
            detectors: Which to run; None for all that the endpoint serves.
            captions_uri: s3:// address of side-car captions.
            parameters: Detector parameters by detector.
            audio_layout: Channels that are heard together, `5.1=1-6,stereo=7,8`; None guesses.
            program: Programme of a transport stream; None takes the first with video.
            profile: Delivery profile that ships: its parameters are used and its rules decided.
            start_s: Analyze from here, in seconds from the first frame.
            end_s: Analyze up to here.
            segment_s: Overrides the client's interval length; 0 for one call.
            content_type: Overrides what suffix or first bytes say.
            timeout_s: Deadline for everything together; None waits as long as it takes.

        Raises:
            MediaError: The media cannot be analyzed; the class says why.
            UsageError: The request makes no sense.
            EndpointError: The call failed; the class says how, `request_id` which call it was.
        """
        options = Options(detectors, captions_uri, parameters, audio_layout, program, profile)
        span = None if start_s is None and end_s is None else Span(start_s or 0.0, end_s)
        deadline = Deadline.after(timeout_s)
        item = source(media, content_type=content_type)
        if self._routes.travels_in_call(item):
            return self._routes.in_body(item, options, span, deadline)
        with self._routes.at_address(item, deadline) as uri:
            report = self._routes.at(uri, options, span, segment_s, deadline)
        return report if item.uri else named(report, item.label)

    def analyze_many(
        self,
        media: Iterable[Media],
        *,
        ordered: bool = True,
        concurrency: int | None = None,
        on_progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> Iterator[Outcome]:
        """Returns an outcome for each medium, a bad one never ending the run.

        Media is drawn from the iterable only as calls become free, so it may be endless.

        Args:
            media: As for `analyze`.
            ordered: In the order of the media; else each as soon as it is done.
            concurrency: Calls in flight at once; default the client's.
            on_progress: Called with the number of media done so far, in this thread.
            **options: As for `analyze`.
        """
        return pool.outcomes(
            lambda item: self.analyze(item, **options),
            media,
            concurrency=concurrency or self.settings.concurrency,
            ordered=ordered,
            on_progress=on_progress,
        )

    def submit(
        self,
        media: Media,
        *,
        detectors: Sequence[str] | None = None,
        captions_uri: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        audio_layout: str | None = None,
        program: int | None = None,
        profile: str | None = None,
        content_type: str | None = None,
        inference_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncJob:
        """Starts an asynchronous analysis and comes back at once.

        Keep `job.id`; `Client.job` finds the job again after a restart. Media that had to be
        uploaded stays under `staging_uri`, where a lifecycle rule should expire it.

        Raises:
            UsageError: There is neither a body that fits nor a place to stage it.
            EndpointError: The call failed.
        """
        options = Options(detectors, captions_uri, parameters, audio_layout, program, profile)
        deadline = Deadline.after(timeout_s)
        item = source(media, content_type=content_type)
        uri = item.uri or self._routes.upload(item, deadline)
        return self._routes.submit(encode(record(uri, options)), deadline, inference_id)

    def transform(
        self,
        input_uri: str,
        output_uri: str,
        *,
        model_name: str,
        job_name: str | None = None,
        instance_type: str = "ml.c6i.2xlarge",
        instance_count: int = 1,
        manifest: bool = False,
        **options: Any,
    ) -> TransformJob:
        """Starts a batch-transform job over JSON-lines request records in S3.

        Args:
            input_uri: s3:// prefix of the JSON-lines objects, or a manifest of them.
            output_uri: s3:// prefix for the answers, one `.out` object per input object.
            model_name: The SageMaker model.
            job_name: Unique name; made up when None.
            instance_type: Type of the instances.
            instance_count: How many of them.
            manifest: `input_uri` is a SageMaker manifest.
            **options: As for `transform_request`.
        """
        request = transform_request(
            job_name=job_name or f"defectscope-{uuid.uuid4().hex[:12]}",
            model_name=model_name,
            input_uri=input_uri,
            output_uri=output_uri,
            instance_type=instance_type,
            instance_count=instance_count,
            manifest=manifest,
            **options,
        )
        # Not repeated: a second call after a lost answer would fail on the name it made itself.
        self._wire.sagemaker("create_transform_job", request, repeatable=False)
        return TransformJob(self._wire, request["TransformJobName"], sleep=self._sleep)

    def job(self, id: str) -> Job:
        """Returns the job with an id from earlier, also after a restart, or raises UsageError."""
        return job_from_id(self._wire, id, sleep=self._sleep)

    def merge(
        self, parts: Sequence[Mapping[str, Any]], *, timeout_s: float | None = None
    ) -> Report:
        """Returns the report on a film from its segments' reports, which carry measurements.

        Args:
            parts: Segments' reports as dictionaries, in order.
            timeout_s: Deadline for everything together.
        """
        return film.merge(
            parts, self._routes.call, self.settings.max_body_bytes, Deadline.after(timeout_s)
        )
