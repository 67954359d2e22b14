"""What every part of the local SageMaker shares: settings, moto, addresses and a folder."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from defectscope.local.moto_backend import MotoBackend
from defectscope.local.settings import LocalSettings


@dataclass(frozen=True)
class Workplace:
    """The one place that the supervisor sets up and everything else works in.

    Attributes:
        settings: Limits and times.
        moto: The rest of AWS.
        url: The address that serves all of AWS, this server's own.
        folder: Private folder for what jobs and endpoints keep on disk.
        starts: Lets two TorchServes start at a time: more would only slow each other down.
    """

    settings: LocalSettings
    moto: MotoBackend
    url: str
    folder: Path
    starts: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2))
