"""The scripts, from create to collect and delete, against SageMaker on this machine."""

from __future__ import annotations

import json
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import boto3
import psutil
import pytest

from defectscope.client import AwsTransport, Client
from defectscope.detectors import analyze
from defectscope.errors import MediaNotFoundError, UnreadableMediaError
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.material import Footage

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("live-serving"), pytest.mark.timeout(900)]

ROLE = "arn:aws:iam::123456789012:role/defectscope"
DETECTORS = ["freeze"]
TITLES = 40


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Thirty-eight short clips, each of other footage."""
    folder = tmp_path_factory.mktemp("titles")
    rate = Fraction(25)
    for index in range(TITLES - 2):
        footage = Footage(seed=index, width=160, height=96, rate=rate, frames=40, cuts_s=(0.8,))
        write_clip(
            folder / f"{index:02d}.mp4",
            frames=iter(footage),
            video=VideoEncoding(160, 96, rate, preset="ultrafast"),
        )
    (folder / "38.mp4").write_bytes(b"this is no video" * 100)
    return folder


@pytest.fixture(scope="module", autouse=True)
def titles(cloud, clips):
    s3 = cloud.client("s3")
    for path in sorted(clips.iterdir()):
        s3.upload_file(str(path), "media", f"titles/{path.name}")
    s3.close()


def _unlike_place(report: dict) -> dict:
    return {k: report[k] for k in ("findings", "verdicts", "curves", "detectors")}


def test_endpoint_from_create_to_delete(cloud, archives, script, clips) -> None:
    folder = archives("freeze")
    wanted = ["qc", "--role-arn", ROLE, "--image", "local", "--archives", str(folder)]
    wanted += ["--archive", "freeze", "--model-prefix", "s3://models/defectscope"]
    wanted += ["--max-instances", "3", "--calls-per-minute", "12", "--instance-type"]
    made = script("create_endpoint", *wanted, "ml.c6i.xlarge", sdk=True)
    assert "endpoint qc: made" in made.stderr
    again = script("create_endpoint", *wanted, "ml.c6i.xlarge")
    assert again.stderr.count("there already") == 3
    listed = json.loads(script("list_endpoints", "--json").stdout)
    assert [(e["name"], e["state"]) for e in listed] == [("qc", "InService")]
    session = boto3.Session("x", "y", region_name="us-east-1")
    transport = AwsTransport(session=session, endpoint_url=cloud.endpoint_url)
    with Client(endpoint_name="qc", transport=transport) as client:
        got = client.analyze(clips / "00.mp4", detectors=DETECTORS)
        here = analyze(clips / "00.mp4", detectors=DETECTORS)
        assert _unlike_place(got.to_dict()) == _unlike_place(here.to_dict())
        cut = client.analyze("s3://media/titles/00.mp4", detectors=DETECTORS, segment_s=0.7)
        assert _unlike_place(cut.to_dict()) == _unlike_place(here.to_dict())
        with pytest.raises(UnreadableMediaError) as bad:
            client.analyze(clips / "38.mp4")
        assert bad.value.request_id
        with pytest.raises(MediaNotFoundError):
            client.analyze("s3://media/titles/none.mp4", segment_s=0)
    updated = script("update_endpoint", *wanted, "ml.c6i.2xlarge", "--rollout", "all_at_once")
    assert "endpoint qc: updating" in updated.stderr
    script("delete_endpoint", "qc")
    assert "not there" in script("delete_endpoint", "qc").stderr


def test_catalogue_with_a_bad_a_missing_and_a_killed(
    cloud, archives, script, clips, tmp_path
) -> None:
    model = archives("freeze") / "freeze" / "model.tar.gz"
    s3, sagemaker = cloud.client("s3"), cloud.client("sagemaker")
    s3.upload_file(str(model), "models", "batch/model.tar.gz")
    listing = tmp_path / "titles.jsonl"
    rows = [{"uri": f"s3://media/titles/{i:02d}.mp4", "duration_s": 1.6} for i in range(TITLES)]
    listing.write_text("\n".join(map(json.dumps, rows)))
    script(
        "plan_transform",
        *("s3://work/nov", "--list", str(listing), "--detectors", ",".join(DETECTORS)),
        *("--segment-s", "1.0", "--files-per-instance", "10"),
    )
    common = ["--role-arn", ROLE, "--image", "local", "--output", "s3://work/nov/answers/"]
    common += ["--model-data-url", "s3://models/batch/model.tar.gz", "--instance-type"]
    common += ["ml.c6i.xlarge", "--concurrent", "2"]
    script("submit_transform", "first", "--input", "s3://work/nov/round-1/", *common)
    time.sleep(2.0)
    # The run is cut off half way: SageMaker stores nothing of a job that is stopped.
    sagemaker.stop_transform_job(TransformJobName="first")
    assert "first: Stopped" in script("watch_transform", "first").stderr
    output = tmp_path / "november"
    half = script("collect_transform", "s3://work/nov", "--output", str(output))
    first_reports = {p.name: p.stat().st_mtime_ns for p in (output / "reports").iterdir()}
    assert half.stdout.strip() == "s3://work/nov/round-2/"
    again = ["second", "--input", "s3://work/nov/round-2/", "--retries", "3"]
    script("submit_transform", *again, *common)
    _wait_for_answers(s3, 1)
    _kill_a_worker()
    script("watch_transform", "second")
    state = sagemaker.describe_transform_job(TransformJobName="second")
    assert state["TransformJobStatus"] == "Completed"
    done = script("collect_transform", "s3://work/nov", "--output", str(output))
    assert done.stdout.strip() == ""
    assert "38 done, 2 failed, 0 to run again" in done.stderr
    failures = json.loads((output / "failures.json").read_text())
    assert {f["uri"]: f["code"] for f in failures} == {
        "s3://media/titles/38.mp4": "unreadable_media",
        "s3://media/titles/39.mp4": "media_not_found",
    }
    for path in (output / "reports").iterdir():
        report = json.loads(path.read_text())
        here = analyze(clips / Path(report["asset"]["uri"]).name, detectors=DETECTORS)
        assert _unlike_place(report) == _unlike_place(here.to_dict())
        assert first_reports.get(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    listed = s3.list_objects_v2(Bucket="work", Prefix="nov/answers/")["Contents"]
    answers = Counter(
        json.loads(line)["id"]
        for item in listed
        for line in s3.get_object(Bucket="work", Key=item["Key"])["Body"].read().splitlines()
    )
    assert len(answers) == 2 * TITLES
    assert set(answers.values()) == {1}
    assert "</html>" in (output / "catalogue.html").read_text()
    s3.close()
    sagemaker.close()


def _wait_for_answers(s3, least: int) -> int:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        found = s3.list_objects_v2(Bucket="work", Prefix="nov/answers/").get("KeyCount", 0)
        if found >= least:
            return found
        time.sleep(0.05)
    raise AssertionError("no answers")


def _kill_a_worker() -> None:
    workers = [
        process
        for process in psutil.Process().children(recursive=True)
        if any("model_service_worker" in part for part in process.cmdline())
    ]
    assert workers
    workers[0].kill()
