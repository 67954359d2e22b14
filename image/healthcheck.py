"""Docker's health check: exit code 0 while the container says that its model predicts.

`/ping` tells what predictions tell; a prediction of its own would be counted as a caller's.
"""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    """Asks /ping."""
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or os.environ.get("DEFECTSCOPE_PORT", 8080))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/ping")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"unhealthy: {type(error).__name__}: {error}\n")
        return 1
    finally:
        connection.close()
    if status != 200:
        sys.stderr.write(f"unhealthy: answered {status}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
