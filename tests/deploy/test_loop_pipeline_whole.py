"""The pipeline of the loop with nothing replaced: media, labels, archive, registry, endpoint."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.deploy.archives import build_archives
from defectscope.deploy.calls import Account
from defectscope.deploy.pipeline import Loop, definition
from defectscope.deploy.pipeline_run import Execution, upload
from defectscope.desk.analyzing import analyze
from defectscope.engine.artifacts import tuned
from defectscope.learning import queue_folder
from defectscope.learning.items import read_items
from defectscope.learning.labels import Label, LabelFile, now
from defectscope.learning.release_steps import Target, canary
from defectscope.simulate.synthetic.soundscape import music_like

pytestmark = pytest.mark.long

ROLE = "arn:aws:iam::123456789012:role/defectscope"
DETECTOR, HISS = "audio_artifacts", "audio_hiss"
RATE_HZ, SECONDS = 32000, 8.0
START_S, END_S = 2.0, 6.0


def sound(path: Path, seed: int, *, hisses: bool) -> Path:
    data = music_like(seed, SECONDS, RATE_HZ).copy()
    data = data if data.ndim == 2 else data[:, None]
    if hisses:
        rng = np.random.default_rng(seed)
        first, last = int(START_S * RATE_HZ), int(END_S * RATE_HZ)
        data[first:last] += rng.normal(0, 0.02, (last - first, data.shape[1]))
    with wave.open(str(path), "wb") as out:
        out.setnchannels(data.shape[1])
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(np.round(np.clip(data, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_labels_become_a_version_in_service_and_an_alarm_takes_one_back(
    cloud: Any, cloud_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in cloud_environment.items():
        monkeypatch.setenv(name, value)
    account = Account(region="us-east-1", typed=False)
    for folder in ("queue_media", "held_out", "media", "service"):
        (tmp_path / folder).mkdir()
    reports = [
        analyze(
            sound(tmp_path / "queue_media" / f"q{k}.wav", k, hisses=k % 2 == 0),
            detectors=[DETECTOR], measurements=True,
        )
        for k in range(4)
    ]  # fmt: skip
    queue_folder.add_round(tmp_path / "review", reports, count=6)
    labels = LabelFile(tmp_path / "review")
    for item in read_items(tmp_path / "review"):
        there = int(item.title[1]) % 2 == 0 and item.start_s < END_S and item.end_s > START_S
        labels.add([Label(item.id, "true" if there else "false", HISS if there else "",
                          item.start_s, item.end_s, "kn", now())])  # fmt: skip
    for k in range(4):
        path = sound(tmp_path / "held_out" / f"h{k}.wav", 50 + k, hisses=k % 2 == 0)
        where = [{"defect": HISS, "start_s": START_S, "end_s": END_S}] if k % 2 == 0 else []
        Path(f"{path}.truth.json").write_text(json.dumps({"defects": where}), "utf-8")
        sound(tmp_path / "media" / f"m{k}.wav", 90 + k, hisses=k % 2 == 0)
    (tmp_path / "service" / "README").write_text("what ships is in service", "utf-8")
    for folder in ("review", "held_out", "media", "service"):
        upload(tmp_path / folder, f"s3://qc-work/whole/{folder}", account)
    # What is in service before: the archive as it ships.
    (archive,) = build_archives(tmp_path / "archives", [DETECTOR])
    s3, sagemaker, watch = (cloud.client(n) for n in ("s3", "sagemaker", "cloudwatch"))
    s3.upload_file(str(tmp_path / "archives" / archive.model_data), "models", "whole/model.tar.gz")
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/defectscope:1"
    sagemaker.create_model(
        ModelName="before", ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": image, "ModelDataUrl": "s3://models/whole/model.tar.gz"},
    )  # fmt: skip
    variant = {"VariantName": "main", "ModelName": "before", "InitialInstanceCount": 1,
               "InstanceType": "ml.c6i.2xlarge"}  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName="before", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="learns", EndpointConfigName="before")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="learns")
    watch.put_metric_alarm(
        AlarmName="learns-errors", MetricName="Invocation5XXErrors", Namespace="AWS/SageMaker",
        Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    base = "s3://qc-work/whole"
    loop = Loop(
        f"{base}/review", f"{base}/held_out", f"{base}/service", f"{base}/media", f"{base}/loop",
        "s3://models/learned", image, ROLE, "learns", ("learns-errors",), canary_wait_s=0,
    )  # fmt: skip

    execution = Execution(
        definition(loop), {}, account, tmp_path / "first", name="first", show=print
    )
    assert execution.run(), execution.done
    assert list(execution.done) == [
        "Prepare", "Train", "Evaluate", "Accepted", "Register", "Shadow", "FindingsHold", "Canary",
        "Promoted",
    ]  # fmt: skip
    arn = execution.done["Register"]
    version = sagemaker.describe_model_package(ModelPackageName=arn)
    assert version["ModelApprovalStatus"] == "Approved"
    serving = sagemaker.describe_endpoint(EndpointName="learns")
    assert serving["EndpointStatus"] == "InService"
    assert serving["EndpointConfigName"] != "before"
    body = sound(tmp_path / "asked.wav", 7, hisses=True).read_bytes()
    answer = json.loads(
        cloud.client("sagemaker-runtime")
        .invoke_endpoint(EndpointName="learns", ContentType="audio/wav", Body=body)["Body"]
        .read()
    )
    shipped = tuned(DETECTOR).artifact["version"]
    assert answer["detectors"][DETECTOR]["version"] == f"{shipped}+labels.1"

    # The same version again while an alarm rings: no traffic moves, and it is rejected.
    watch.set_alarm_state(AlarmName="learns-errors", StateValue="ALARM", StateReason="test")
    target = Target("learns", ROLE, "ml.c6i.2xlarge", ("learns-errors",), wait_s=0)
    assert not canary(tmp_path / "first" / "Canary", target, account)
    after = sagemaker.describe_endpoint(EndpointName="learns")
    assert after["EndpointConfigName"] == serving["EndpointConfigName"]
    version = sagemaker.describe_model_package(ModelPackageName=arn)
    assert version["ModelApprovalStatus"] == "Rejected"
    sagemaker.delete_endpoint(EndpointName="learns")
