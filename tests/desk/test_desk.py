"""Names of inputs, instants, frames in memory, and many files at once."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from defectscope import analyze
from defectscope.desk import pool
from defectscope.desk.inputs import Item, expand
from defectscope.desk.pool import analyze_all
from defectscope.desk.times import seconds_of
from defectscope.errors import InvalidParameterError, MediaNotFoundError
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.media.timecode import Timecode

RATE = Fraction(25)


def stream(start: str) -> StreamInfo:
    video = VideoInfo(16, 16, 8, 8, 8, "yuv420p", RATE, 1 / RATE, "h264")
    return StreamInfo("a", "mov", 60.0, video, None, start_timecode=Timecode.parse(start, RATE))


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_folder_gives_its_media_by_name(tmp_path: Path) -> None:
    made(tmp_path, "b.mov", "a.mxf", "notes.txt", ".hidden.mov", "deep/c.mp4")
    assert [i.name for i in expand([str(tmp_path)])] == ["a.mxf", "b.mov"]
    names = [i.name for i in expand([str(tmp_path)], recursive=True)]
    assert names == ["a.mxf", "b.mov", "deep/c.mp4"]


def test_files_of_one_name_keep_their_folders(tmp_path: Path) -> None:
    made(tmp_path, "one/x/a.mov", "two/x/a.mov", "two/b.mov")
    items = expand([str(tmp_path / p) for p in ("one/x/a.mov", "two/x/a.mov", "two/b.mov")])
    assert [i.name for i in items] == ["one/x/a.mov", "two/x/a.mov", "b.mov"]
    assert (
        len({i.name for i in expand([str(tmp_path / "one"), str(tmp_path)], recursive=True)}) == 3
    )


def test_patterns_and_each_file_once(tmp_path: Path) -> None:
    made(tmp_path, "a.mov", "b.mov", "c.txt")
    assert [i.name for i in expand([f"{tmp_path}/*.mov", str(tmp_path / "a.mov")])] == [
        *("a.mov", "b.mov")
    ]
    with pytest.raises(MediaNotFoundError, match="nothing matches"):
        expand([f"{tmp_path}/*.mxf"])
    made(tmp_path, "empty/c.txt")
    with pytest.raises(MediaNotFoundError, match="--recursive"):
        expand([str(tmp_path / "empty")])
    assert expand(["s3://bucket/a.mov"]) == [Item("s3://bucket/a.mov", "a.mov")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [(90, 90.0), ("90.5", 90.5), ("1:30", 90.0), ("01:00:01.5", 3601.5), ("10:00:01:05", 1.2)],
)
def test_instants(text: str | float, expected: float) -> None:
    assert seconds_of(text, stream("10:00:00:00")) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["soon", "09:00:00:00", "10:00:00:25", "", "-3"])
def test_no_instants(text: str) -> None:
    with pytest.raises(InvalidParameterError):
        seconds_of(text, stream("10:00:00:00"))
    with pytest.raises(InvalidParameterError, match="needs video"):
        seconds_of("10:00:00:00", None)


def moving(shape: tuple[int, ...]) -> np.ndarray:
    draw = np.random.default_rng(1)
    frames = draw.integers(60, 180, shape, dtype=np.uint8)
    frames[10:20] = 0
    return frames


@pytest.mark.parametrize("shape", [(40, 48, 64), (40, 48, 64, 3)])
def test_frames_in_memory(shape: tuple[int, ...]) -> None:
    report = analyze(moving(shape), frame_rate=25, detectors="black_frames")
    assert [(f.start_frame, f.end_frame) for f in report.findings] == [(10, 20)]


def test_frames_in_memory_need_a_rate_and_a_shape() -> None:
    with pytest.raises(InvalidParameterError, match="frame_rate"):
        analyze(moving((40, 48, 64)))
    with pytest.raises(InvalidParameterError, match="height"):
        analyze(np.zeros((4, 4)), frame_rate=25)
    with pytest.raises(InvalidParameterError, match="goes with"):
        analyze("a.mov", frame_rate=25)
    with pytest.raises(TypeError, match="detector"):
        analyze("a.mov", detector="freeze")  # type: ignore[call-overload]


def test_an_interval_after_the_programme_is_not_judged(impaired_clip: Path) -> None:
    for start_s in (12.0, 99, "00:00:12:00", "1:00"):
        report = analyze(impaired_clip, detectors="black_frames", start_s=start_s)
        assert not report.findings
        assert report.verdicts["black_frames"]["verdict"] == "not_judged"


def test_lists_and_folders_give_a_report_each(impaired_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("b.mp4", "a.mp4"):
        (folder / name).symlink_to(impaired_clip)
    found = analyze(folder, detectors="black_frames", end_s="00:00:03:00")
    assert isinstance(found, list)
    assert [Path(str(report.asset["uri"])).name for report in found] == ["a.mp4", "b.mp4"]
    listed = analyze([folder / "b.mp4"], detectors=["black_frames"], start_s=1, end_s=3.0)
    for report in (*found, *listed):
        assert [(f.defect, f.start_s) for f in report.findings] == [("black_frames", 2.0)]


def test_what_is_short_is_read_in_one_pass_and_that_is_said(
    impaired_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    analyze(str(impaired_clip), detectors="black_frames", workers=2)
    assert "12 s are too short to be shared by processes" in caplog.text
    caplog.clear()
    analyze(str(impaired_clip), detectors="black_frames", workers=2, start_s=11, end_s=99)
    assert "1 s are too short" in caplog.text


def test_several_at_once_and_a_bad_one(impaired_clip: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mov"
    bad.write_bytes(b"no media")
    items = expand([str(impaired_clip), str(bad)])
    found = list(analyze_all(items, {"detectors": "black_frames"}, workers=2))
    by_name = {outcome.item.name: outcome for outcome in found}
    report = by_name["impaired.mp4"].report
    assert report is not None
    assert report.asset["sha256"]
    assert [f.defect for f in report.findings] == ["black_frames"]
    assert (by_name["bad.mov"].report, by_name["bad.mov"].code) == (None, "unreadable_media")
    assert by_name["bad.mov"].status == 3


def test_a_fault_of_the_program_is_diagnosed_in_a_process_too(
    impaired_clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    told: list[Any] = []

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault\nof ours")

    monkeypatch.setattr(pool, "analyze", broken)
    sink = SimpleNamespace(put=told.append)
    pool._work(0, Item(str(impaired_clip), "a.mp4"), {}, sink)  # pyright: ignore[reportPrivateUsage]
    (_, kind, (code, message, status)) = told[-1]
    assert (kind, code, status) == ("done", "internal_error", 70)
    saved = Path(message.rpartition(" is in ")[2])
    assert message.startswith("RuntimeError: a fault of ours; the diagnosis")
    assert "media: a.mp4" in saved.read_text()
    assert "raise RuntimeError" in saved.read_text()
