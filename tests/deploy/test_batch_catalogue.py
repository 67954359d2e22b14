"""Forty titles through batch transform, with everything that goes wrong in a night.

One title is no media and one is not there. The process that runs the first job is killed when some
of its output is stored; a worker of the second is killed while it holds a request.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from defectscope.analysis import analyze
from defectscope.local import LocalSageMaker, LocalSettings
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("live-serving"), pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::123456789012:role/defectscope"
DETECTORS = ["freeze"]
TITLES = 40
FILES = 10


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Thirty-eight short clips, each of other footage, and a file that is none."""
    folder = tmp_path_factory.mktemp("catalogue")
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


@pytest.fixture
def buckets(tmp_path):
    """S3 and the rest of AWS in a process that outlives the one that runs jobs."""
    address_file = tmp_path / "port"
    moto = subprocess.Popen(
        [sys.executable, "-m", "defectscope.local.moto_process", str(address_file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not address_file.exists():
        assert moto.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"127.0.0.1:{address_file.read_text()}"
    moto.kill()
    moto.wait()


def test_catalogue_after_a_killed_runner_and_a_killed_worker(
    buckets, archives, clips, tmp_path
) -> None:
    output = tmp_path / "november"
    settings = LocalSettings(moto_address=buckets)
    common = ["--role-arn", ROLE, "--image", "local", "--output", "s3://batches/nov/answers/"]
    common += ["--model-data-url", "s3://models/batch/model.tar.gz", "--concurrent", "2"]

    with LocalSageMaker(settings=settings) as first:
        call = _scripts(first)
        s3 = first.client("s3")
        _stock(s3, clips, archives("freeze") / "freeze" / "model.tar.gz")
        listing = tmp_path / "titles.jsonl"
        rows = [{"uri": f"s3://media/titles/{i:02d}.mp4", "duration_s": 1.6} for i in range(TITLES)]
        listing.write_text("\n".join(map(json.dumps, rows)))
        planning = ["s3://batches/nov", "--list", str(listing), "--detectors", ",".join(DETECTORS)]
        planning += ["--segment-s", "1.0", "--files-per-instance", str(FILES)]
        call("plan_transform", *planning)
        call("submit_transform", "first", "--input", "s3://batches/nov/round-1/", *common)
        _wait(lambda: len(_outputs(s3)) >= FILES // 3)
        runner = psutil.Process(first.state.pid)
        family = [runner, *runner.children(recursive=True)]
        runner.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=20)
        assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
        s3.close()

    with LocalSageMaker(settings=settings) as second:
        call = _scripts(second)
        s3, sagemaker = second.client("s3"), second.client("sagemaker")
        stored = _answers(s3)
        assert 0 < len(stored) < 2 * TITLES
        half = call("collect_transform", "s3://batches/nov", "--output", str(output))
        assert half.stdout.strip() == "s3://batches/nov/round-2/"
        early = {p.name: p.stat().st_mtime_ns for p in (output / "reports").iterdir()}
        again = call("collect_transform", "s3://batches/nov", "--output", str(output))
        assert again.stdout == half.stdout
        planned = s3.list_objects_v2(Bucket="batches", Prefix="nov/round-")["Contents"]
        assert {item["Key"].split("/")[1] for item in planned} == {"round-1", "round-2"}

        more = ["second", "--input", "s3://batches/nov/round-2/", "--retries", "3"]
        call("submit_transform", *more, *common)
        log = second.state.home / "supervisor.log"
        _wait(lambda: len(_answers(s3)) > len(stored))
        _kill_a_worker_that_holds_a_request(second, s3)
        call("watch_transform", "second")
        state = sagemaker.describe_transform_job(TransformJobName="second")
        assert state["TransformJobStatus"] == "Completed"
        repeated = [line for line in log.read_text().splitlines() if "asking again" in line]
        assert repeated
        done = call("collect_transform", "s3://batches/nov", "--output", str(output), "--html")
        answers = _answers(s3)
        s3.close()
        sagemaker.close()

    assert done.stdout.strip() == ""
    assert "38 done, 2 failed, 0 to run again" in done.stderr
    failures = json.loads((output / "failures.json").read_text())
    assert {f["uri"]: f["code"] for f in failures} == {
        "s3://media/titles/38.mp4": "unreadable_media",
        "s3://media/titles/39.mp4": "media_not_found",
    }
    pages = {path.stem for path in (output / "reports").glob("*.html")}
    assert pages == {path.stem for path in (output / "reports").glob("*.json")}
    for path in (output / "reports").glob("*.json"):
        report = json.loads(path.read_text())
        here = analyze(clips / Path(report["asset"]["uri"]).name, detectors=DETECTORS)
        assert _unlike_place(report) == _unlike_place(here.to_dict())
        assert early.get(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    # Nothing twice, nothing lost, and what the killed job had stored is still there.
    assert len(answers) == 2 * TITLES
    assert set(answers.values()) == {1}
    assert stored.keys() <= answers.keys()
    page = (output / "catalogue.html").read_text()
    assert all(f"reports/{stem}.html" in page for stem in pages)
    sys.stdout.write(
        f"runner killed with {len(stored)} of {2 * TITLES} records stored, {len(early)} reports; "
        f"{2 * TITLES - len(stored)} records run again, {len(repeated)} calls repeated\n"
    )


def _scripts(cloud: LocalSageMaker):
    """Returns a function that runs one of the scripts against a cloud."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") or "CA" in k}
    environment = {**mine, **cloud.environment(), "PYTHONWARNINGS": "ignore"}

    def call(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, str(ROOT / "sagemaker" / f"{name}.py"), *arguments, "--boto3"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    return call


def _stock(s3, clips: Path, model: Path) -> None:
    for bucket in ("media", "models", "batches"):
        s3.create_bucket(Bucket=bucket)
    for path in sorted(clips.iterdir()):
        s3.upload_file(str(path), "media", f"titles/{path.name}")
    s3.upload_file(str(model), "models", "batch/model.tar.gz")


def _outputs(s3) -> list[str]:
    listed = s3.list_objects_v2(Bucket="batches", Prefix="nov/answers/").get("Contents", [])
    return [item["Key"] for item in listed]


def _answers(s3) -> Counter[str]:
    bodies = (s3.get_object(Bucket="batches", Key=key)["Body"].read() for key in _outputs(s3))
    lines = itertools.chain.from_iterable(body.splitlines() for body in bodies)
    return Counter(json.loads(line)["id"] for line in lines)


def _unlike_place(report: dict) -> dict:
    return {k: report[k] for k in ("findings", "verdicts", "curves", "detectors")}


def _wait(condition) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def _kill_a_worker_that_holds_a_request(cloud: LocalSageMaker, s3) -> None:
    """Stops the one worker, waits until nothing moves for want of its answer, and kills it."""
    (worker,) = (
        process
        for process in psutil.Process(cloud.state.pid).children(recursive=True)
        if any("model_service_worker" in part for part in process.cmdline())
    )
    worker.suspend()
    # Two requests are in flight and this worker alone answers: it holds one of them from now on.
    time.sleep(1.0)
    before = _answers(s3)
    time.sleep(0.5)
    assert _answers(s3) == before
    assert len(before) < 2 * TITLES
    worker.kill()
