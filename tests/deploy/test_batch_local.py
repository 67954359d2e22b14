"""The scripts, from create to collect and delete, against SageMaker on this machine."""

from __future__ import annotations

import json
from fractions import Fraction

import boto3
import pytest

from defectscope.analysis import analyze
from defectscope.client import AwsTransport, Client
from defectscope.errors import MediaNotFoundError, UnreadableMediaError
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("live-serving"), pytest.mark.timeout(900)]

ROLE = "arn:aws:iam::123456789012:role/defectscope"
DETECTORS = ["freeze"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A short clip and a file that is none."""
    folder = tmp_path_factory.mktemp("titles")
    rate = Fraction(25)
    footage = Footage(seed=0, width=160, height=96, rate=rate, frames=40, cuts_s=(0.8,))
    video = VideoEncoding(160, 96, rate, preset="ultrafast")
    write_clip(folder / "00.mp4", frames=iter(footage), video=video)
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
