"""Two encodes of a catalogue through plan, transform, collect and compare, on this machine."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from defectscope.cli.main import main
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.run import simulate_file
from defectscope.simulate.synthetic.material import Footage

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("live-serving"), pytest.mark.timeout(900)]

ROLE = "arn:aws:iam::123456789012:role/defectscope"
TITLES = 8


@pytest.fixture(scope="module")
def encodes(tmp_path_factory):
    """Titles as they were, and as a release leaves them that stalls in each."""
    folder = tmp_path_factory.mktemp("encodes")
    rate = Fraction(25)
    for side in ("old", "new"):
        (folder / side).mkdir()
    for number in range(TITLES):
        footage = Footage(seed=number, width=160, height=96, rate=rate, frames=60)
        video = VideoEncoding(160, 96, rate, preset="ultrafast")
        write_clip(folder / "old" / f"{number}.mp4", frames=iter(footage), video=video)
        simulate_file(
            "freeze",
            folder / "old" / f"{number}.mp4",
            folder / "new" / f"{number}.mp4",
            start_s=0.8,
            duration_s=0.8,
        )
    return folder


def test_pairs_are_planned_transformed_collected_and_compared(
    cloud, archives, script, encodes, tmp_path, capsys
) -> None:
    s3 = cloud.client("s3")
    for path in sorted(encodes.rglob("*.mp4")):
        s3.upload_file(str(path), "media", f"pairs/{path.parent.name}/{path.name}")
    s3.upload_file(str(encodes / "old" / "0.mp4"), "media", "pairs/new/alone.mp4")
    archive = archives("freeze") / "freeze" / "model.tar.gz"
    s3.upload_file(str(archive), "models", "pairs/model.tar.gz")
    s3.close()
    work = "s3://qc-work/pairs"
    sides = ["--prefix", "s3://media/pairs/old/", "--candidate", "s3://media/pairs/new/"]
    planned = script("plan_transform", work, *sides, "--detectors", "freeze")
    assert "alone.mp4: without a counterpart, left out" in planned.stderr
    assert f"{2 * TITLES} assets" in planned.stderr
    job = ["pairs", "--input", f"{work}/round-1/", "--output", f"{work}/answers/"]
    job += ["--role-arn", ROLE, "--image", "local"]
    script("submit_transform", *job, "--model-data-url", "s3://models/pairs/model.tar.gz")
    script("watch_transform", "pairs")
    out = tmp_path / "out"
    collected = script("collect_transform", work, "--output", str(out))
    assert f"{TITLES} of {TITLES} pairs are whole" in collected.stderr
    folders = [str(out / "pairs" / side) for side in ("baseline", "candidate")]
    result = tmp_path / "result.json"
    assert main(["compare", *folders, "--json", str(result), "--fail-on-worse"]) == 1
    found = json.loads(result.read_text())
    assert found["verdict"] == "worse"
    assert {title["verdict"] for title in found["titles"].values()} == {"worse"}
    assert found["failed"] == {}
    assert main(["compare", folders[0], folders[0], "--fail-on-worse"]) == 0
    assert "no difference seen" in capsys.readouterr().out
