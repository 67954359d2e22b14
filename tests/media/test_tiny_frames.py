"""Frames too small for anything to be seen in: every detector of frames measures them all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from defectscope.analysis import analyze
from defectscope.detectors import load, names

NETWORKS = {"audio_artifacts", "av_sync", "block_corruption"}


def of_pictures() -> list[str]:
    return [n for n in names() if n not in NETWORKS and "video" in load(n).needs.media]


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 2), (3, 7), (64, 2), (2, 64), (16, 16)])
@pytest.mark.parametrize("pixels", ["gray", "bgr24"])
def test_tiny_frames_that_change_are_measured(
    tmp_path: Path, size: tuple[int, int], pixels: str
) -> None:
    width, height = size
    path = tmp_path / "tiny.nut"
    draw = np.random.default_rng(3)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for number in range(30):
            shape = (height, width) if pixels == "gray" else (height, width, 3)
            codes = draw.integers(0, 256, shape, np.uint8)
            frame = av.VideoFrame.from_ndarray(codes, format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    report = analyze(path, detectors=["stream_integrity", *of_pictures()])
    assert report.tracks[0]["frames"] == 30
    assert {v["verdict"] for v in report.verdicts.values()} <= {
        "pass",
        "warn",
        "fail",
        "inconclusive",
    }
