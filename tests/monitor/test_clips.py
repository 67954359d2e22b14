"""Clips around alarms: what is in them, what is bounded, and what a full disk costs."""

from __future__ import annotations

import time
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from defectscope.errors import InvalidParameterError
from defectscope.monitor.clips import BucketClips, ClipConfig, ClipKeeper, clip_store
from defectscope.monitor.config import read_config

CHANNEL = '[[channel]]\nname = "a"\nurl = "udp://127.0.0.1:5000"\n'


def keeper(folder: Path, **changes: float) -> ClipKeeper:
    config = ClipConfig(str(folder), before_s=2.0, after_s=1.0, **changes)
    return ClipKeeper(config, clip_store(config, "one"))


def wait_for(path: Path) -> None:
    """Waits until a file is there."""
    deadline_s = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline_s:
        time.sleep(0.005)
    assert path.exists()


def sent(clips: ClipKeeper, first_s: int, last_s: int) -> None:
    """Sends a byte a tenth of a second, which says when it came."""
    for tenth in range(10 * first_s, 10 * last_s):
        clips.push(bytes([tenth % 256]), tenth / 10)


def test_a_clip_reaches_from_before_the_defect_to_after_its_alarm(tmp_path: Path) -> None:
    clips = keeper(tmp_path)
    sent(clips, 0, 10)
    places = clips.keep("a" * 32, begun_s=6.0, now_s=9.95, frame=b"jpeg")
    sent(clips, 10, 14)
    clips.close()
    assert Path(places["clip"]).read_bytes() == bytes(range(40, 110))
    assert Path(places["thumbnail"]).read_bytes() == b"jpeg"
    assert not list(tmp_path.glob("**/*.part"))


def test_a_stream_that_ends_completes_its_clip(tmp_path: Path) -> None:
    clips = keeper(tmp_path)
    sent(clips, 0, 3)
    places = clips.keep("a" * 32, begun_s=2.0, now_s=3.0, frame=b"")
    clips.tick(now_s=5.0)
    clips.close()
    assert Path(places["clip"]).read_bytes() == bytes(range(30))
    assert "thumbnail" not in places


def test_a_storm_of_alarms_keeps_a_few_clips_and_little_memory(tmp_path: Path) -> None:
    clips = keeper(tmp_path)
    for second in range(200):
        clips.push(bytes(1_000_000), float(second) / 10)
    kept = [clips.keep(f"{k:032x}", 19.0, 20.0, b"") for k in range(50)]
    assert sum(bool(places) for places in kept) == 4
    clips.close()
    assert sum(p.stat().st_size for p in tmp_path.glob("**/*.ts")) <= 4 * 32_000_000


def test_the_newest_stay(tmp_path: Path) -> None:
    clips = keeper(tmp_path, kept=2)
    for number in range(5):
        clips.push(b"x", float(10 * number))
        places = clips.keep(f"{number:032x}", 10.0 * number, 10.0 * number, b"jpeg")
        clips.tick(10.0 * number + 5)
        wait_for(Path(places["clip"]))
    clips.close()
    names = sorted(p.name for p in tmp_path.glob("one/*"))
    assert names == [f"{n:032x}.{kind}" for n in (3, 4) for kind in ("jpg", "ts")]


def test_a_folder_that_takes_nothing_costs_the_clip_alone(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("no folder")
    clips = keeper(tmp_path)
    clips.push(b"x", 0.0)
    clips.keep("a" * 32, 0.0, 0.0, b"jpeg")
    clips.close()
    assert clips.failures == 2


def test_a_bucket_takes_clips() -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="clips")
        config = ClipConfig("s3://clips/live/")
        assert isinstance(clip_store(config, "one"), BucketClips)
        clips = ClipKeeper(config, BucketClips("clips", "live/one/", s3))
        clips.push(b"ts", 0.0)
        places = clips.keep("a" * 32, 0.0, 0.0, b"jpeg")
        clips.close()
        assert places["clip"] == f"s3://clips/live/one/{'a' * 32}.ts"
        body = s3.get_object(Bucket="clips", Key=places["clip"].removeprefix("s3://clips/"))
        assert body["Body"].read() == b"ts"
        assert body["ContentType"] == "video/mp2t"


def test_where_clips_go_is_configured() -> None:
    text = '[clips]\nplace = "/var/clips"\nbefore_s = 3\n'
    channel = read_config(text + CHANNEL).channels["a"]
    assert channel.clips == ClipConfig("/var/clips", before_s=3.0)
    assert read_config(CHANNEL).channels["a"].clips is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[clips]\nbefore_s = 3\n", "clips.place is missing"),
        ('[clips]\nplace = "ftp://a/b"\n', "line 2: clips.place is a folder or s3://"),
        ('[clips]\nplace = "a"\nafter_s = 900\n', "line 3: clips.after_s lies between 0 and 60"),
        ('[clips]\nplace = "a"\nkept = 0\n', "line 3: clips.kept is a number of clips"),
        ('[clips]\nplace = "a"\nsize = 1\n', "line 3: clips.size is not known here"),
    ],
)
def test_clips_that_make_no_sense(text: str, words: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        read_config(text + CHANNEL)
    assert words in caught.value.message
