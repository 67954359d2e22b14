"""Spatial audio behind a real TorchServe: real time, asynchronous and in batch, by plain boto3.

    python benchmarks/spatial_served.py

`defectscope local` stands for SageMaker; the three must give the same samples.
"""

from __future__ import annotations

import base64
import io
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from defectscope.deploy.archives import build_archives
from defectscope.local import LocalSageMaker

ROLE = "arn:aws:iam::123456789012:role/any"
BUCKET = "sounds"


def wav() -> bytes:
    """Returns half a second of stereo noise as WAV."""
    file = io.BytesIO()
    noise = np.random.default_rng(1).normal(0, 0.1, (24_000, 2))
    soundfile.write(file, noise, 48_000, "PCM_16", format="WAV")
    return file.getvalue()


def check(body: bytes) -> dict[str, Any]:
    """Checks that an answer holds two drivers' sound of half a second."""
    answer = json.loads(body)
    for entry in answer["audio"]:
        data, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(entry["data_base64"])))
        if (rate_hz, data.shape) != (48_000, (24_000,)) or np.abs(data).max() < 0.01:
            raise SystemExit(f"{entry['name']} is not what was asked for")
    if answer["rendering"]["names"] != ["left", "right"]:
        raise SystemExit(f"two drivers were wanted: {answer['rendering']['names']}")
    return answer


def wait_for(found: Any, seconds: float = 60.0) -> Any:
    """Returns the first thing that is found.

    Raises:
        TimeoutError: Nothing came.
    """
    end = time.monotonic() + seconds
    while (value := found()) is None:
        if time.monotonic() > end:
            raise TimeoutError("nothing came")
        time.sleep(0.05)
    return value


def stored(s3: Any, key: str) -> bytes | None:
    """Returns an object, or None while it is not there."""
    try:
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def timed(name: str, made: Any) -> Any:
    """Prints how long something took, and returns what it made."""
    began = time.perf_counter()
    value = made()
    print(f"| {name} | {time.perf_counter() - began:.2f} s |", flush=True)
    return value


def main() -> None:
    """Prints a table; ends with an error where an answer is not what it must be."""
    folder = Path(tempfile.mkdtemp())
    (archive,) = build_archives(folder, ["spatial_audio"])
    with LocalSageMaker() as local:
        s3, sagemaker = local.client("s3"), local.client("sagemaker")
        runtime = local.client("sagemaker-runtime")
        s3.create_bucket(Bucket=BUCKET)
        s3.upload_file(str(folder / archive.model_data), BUCKET, "model.tar.gz")
        s3.put_object(Bucket=BUCKET, Key="in/noise.wav", Body=wav())
        data = f"s3://{BUCKET}/model.tar.gz"
        image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/defectscope:1"
        sagemaker.create_model(
            ModelName="spatial",
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": image, "ModelDataUrl": data},
        )
        variant = {"VariantName": "a", "ModelName": "spatial", "InitialInstanceCount": 1}
        variant["InstanceType"] = "ml.c6i.large"
        queue = {"OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/out"}}
        for name, more in (("now", {}), ("queue", {"AsyncInferenceConfig": queue})):
            sagemaker.create_endpoint_config(
                EndpointConfigName=name, ProductionVariants=[variant], **more
            )
            sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
            sagemaker.get_waiter("endpoint_in_service").wait(
                EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 90}
            )
        sound: dict[str, Any] = {"ContentType": "audio/wav", "Body": wav()}
        print("| half a second of stereo | answered in |\n|---|---|")
        answers: list[dict[str, Any]] = []
        for name in ("real time, first", "real time, again"):
            call = timed(name, lambda: runtime.invoke_endpoint(EndpointName="now", **sound))
            answers.append(check(call["Body"].read()))
        bad = json.dumps({"parameters": {"spatial_audio": {"device": "none"}}})
        try:
            runtime.invoke_endpoint(EndpointName="now", CustomAttributes=bad, **sound)
        except runtime.exceptions.ModelError as error:
            refused = f"{error.response['OriginalStatusCode']}: {error.response['OriginalMessage']}"
        else:
            raise SystemExit("a device that is not there was not refused")

        def queued() -> bytes:
            place = runtime.invoke_endpoint_async(
                EndpointName="queue",
                ContentType="audio/wav",
                InputLocation=f"s3://{BUCKET}/in/noise.wav",
            )["OutputLocation"]
            return wait_for(lambda: stored(s3, place.split(f"s3://{BUCKET}/")[1]))

        answers.append(check(timed("asynchronous", queued)))
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in/"}
        sagemaker.create_transform_job(
            TransformJobName="batch",
            ModelName="spatial",
            TransformInput={"ContentType": "audio/wav", "DataSource": {"S3DataSource": source}},
            TransformOutput={"S3OutputPath": f"s3://{BUCKET}/batch"},
            TransformResources={"InstanceType": "ml.c6i.large", "InstanceCount": 1},
        )
        batched = timed(
            "batch transform, its server's start included",
            lambda: wait_for(lambda: stored(s3, "batch/noise.wav.out"), 120.0),
        )
        answers.append(check(batched))
        if any(answer["audio"] != answers[0]["audio"] for answer in answers):
            raise SystemExit("the three do not give the same samples")
        print(f"\nAll give the same samples. An unknown device: {refused}")


if __name__ == "__main__":
    main()
