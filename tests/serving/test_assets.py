from __future__ import annotations

import contextlib
import hashlib
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import boto3
import numpy as np
import pytest
from moto import mock_aws

from defectscope.analysis import analyze, decide
from defectscope.errors import DefectscopeError, MediaError, MediaUnavailableError
from defectscope.media import open_media, s3
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.ranged import RangedFile
from defectscope.media.writer import write_clip
from defectscope.serving import assets
from defectscope.serving.assets import open_asset
from defectscope.serving.codec import AnalysisRequest
from defectscope.serving.sample import BLACK_S, DROPOUT_S, FREEZE_S, sample_avi
from defectscope.serving.settings import ServingSettings
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

SERVES = ("audio_dropout", "black_frames", "freeze")
RATE = Fraction(12)
LENGTH_S = 180


@pytest.fixture(scope="session")
def sample() -> bytes:
    return sample_avi()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3.default_client.cache_clear()
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="films")
        yield client
    s3.default_client.cache_clear()


def run(request: AnalysisRequest, settings: ServingSettings | None = None):
    with contextlib.closing(open_asset(request, settings or ServingSettings(), SERVES)) as asset:
        return decide(asset.measure(), keep_measurements=request.measurements)


def facts(report: Any) -> list[tuple[str, float, float]]:
    return [(f.defect, f.start_s, f.end_s) for f in report.findings]


def comparable(report: Any) -> dict[str, Any]:
    return json.loads(replace(report, timing={}, asset={}).to_json())


def test_the_sample_is_the_same_everywhere(sample: Any):
    digest = hashlib.sha256(sample).hexdigest()
    assert digest == "6603bdeedf9ea2e90f8dc30a3e5f2d22cc48c6e4192f77613054731b46026fb7"


def test_the_sample_has_the_defects_that_it_says(sample: Any):
    assert facts(run(AnalysisRequest(media=sample))) == [
        ("black_frames", *BLACK_S),
        ("audio_dropout", *DROPOUT_S),
        ("freeze", *FREEZE_S),
    ]


def test_an_object_is_analyzed_as_the_upload_is(sample: Any, bucket: Any):
    bucket.put_object(Bucket="films", Key="dir/clip.avi", Body=sample)
    report = run(AnalysisRequest(uri="s3://films/dir/clip.avi"))
    assert comparable(report) == comparable(run(AnalysisRequest(media=sample)))
    assert report.asset["uri"] == "s3://films/dir/clip.avi"


def test_segments_merge_to_one_pass(sample: Any, bucket: Any):
    bucket.put_object(Bucket="films", Key="clip.avi", Body=sample)
    parts = [
        run(
            AnalysisRequest(uri="s3://films/clip.avi", start_s=a, end_s=b, measurements=True)
        ).to_dict()
        for a, b in ((None, 1.5), (1.5, 2.52), (2.52, None))
    ]
    merged = run(AnalysisRequest(merge=tuple(json.loads(json.dumps(parts)))))
    assert facts(merged) == facts(run(AnalysisRequest(media=sample)))


def test_segments_that_claim_more_than_memory_holds_are_refused(sample: Any):
    part = run(AnalysisRequest(media=sample, measurements=True)).to_dict()
    part = json.loads(json.dumps(part))
    columns = part["measurements"][0]["tables"].popitem()[1]["columns"]
    bomb = {"type": "d", "length": 49_000_000, "data": ""}
    part["measurements"][0]["tables"] = {
        "t": {"ticks_hz": [1, 1], "columns": {**columns, "a": bomb, "b": bomb, "c": bomb}}
    }
    with pytest.raises(MediaError) as caught:
        run(AnalysisRequest(merge=(part,)))
    assert (caught.value.code, caught.value.http_status) == ("body_too_large", 413)


