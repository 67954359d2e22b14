"""An AWS Lambda function that collects what players find.

Give it a function URL (or an API Gateway route) and name that as the player's `collector`. Every
payload that passes the checks becomes one object in a bucket, under the day and the session; bad
findings are left out one by one. Set PLAYER_BUCKET to the bucket, and PLAYER_ORIGINS to the
origins that may send, divided by spaces. The package's base install is all it needs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Any

import boto3

from defectscope.player import Collector

_s3 = None
_collector = None


def _keep(line: str) -> None:
    global _s3
    if _s3 is None:
        _s3 = boto3.client("s3")
    batch = json.loads(line)
    # Named by what it says: a payload that is delivered twice is stored once.
    named = f"{batch['session']}/{batch['number']:06d}"
    digest = hashlib.sha256(json.dumps(batch["findings"]).encode()).hexdigest()[:8]
    day = datetime.now(UTC).strftime("%Y/%m/%d")
    _s3.put_object(
        Bucket=os.environ["PLAYER_BUCKET"],
        Key=f"player/{day}/{named}-{digest}.json",
        Body=line.encode(),
        ContentType="application/json",
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes one payload; rates are bounded within each instance of the function."""
    global _collector
    if _collector is None:
        _collector = Collector(_keep, origins=set(os.environ["PLAYER_ORIGINS"].split()))
    body = event.get("body") or ""
    data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    outcome = _collector.take(data, headers.get("origin"))
    return {
        "statusCode": outcome.status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"refused": outcome.refused}),
    }
