"""Stream integrity: damage and clock faults are found where they are, sound files stay silent."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.analysis import analyze
from defectscope.detectors.stream_integrity import StreamIntegrity
from defectscope.detectors.stream_integrity.faults import Fault, joined
from defectscope.detectors.stream_integrity.steps import StepMeter, gaps
from defectscope.engine.artifacts import tuned
from defectscope.findings import Finding
from defectscope.measurements import Measurements, Table
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.stream import AudioInfo, StreamInfo, VideoInfo
from defectscope.media.writer import write_clip
from defectscope.simulate.run import impair_file, job, stream_of
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

RATE = Fraction(25)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("integrity") / "clean.mkv"
    write_clip(
        path,
        frames=Footage(seed=5, width=160, height=96, frames=150),
        runs=runs_of(music_like(2, 6.0, 48000)),
        video=VideoEncoding(160, 96, RATE, gop_frames=25),
        audio=AudioEncoding(),
    )
    return path


def findings(path: Path) -> tuple[Finding, ...]:
    return analyze(path, detectors=["stream_integrity"]).findings


def made(clean: Path, target: Path, **overrides: object) -> tuple[float, float]:
    plan = job(
        "stream_integrity",
        stream_of(clean),
        seed=4,
        start_s=2.0,
        duration_s=1.0,
        severity=4.0,
        overrides=overrides,
    )
    truth = impair_file(clean, target, [plan])
    return truth[0].start_s, truth[0].end_s


def test_a_sound_file_is_silent(clean: Path) -> None:
    assert findings(clean) == ()


def test_lost_frames_leave_a_gap(clean: Path, tmp_path: Path) -> None:
    target = tmp_path / "lost.mkv"
    start_s, end_s = made(clean, target, kind="lost_video", share=1.0)
    found = findings(target)
    assert found
    assert any(f.start_s <= end_s and f.end_s >= start_s - 0.1 for f in found)
    assert all(start_s - 1.0 <= f.start_s <= end_s + 1.0 for f in found)


def stream_with(video_s: float, audio_s: float, offset_s: float) -> StreamInfo:
    return StreamInfo(
        uri="x",
        container="matroska",
        duration_s=max(video_s, audio_s),
        video=VideoInfo(160, 96, 80, 48, 8, "yuv420p", RATE, Fraction(1, 25), "h264"),
        audio=AudioInfo(48000, ("FL", "FR"), "stereo", "aac"),
        audio_start_s=offset_s,
        video_duration_s=video_s,
        audio_duration_s=audio_s,
    )


def decided(stream: StreamInfo) -> tuple[Finding, ...]:
    from array import array

    columns = {"at": array("q"), "kind": array("B"), "amount_s": array("f")}
    columns |= {"video": array("B"), "track": array("h")}
    steps = {"at": array("q"), "step": array("q"), "stated": array("q")}
    tables = {
        "events": Table((90000, 1), columns),
        "keys": Table((90000, 1), {"at": array("q")}),
        "ends": Table((90000, 1), {"at": array("q"), "track": array("h")}),
        "steps": Table((25, 1), steps),
    }
    measured = Measurements("stream_integrity", tables)
    detector = StreamIntegrity(tuned=tuned("stream_integrity"))
    return detector.decide(measured, stream).findings


def test_clocks_that_agree_are_silent() -> None:
    assert decided(stream_with(60.0, 60.02, 0.02)) == ()


def test_a_late_start_is_named_with_its_size() -> None:
    (finding,) = decided(stream_with(60.0, 59.2, 0.8))
    assert finding.evidence["kind"] == "start_mismatch"
    assert finding.evidence["jump_s"] == pytest.approx(0.8)
    assert finding.severity == "major"


def test_sound_that_ends_early_is_named_with_its_span() -> None:
    (finding,) = decided(stream_with(60.0, 45.0, 0.0))
    assert finding.evidence["kind"] == "length_mismatch"
    assert (finding.start_s, finding.end_s) == (45.0, 60.0)
    assert finding.severity == "critical"


def test_samples_that_are_no_numbers_are_one_finding(tmp_path: Path) -> None:
    sound = np.full((4 * 48000, 2), 0.05, np.float32)
    sound[48000:48100, 0] = np.nan
    sound[48200, 1] = np.inf
    path = tmp_path / "broken.wav"
    soundfile.write(path, sound, 48000, subtype="FLOAT")
    (finding,) = findings(path)
    assert finding.evidence["kind"] == "invalid_samples"
    assert (finding.start_s, finding.end_s) == (pytest.approx(1.0), pytest.approx(1.04, abs=0.03))


def test_a_frame_that_changes_size_is_one_finding(tmp_path: Path) -> None:
    parts = []
    for number, (width, height) in enumerate(((160, 96), (192, 128))):
        part = tmp_path / f"{number}.ts"
        write_clip(
            part,
            frames=(
                replace(frame, pts=frame.pts + 50 * number)
                for frame in Footage(seed=5, width=width, height=height, frames=50)
            ),
            video=VideoEncoding(width, height, RATE),
        )
        parts.append(part.read_bytes())
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(parts))
    (finding,) = [f for f in findings(path) if f.evidence["kind"] == "size_change"]
    assert finding.start_s == pytest.approx(2.0, abs=0.1)
    assert finding.end_s == pytest.approx(4.0, abs=0.2)


def test_samples_beyond_any_recording_are_one_finding_and_overflow_nothing(tmp_path: Path) -> None:
    sound = np.full((3 * 48000, 2), 0.05, np.float64)
    sound[48000:48100, 0] = 1e30
    sound[48200, 1] = -1e300
    path = tmp_path / "wild.wav"
    soundfile.write(path, sound, 48000, subtype="DOUBLE")
    report = analyze(
        path, detectors=["stream_integrity", "loudness", "stereo_image", "audio_dropout"]
    )
    (finding,) = [f for f in report.findings if f.detector == "stream_integrity"]
    assert finding.evidence["kind"] == "invalid_samples"
    assert finding.start_s == pytest.approx(1.0)
    # JSON has no infinity: this raises where a measure overflowed.
    assert "1e30" not in report.to_json()


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(25, 2)])
def test_a_jump_is_one_finding_though_it_changes_the_average_rate(
    rate: Fraction, tmp_path: Path
) -> None:
    path, target = tmp_path / "even.mp4", tmp_path / "jump.mp4"
    write_clip(
        path,
        frames=Footage(seed=5, width=160, height=96, frames=int(8 * rate), rate=rate),
        runs=runs_of(music_like(2, 8.0, 48000)),
        video=VideoEncoding(160, 96, rate, gop_frames=25),
        audio=AudioEncoding(),
    )
    start_s, end_s = made(path, target, kind="video_gap", jump_ms=1500.0)
    (finding,) = findings(target)
    assert finding.evidence["kind"] == "video_gap"
    assert finding.start_s == pytest.approx(start_s, abs=0.1)
    assert finding.end_s == pytest.approx(end_s, abs=0.1)


def test_lost_frames_damage_those_that_refer_to_them(clean: Path, tmp_path: Path) -> None:
    target = tmp_path / "lost.mkv"
    start_s, end_s = made(clean, target, kind="lost_video", share=0.3)
    assert end_s == pytest.approx(3.0, abs=0.05)  # the next key frame
    (finding,) = findings(target)
    assert finding.interval.iou(type(finding.interval)(start_s, end_s)) > 0.8


def test_frames_at_their_own_pace_have_no_gaps() -> None:
    video = VideoInfo(
        160, 96, 80, 48, 8, "yuv420p", RATE, Fraction(1, 1000), "h264", variable_frame_rate=True
    )
    rng = np.random.default_rng(2)
    meter = StepMeter(video)
    steps = rng.integers(30, 350, 200)
    meter.push(np.cumsum(steps), steps)
    assert gaps(meter.table(), video, 1.9, 60.0) == []
    even = StepMeter(video)
    even.push(np.cumsum(np.r_[np.full(100, 40), 240, np.full(100, 40)]), np.zeros(201, np.int64))
    (gap,) = gaps(even.table(), video, 1.9, 9.0)
    assert (gap.at_s, gap.missing_s) == (pytest.approx(4.24), pytest.approx(0.2))


def test_complaints_that_overlap_are_one_fault() -> None:
    faults = [
        Fault("decode_error", 1.0, 3.0, video=True),
        Fault("video_gap", 1.5, 3.0, 0.2, video=True),
        Fault("decode_error", 1.2, 1.3),  # the sound's own
        Fault("corrupt_frame", 5.0, 6.0, video=True),
    ]
    found = joined(faults, 1.0)
    assert sorted((f.kind, f.start_s, f.end_s, f.events, f.video) for f in found) == [
        ("corrupt_frame", 5.0, 6.0, 1, True),
        ("decode_error", 1.0, 3.0, 2, True),
        ("decode_error", 1.2, 1.3, 1, False),
    ]
    assert any(f.evidence().get("kinds") == ["decode_error", "video_gap"] for f in found)
