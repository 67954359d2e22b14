"""An endpoint on this machine for benchmarks: SageMaker's API, a real TorchServe, the client."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import boto3
import psutil

from defectscope.client import AwsTransport, Client, Hook, RetryBudget, RetryPolicy
from defectscope.deploy.archives import build_archives
from defectscope.local import LocalSageMaker
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

_ROLE = "arn:aws:iam::123456789012:role/defectscope"
_NAME = "measured"


@dataclass(frozen=True)
class Live:
    """A running endpoint.

    Attributes:
        cloud: SageMaker on this machine.
        archive: The endpoint's .mar file.
        endpoint_name: The endpoint's name.
    """

    cloud: LocalSageMaker
    archive: Path
    endpoint_name: str = _NAME

    def client(
        self,
        *,
        retry: RetryPolicy | None = None,
        retry_budget: RetryBudget | None = None,
        connections: int = 32,
        hooks: Sequence[Hook] = (),
        answers: Counter[str] | None = None,
    ) -> Client:
        """Returns a client of the endpoint; the caller closes it.

        Args:
            retry: How often and how soon to repeat; the client's own policy where None.
            retry_budget: How many repetitions all calls may spend.
            connections: Connections kept.
            hooks: Told of every attempt.
            answers: Counts every answer by its HTTP status, and by the container's within it.
        """
        session = boto3.Session("local", "local", region_name=self.cloud.region)
        if answers is not None:

            def count(http_response: Any, parsed: Any, **_: Any) -> None:
                inner = parsed.get("OriginalStatusCode")
                status = str(http_response.status_code)
                answers[status if inner is None else f"{status} for the container's {inner}"] += 1

            session.events.register("after-call.sagemaker-runtime.InvokeEndpoint", count)
        transport = AwsTransport(
            session=session, endpoint_url=self.cloud.endpoint_url, max_connections=connections
        )
        return Client(
            endpoint_name=self.endpoint_name,
            transport=transport,
            retry=retry,
            retry_budget=retry_budget,
            hooks=hooks,
        )

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Returns the processes of the endpoint by what they are for."""
        found: dict[str, list[psutil.Process]] = {"workers": [], "frontend": [], "local": []}
        supervisor = psutil.Process(self.cloud.state.pid)
        for process in (supervisor, *supervisor.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                words = " ".join(process.cmdline())
                if "model_service_worker" in words:
                    found["workers"].append(process)
                elif "org.pytorch.serve" in words and "process_guard" not in words:
                    found["frontend"].append(process)
                elif "moto" in words or "defectscope.local" in words:
                    found["local"].append(process)
        return found


@contextlib.contextmanager
def live_endpoint(detector: str) -> Iterator[Live]:
    """Brings an endpoint with one detector into service, and everything down afterwards."""
    with tempfile.TemporaryDirectory() as scratch, LocalSageMaker() as cloud:
        folder = Path(scratch)
        (archive,) = build_archives(folder, [detector])
        s3, sagemaker = cloud.client("s3"), cloud.client("sagemaker")
        s3.create_bucket(Bucket="models")
        s3.upload_file(str(folder / archive.model_data), "models", "model.tar.gz")
        container = {"Image": "local", "ModelDataUrl": "s3://models/model.tar.gz"}
        sagemaker.create_model(ModelName=_NAME, ExecutionRoleArn=_ROLE, PrimaryContainer=container)
        variant = {
            "VariantName": "main",
            "ModelName": _NAME,
            "InstanceType": "ml.c6i.xlarge",
            "InitialInstanceCount": 1,
        }
        sagemaker.create_endpoint_config(EndpointConfigName=_NAME, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=_NAME, EndpointConfigName=_NAME)
        waiter = sagemaker.get_waiter("endpoint_in_service")
        waiter.wait(EndpointName=_NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        s3.close()
        sagemaker.close()
        yield Live(cloud, folder / archive.mar)


def megabyte_clip(path: Path) -> bytes:
    """Writes three seconds of 640x360 H.264 with AAC, about 1 MB."""
    rate = Fraction(25)
    video = VideoEncoding(640, 360, rate, crf=None, bit_rate=2_700_000, gop_frames=25)
    write_clip(
        path,
        frames=Footage(seed=4, width=640, height=360, rate=rate, frames=75),
        runs=runs_of(music_like(4, 3.0, 48_000)),
        video=video,
        audio=AudioEncoding(),
    )
    return path.read_bytes()


def small_clip(path: Path) -> bytes:
    """Writes half a second of 160x96 H.264, about 20 kB: quick to analyze, many calls."""
    rate = Fraction(25)
    write_clip(
        path,
        frames=Footage(seed=4, width=160, height=96, rate=rate, frames=13),
        video=VideoEncoding(160, 96, rate, preset="ultrafast"),
    )
    return path.read_bytes()
