"""The process that runs moto: S3, IAM, SNS and the rest of AWS that a model needs around it.

Started as `python -m defectscope.local.moto_process ADDRESS_FILE`. It takes a free port on
loopback, writes it to the file and serves until it is killed.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

from defectscope.local.instance_types import accept_known_types
from defectscope.local.ranged_objects import read_ranges_only


def main() -> None:
    """Serves moto until the process ends."""
    # Policies such as AmazonSageMakerFullAccess must exist to be attached to a role.
    os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    # Objects above 1 MB go to disk.
    os.environ.setdefault("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(1024 * 1024))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    accept_known_types()
    read_ranges_only()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    address_file = Path(sys.argv[1])
    partial = address_file.with_suffix(".part")
    partial.write_text(str(port))
    partial.replace(address_file)
    threading.Event().wait()


if __name__ == "__main__":
    main()