def test_every_address_is_checked_before_any_is_fetched(bucket: Any):
    request = AnalysisRequest(uri="s3://films/none.avi", captions_uri="s3://secrets/a.vtt")
    with pytest.raises(MediaError) as caught:
        run(request, ServingSettings(allowed_buckets=("films",)))
    assert caught.value.code == "media_refused"


def test_options_reach_the_detectors(sample: Any):
    report = run(AnalysisRequest(media=sample, detectors=("freeze",), start_s=0.0, end_s=2.0))
    assert list(report.verdicts) == ["freeze"]
    assert facts(report) == []
    with pytest.raises(DefectscopeError) as caught:
        run(AnalysisRequest(media=sample, parameters={"freeze": {"nonsense": 1}}))
    assert caught.value.code == "invalid_parameter"


def test_sound_tracks_and_programmes_are_chosen_as_in_process(sample: Any):
    request = AnalysisRequest(media=sample, audio_layout="mono=1")
    assert comparable(run(request)) == comparable(
        analyze(sample, detectors=SERVES, audio_layout="mono=1")
    )
    for wrong in (
        AnalysisRequest(media=sample, audio_layout="5.1=1-6"),
        AnalysisRequest(media=sample, audio_layout="7 of 9"),
        AnalysisRequest(media=sample, program=9),
    ):
        with pytest.raises(DefectscopeError) as caught:
            run(wrong)
        assert (caught.value.code, caught.value.http_status) == ("invalid_parameter", 400)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (ServingSettings(max_pixels=1000), "too_many_pixels"),
        (ServingSettings(max_duration_s=3.0), "media_too_long"),
        (ServingSettings(max_streams=1), "too_many_streams"),
        (ServingSettings(time_limit_s=1e-9), "time_limit_exceeded"),
    ],
)
def test_limits_end_a_request(sample: Any, settings: Any, code: Any):
    with pytest.raises(MediaError) as caught:
        run(AnalysisRequest(media=sample), settings)
    assert caught.value.code == code
    assert caught.value.http_status == (422 if code == "time_limit_exceeded" else 413)


def test_objects_and_captions_have_limits(sample: Any, bucket: Any):
    bucket.put_object(Bucket="films", Key="clip.avi", Body=sample)
    with pytest.raises(MediaError) as caught:
        run(AnalysisRequest(uri="s3://films/clip.avi"), ServingSettings(max_object_bytes=1000))
    assert (caught.value.code, caught.value.http_status) == ("object_too_large", 413)
    with pytest.raises(MediaError) as caught:
        run(
            AnalysisRequest(media=sample, captions_uri="s3://films/clip.avi"),
            ServingSettings(max_captions_bytes=1000),
        )
    assert caught.value.code == "object_too_large"


def test_captions_come_from_their_own_address(sample: Any, bucket: Any):
    bucket.put_object(Bucket="films", Key="c.srt", Body=b"1\n00:00:00,000 --> 00:00:01,000\nHi\n")
    assert run(AnalysisRequest(media=sample, captions_uri="s3://films/c.srt")).verdicts
    bucket.put_object(Bucket="films", Key="bad.srt", Body=b"\xff\x00\xfe")
    with pytest.raises(DefectscopeError) as caught:
        run(AnalysisRequest(media=sample, captions_uri="s3://films/missing.srt"))
    assert caught.value.code == "media_not_found"


@pytest.fixture
def reads_from(monkeypatch: pytest.MonkeyPatch):
    """Makes every address name a file of our own making."""

    def use(fetch: Any, size: int) -> AnalysisRequest:
        file = RangedFile(fetch, size, name="x.avi")

        def opened(uri: str, settings: Any) -> RangedFile:
            return file

        monkeypatch.setattr("defectscope.serving.assets.open_uri", opened)
        return AnalysisRequest(uri="s3://films/x.avi")

    return use


def test_a_read_that_fails_half_way_is_never_taken_for_the_end(sample: Any, reads_from: Any):
    def fetch(first: int, last: int) -> bytes:
        if last > 2_000_000 and first < 2_800_000:
            raise MediaUnavailableError("the network is gone")
        return sample[first:last]

    with pytest.raises(MediaUnavailableError, match="network is gone"):
        run(reads_from(fetch, len(sample)))


