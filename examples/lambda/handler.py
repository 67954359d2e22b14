"""An AWS Lambda function that judges each file uploaded to a bucket.

The bucket's event starts it. It queues the file at the asynchronous endpoint and comes back at
once: a film takes longer than a function may run. Set DEFECTSCOPE_ASYNC_ENDPOINT to the endpoint's
name; boto3 is part of Lambda's Python runtime, so the function needs no package.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from typing import Any

import boto3

_MEDIA = (".mp4", ".mov", ".mkv", ".mxf", ".ts", ".mpg", ".webm", ".wav", ".flac")
_runtime = None


def _client() -> Any:
    # Made once per instance of the function, outside of any request.
    global _runtime
    if _runtime is None:
        _runtime = boto3.client("sagemaker-runtime")
    return _runtime


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Queues every media file of an S3 event; gives where the reports will be."""
    queued: list[dict[str, str]] = []
    for entry in event.get("Records", []):
        bucket = entry["s3"]["bucket"]["name"]
        # S3 encodes keys in events as in a form.
        key = urllib.parse.unquote_plus(entry["s3"]["object"]["key"])
        if not key.lower().endswith(_MEDIA):
            continue
        uri = f"s3://{bucket}/{key}"
        answer = _client().invoke_endpoint_async(
            EndpointName=os.environ["DEFECTSCOPE_ASYNC_ENDPOINT"],
            ContentType="application/json",
            Body=json.dumps({"uri": uri}).encode(),
            InvocationTimeoutSeconds=3600,
        )
        queued.append({"uri": uri, "report": answer["OutputLocation"]})
    return {"queued": queued}
