from __future__ import annotations

import base64
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sample_reports import finding, full_report, huge_report

from defectscope.findings import Report
from defectscope.media.stills import encode_jpeg, read_stills
from defectscope.report.html import MAX_HEAVY_BYTES, render, write
from defectscope.report.thumbnails import choose, instant_s

FRAMES, FPS = 150, 25
TICKS = 512  # per frame: the MP4 writer takes a time base of 1/12800 for 25 fps


def level_of(frame: int) -> int:
    return 40 + frame


@pytest.fixture(scope="module", params=[25, 500], ids=["short-gop", "one-gop"])
def ramp(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey frames that brighten by one step each, so that a frame says which frame it is."""
    path = tmp_path_factory.mktemp("ramp") / "ramp.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"crf": "4", "g": str(request.param), "preset": "ultrafast"}
        for index in range(FRAMES):
            rgb = np.full((64, 96, 3), level_of(index), np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_frames_are_those_on_screen_in_any_order(ramp: Path) -> None:
    wanted = [149, 0, 75, 74, 76, 10, 100]
    # Half a frame in: the frame presented last before the instant is the one on screen.
    stills = read_stills(ramp, [(frame + 0.5) / FPS for frame in wanted], 32)
    for frame, still in zip(wanted, stills, strict=True):
        assert still is not None
        assert still.rgb.shape == (32, 48, 3)
        assert still.pts == frame * TICKS
        assert abs(float(still.rgb.mean()) - level_of(frame)) <= 2.0


def test_instants_outside_give_the_nearest_frame(ramp: Path) -> None:
    before, after = read_stills(ramp, [-3.0, 1e6], 64)
    assert before is not None
    assert after is not None
    assert abs(float(before.rgb.mean()) - level_of(0)) <= 2.0
    assert abs(float(after.rgb.mean()) - level_of(FRAMES - 1)) <= 2.0


def test_jpeg_keeps_colours_and_takes_odd_sizes() -> None:
    rgb = np.zeros((33, 47, 3), np.uint8)
    rgb[:, :24] = (200, 40, 30)
    rgb[:, 24:] = (20, 60, 210)
    data = encode_jpeg(rgb)
    assert data[:2] == b"\xff\xd8"
    assert data[-2:] == b"\xff\xd9"
    with av.open(io.BytesIO(data), format="mjpeg") as container:
        back = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert back.shape == (32, 46, 3)
    assert np.abs(back[4:-4, 4:16].astype(int).mean((0, 1)) - (200, 40, 30)).max() < 12
    assert np.abs(back[4:-4, 32:-4].astype(int).mean((0, 1)) - (20, 60, 210)).max() < 12


def data_of(page: str) -> Any:
    start = page.index('id="data">') + len('id="data">')
    return json.loads(page[start : page.index("</script>", start)])


def test_a_page_with_its_media_has_a_frame_per_finding(ramp: Path) -> None:
    report = full_report()
    page = render(report, ramp)
    stills = data_of(page)["stills"]
    assert len(stills) == len(report.findings)
    assert all(still["at"].startswith("/9j/") for still in stills.values())
    # The last frame before, the worst moment, the first frame after: the middles of frames.
    black = next(k for k, f in enumerate(report.findings) if f.start_s == 3.0)
    still = stills[str(black)]
    assert (still["before_s"], still["at_s"], still["after_s"]) == (2.98, 3.6, 4.22)
    assert "before" not in stills["0"]


def test_media_that_is_gone_costs_the_frames_only(tmp_path: Path) -> None:
    assert data_of(render(full_report(), tmp_path / "gone.mp4"))["stills"] == {}


def test_the_worst_of_every_detector_come_first() -> None:
    findings = huge_report(400).findings
    first = [findings[i].detector for i in choose(findings, 21)]
    assert len(set(first)) == 21
    assert len(choose(findings, 60)) == 60


def test_a_peak_inside_the_finding_is_what_is_shown() -> None:
    assert instant_s(finding("freeze", 2.0, 4.0)) == 3.0
    assert instant_s(finding("freeze", 2.0, 4.0, peak_s=2.2)) == 2.2
    assert instant_s(finding("freeze", 2.0, 4.0, peak_s=9.0)) == 3.0


def test_heavy_evidence_cannot_make_the_page_heavy() -> None:
    base = full_report()
    blob = base64.b64encode(bytes(150_000)).decode()
    many = tuple(
        finding("av_sync", k, k + 1, offset_ms=120.0, thumbnails_jpeg_base64=[blob])
        for k in range(60)
    )
    report = Report(base.asset, many, base.verdicts, {}, base.detectors, base.timing)
    page = render(report)
    assert len(page) < MAX_HEAVY_BYTES + 500_000
    assert "thumbnails_jpeg_base64 (in report.json)" in page
    assert page.count('"offset_ms":120.0') == 60


def test_five_thousand_findings_stay_under_four_megabytes() -> None:
    assert len(render(huge_report()).encode()) < 4_000_000


def test_writing_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    write(full_report(), target)
    assert target.read_text("utf-8").startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
