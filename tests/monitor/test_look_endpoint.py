"""Suspicious seconds sent to a SageMaker endpoint: SageMaker on this machine, a real TorchServe."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import boto3
import pytest

from defectscope.client import AwsTransport, Client
from defectscope.deploy.archives import build_archives
from defectscope.errors import DefectscopeError
from defectscope.local import LocalSageMaker
from defectscope.monitor.lookers import EndpointLooker, LocalLooker
from defectscope.simulate.positive_clips import positive_clip

pytestmark = pytest.mark.long
DETECTOR, ENDPOINT = "block_corruption", "suspects"


def as_transport_stream(path: Path) -> bytes:
    out = io.BytesIO()
    with av.open(str(path)) as source, av.open(out, "w", format="mpegts") as target:
        video = source.streams.video[0]
        copied: Any = target.add_stream_from_template(video)
        for packet in source.demux(video):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
    return out.getvalue()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("archives")
    with LocalSageMaker() as cloud:
        (archive,) = build_archives(folder, [DETECTOR])
        s3, sagemaker = cloud.client("s3"), cloud.client("sagemaker")
        s3.create_bucket(Bucket="models")
        s3.upload_file(str(folder / archive.model_data), "models", "model.tar.gz")
        model = {"Image": "local", "ModelDataUrl": "s3://models/model.tar.gz"}
        role = "arn:aws:iam::123456789012:role/defectscope"
        sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=model)
        variant = {"VariantName": "main", "ModelName": "m", "InitialInstanceCount": 1}
        variant |= {"InstanceType": "ml.c6i.xlarge"}
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="c")
        waiter = sagemaker.get_waiter("endpoint_in_service")
        waiter.wait(EndpointName=ENDPOINT, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        session = boto3.Session("local", "local", region_name=cloud.region)
        transport = AwsTransport(session=session, endpoint_url=cloud.endpoint_url)
        with Client(endpoint_name=ENDPOINT, transport=transport) as made:
            yield made


def test_an_endpoint_finds_what_this_process_finds(client: Client, tmp_path: Path) -> None:
    media = as_transport_stream(positive_clip(DETECTOR, tmp_path).media)
    here = LocalLooker([DETECTOR]).look(media)
    there = EndpointLooker([DETECTOR], ENDPOINT, client).look(media)
    assert here
    assert [(f.defect, f.start_s, f.end_s) for f in there] == [
        (f.defect, f.start_s, f.end_s) for f in here
    ]


def test_what_is_no_media_is_a_typed_error(client: Client) -> None:
    with pytest.raises(DefectscopeError):
        EndpointLooker([DETECTOR], ENDPOINT, client).look(bytes(188 * 50))
