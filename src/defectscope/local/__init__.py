"""SageMaker on one machine: real TorchServe behind a server that speaks SageMaker.

from defectscope.local import LocalSageMaker

with LocalSageMaker() as local:
    sagemaker = local.client("sagemaker")  # unmodified boto3
"""

from __future__ import annotations

from defectscope.local.lifecycle import (
    LocalSageMaker,
    LocalState,
    LocalStatus,
    down,
    env,
    status,
    up,
)
from defectscope.local.settings import LocalSettings

__all__ = [
    "LocalSageMaker",
    "LocalSettings",
    "LocalState",
    "LocalStatus",
    "down",
    "env",
    "status",
    "up",
]