def test_the_time_limit_holds_while_measuring(sample: Any, reads_from: Any):
    def slow(first: int, last: int) -> bytes:
        time.sleep(0.05)
        return sample[first:last]

    began = time.monotonic()
    with pytest.raises(MediaError) as caught:
        run(reads_from(slow, len(sample)), replace(ServingSettings(), time_limit_s=0.3))
    assert caught.value.code == "time_limit_exceeded"
    assert time.monotonic() - began < 20.0


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three minutes at about 1 Mbit/s, the index at the head or at the tail."""
    folder = tmp_path_factory.mktemp("long")
    random = np.random.default_rng(9)
    noise = random.integers(40, 200, (72 * 4, 128 * 4), np.uint8)
    grey = np.full((36, 64), 128, np.uint8)

    def frames() -> Iterator[Frame]:
        for pts in range(LENGTH_S * RATE.numerator):
            y, x = (pts * 7) % 200, (pts * 13) % 380
            luma = noise[y : y + 72, x : x + 128]
            planes = (Plane(luma, 128, 72), Plane(grey, 64, 36), Plane(grey, 64, 36))
            yield Frame(pts, 1, planes, 8)

    encoding = VideoEncoding(128, 72, RATE, crf=28.0, gop_frames=24, preset="ultrafast")
    sound = music_like(3, 10.0, 48000)
    clips = {place: folder / f"{place}.mp4" for place in ("tail", "head")}
    clips["ts"] = folder / "clip.ts"
    write_clip(
        clips["tail"],
        frames=frames(),
        runs=runs_of(np.tile(sound, (LENGTH_S // 10, 1))),
        video=encoding,
        audio=AudioEncoding(),
    )
    for place, options in (("head", {"movflags": "+faststart"}), ("ts", {})):
        with (
            av.open(str(clips["tail"])) as source,
            av.open(str(clips[place]), "w", options=options) as target,
        ):
            streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    target.mux(packet)
    return clips


@pytest.mark.slow
@pytest.mark.parametrize("place", ["head", "tail", "ts"])
def test_a_minute_costs_about_a_minutes_bytes(long_clips: Any, place: Any):
    data = long_clips[place].read_bytes()
    start_s, end_s = 60.0, 120.0
    own = every = 0
    with av.open(io.BytesIO(data), "r") as container:
        for packet in container.demux():
            every += packet.size
            if packet.pts is not None and start_s <= packet.pts * packet.time_base < end_s:
                own += packet.size
    index_bytes = 0
    if place == "ts":
        # Its packets carry headers of their own, which a minute has its share of.
        own *= len(data) / every
    else:
        index = data.index(b"moov")
        index_bytes = int.from_bytes(data[index - 4 : index], "big")
    file = RangedFile(lambda first, last: data[first:last], len(data), name="x.mp4")
    report = analyze(file, detectors=SERVES, start_s=start_s, end_s=end_s)
    assert set(report.verdicts) == set(SERVES)
    assert own > 3_000_000
    assert file.bytes_fetched - index_bytes <= 1.5 * own
    # And what it read is what it was meant to read.
    of_path = analyze(str(long_clips[place]), detectors=SERVES, start_s=start_s, end_s=end_s)
    assert comparable(report) == comparable(of_path)


def test_a_report_counts_opening_as_part_of_the_analysis(sample: bytes, monkeypatch: Any):
    opening_s = 0.3

    def slowly(*args: Any, **options: Any) -> Any:
        time.sleep(opening_s)
        return open_media(*args, **options)

    monkeypatch.setattr(assets, "open_media", slowly)
    report = run(AnalysisRequest(media=sample, detectors=("freeze",)))
    assert report.timing["wall_s"] >= opening_s
