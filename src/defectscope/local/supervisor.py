"""The process that is SageMaker on this machine: started by `lifecycle`, ended by SIGTERM.

`main()` with `--home DIR [--port N] [--settings JSON] [--attached]`

Whatever ends it, its guards end moto and every TorchServe. `--attached` makes it end with the
process at the other end of its standard input, too.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from defectscope.container.http_server import HttpServer
from defectscope.container.messages import HttpRequest, Reply
from defectscope.errors import LocalError
from defectscope.local.moto_backend import MotoBackend
from defectscope.local.service import Service
from defectscope.local.settings import LocalSettings
from defectscope.local.workplace import Workplace

STATE_FILE = "state.json"


def _watch_parent(ended: threading.Event) -> None:
    """Sets the event when standard input ends, that is when the starting process is gone."""
    while os.read(0, 4096):
        continue
    ended.set()


def serve(home: Path, *, port: int, settings: LocalSettings, attached: bool) -> None:
    """Serves until SIGTERM, and removes `home` at the end.

    Args:
        home: Private folder; its state.json appears when everything is ready.
        port: Port to listen on; 0 takes a free one.
        settings: Limits and times.
        attached: Whether to end with the parent.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signum, _frame: ended.set())
    if attached:
        threading.Thread(target=_watch_parent, args=(ended,), daemon=True).start()
    else:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    service: Service | None = None
    server: HttpServer | None = None
    moto: MotoBackend | None = None
    os.environ["TMPDIR"] = str(home / "tmp")
    (home / "tmp").mkdir(exist_ok=True)
    tempfile.tempdir = None
    try:
        moto = MotoBackend(home / "moto", address=settings.moto_address)

        def answer(request: HttpRequest) -> Reply:
            assert service is not None  # requests are taken once it is there
            return service.answer(request)

        try:
            server = HttpServer(
                "127.0.0.1",
                port,
                answer,
                max_connections=settings.max_connections,
                idle_timeout_s=settings.idle_timeout_s,
            )
        except OSError as error:
            raise LocalError(f"port {port} cannot be had: {error.strerror}") from None
        work = home / "work"
        work.mkdir(exist_ok=True)
        service = Service(Workplace(settings, moto, server.url, work))
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        _write_state(home, server.url, settings)
        ended.wait()
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()
        if service is not None:
            service.stop()
        if moto is not None:
            moto.stop()
        shutil.rmtree(home, ignore_errors=True)


def _write_state(home: Path, url: str, settings: LocalSettings) -> None:
    state = {
        "endpoint_url": url,
        "pid": os.getpid(),
        "region": settings.region,
        "started": time.time(),
    }
    partial = home / f"{STATE_FILE}.part"
    partial.write_text(json.dumps(state))
    partial.replace(home / STATE_FILE)


def main() -> int:
    """Parses the command line and serves."""
    parser = argparse.ArgumentParser(description="SageMaker on this machine")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--attached", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        serve(
            options.home,
            port=options.port,
            settings=LocalSettings.from_json(options.settings),
            attached=options.attached,
        )
    except LocalError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
