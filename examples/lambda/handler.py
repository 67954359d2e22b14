"""An AWS Lambda function that evaluates each file uploaded to a bucket.

The bucket's event starts it. It queues the file at the asynchronous endpoint and comes back at
once: a film takes longer than a function may run. Set DEFECTSCOPE_ASYNC_ENDPOINT to the endpoint's
name, and DEFECTSCOPE_REQUESTS to an s3:// prefix that the function may write to and the endpoint's
role may read. boto3 is part of Lambda's Python runtime, so the function needs no package; that one
may be older than 1.43.29, which alone can send a request without an object in S3.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.parse
from typing import Any

import boto3

_MEDIA = (".mp4", ".mov", ".mkv", ".mxf", ".ts", ".mpg", ".webm", ".wav", ".flac")
_clients: dict[str, Any] = {}


def _client(service: str) -> Any:
    # Made once per instance of the function, outside of any request.
    if service not in _clients:
        _clients[service] = boto3.client(service)
    return _clients[service]


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
        # Named by what it asks for: an event that is delivered twice leaves one object.
        request = json.dumps({"uri": uri}).encode()
        place = f"{os.environ['DEFECTSCOPE_REQUESTS'].rstrip('/')}/{_name(request)}.json"
        work, _, path = place.removeprefix("s3://").partition("/")
        _client("s3").put_object(Bucket=work, Key=path, Body=request)
        answer = _client("sagemaker-runtime").invoke_endpoint_async(
            EndpointName=os.environ["DEFECTSCOPE_ASYNC_ENDPOINT"],
            ContentType="application/json",
            InputLocation=place,
            InvocationTimeoutSeconds=3600,
        )
        queued.append({"uri": uri, "report": answer["OutputLocation"]})
    return {"queued": queued}


def _name(request: bytes) -> str:
    return hashlib.sha256(request).hexdigest()[:32]
