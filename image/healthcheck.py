"""Health by a real prediction: exit code 0 when the server judges a small clip correctly."""

from __future__ import annotations

import http.client
import json
import os
import sys

from defectscope.serving.sample import sample_avi


def main() -> int:
    """Sends the built-in sample and looks at the answer."""
    port = int(os.environ.get("DEFECTSCOPE_PORT", "8080"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=50)
    try:
        headers = {"Content-Type": "application/octet-stream"}
        connection.request("POST", "/invocations", sample_avi(), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.stderr.write(f"unhealthy: {type(error).__name__}: {error}\n")
        return 1
    finally:
        connection.close()
    if response.status != 200 or not answer.get("verdicts"):
        sys.stderr.write(f"unhealthy: answered {response.status}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
