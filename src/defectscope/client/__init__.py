"""The Python client of a deployed defectscope: boto3 and the standard library, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from defectscope.client.client import Client
from defectscope.client.fake import FakeCall, FakeTransport
from defectscope.client.hooks import CallEvent, Hook
from defectscope.client.jobs import AsyncJob, Job, JobState, JobStatus, Outcome, TransformJob
from defectscope.client.retry import RetryBudget, RetryPolicy
from defectscope.client.settings import ClientSettings
from defectscope.client.transport import (
    Invocation,
    QueuedInvocation,
    Reply,
    Ticket,
    Transport,
)

if TYPE_CHECKING:
    from defectscope.client.aws import AwsTransport as AwsTransport

__all__ = [
    "AsyncJob",
    "AwsTransport",
    "CallEvent",
    "Client",
    "ClientSettings",
    "FakeCall",
    "FakeTransport",
    "Hook",
    "Invocation",
    "Job",
    "JobState",
    "JobStatus",
    "Outcome",
    "QueuedInvocation",
    "Reply",
    "RetryBudget",
    "RetryPolicy",
    "Ticket",
    "TransformJob",
    "Transport",
]


def __getattr__(name: str) -> Any:
    if name == "AwsTransport":
        from defectscope.client.aws import AwsTransport

        return AwsTransport
    raise AttributeError(f"module 'defectscope.client' has no attribute {name!r}")
