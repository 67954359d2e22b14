"""What a session shows of its master: rungs of the ladder over time, and the shape."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from defectscope.capture.session import SCHEMA, DeviceFacts, Session, write_session
from defectscope.cli.main import main
from defectscope.compare.alignment import NotComparableError
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.release.shown import shown_of
from defectscope.simulate.synthetic.material import Footage

WIDTH, HEIGHT, FPS, GRABS = 640, 360, 25, 30
RUNG_S = 2
RUNGS = (90, 180, 360)


def film(path: Path, seed: int, rungs: int = 2) -> Path:
    """A title as long as so many rungs are shown; shorter ones are not found in their sessions."""
    made = Footage(
        seed=seed,
        width=WIDTH,
        height=HEIGHT,
        frames=rungs * RUNG_S * FPS,
        rate=Fraction(FPS),
        cuts_s=(1.2,),
    )
    write_clip(path, frames=made, video=VideoEncoding(WIDTH, HEIGHT, Fraction(FPS), crf=16.0))
    return path


def coded(frames: list[av.VideoFrame], crf: int, into: Any, rate: int) -> None:
    with av.open(into, "w", format="matroska") as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def session(folder: Path, master: Path, rungs: tuple[int, ...], shown_width: int = WIDTH) -> Path:
    """A capture whose player changes the rung every two seconds and fills part of the screen."""
    with av.open(str(master)) as film:
        frames = [f.reformat(WIDTH, HEIGHT, "yuv420p") for f in film.decode(video=0)]
    screen: list[av.VideoFrame] = []
    for at, lines in zip(range(0, len(frames), RUNG_S * FPS), rungs, strict=True):
        size = lines * 16 // 9 // 2 * 2, lines
        low = [
            f.reformat(*size, "yuv420p", interpolation="BICUBIC")
            for f in frames[at:][: RUNG_S * FPS]
        ]
        stored = io.BytesIO()
        coded(low, 23, stored, FPS)
        stored.seek(0)
        with av.open(stored) as sent:
            screen += [scaled(frame, shown_width) for frame in sent.decode(video=0)]
    count = len(screen) * GRABS // FPS
    grabbed = [screen[k * FPS // GRABS].to_ndarray() for k in range(count)]
    coded(
        [av.VideoFrame.from_ndarray(each, "yuv420p") for each in grabbed],
        12,
        str(folder / "run.mkv"),
        GRABS,
    )
    times_us = tuple(round(1e6 * k / GRABS) for k in range(count))
    path = folder / "run.session.json"
    facts = Session(
        SCHEMA, "run.mkv", "x11grab::99", float(GRABS), 1e9, DeviceFacts(), (), (), times_us, 0, 0,
        None,
    )  # fmt: skip
    write_session(path, facts)
    return path


def scaled(frame: av.VideoFrame, width: int) -> av.VideoFrame:
    """The frame as a device scales it, in the middle of a black screen."""
    part = frame.reformat(width, HEIGHT, "rgb24", interpolation="BILINEAR").to_ndarray()
    screen = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    left = (WIDTH - width) // 2
    screen[:, left : left + width] = part
    return av.VideoFrame.from_ndarray(screen, "rgb24").reformat(format="yuv420p")


def test_rungs_are_told_over_time_and_the_shape_is_the_titles(tmp_path: Path) -> None:
    master = film(tmp_path / "title.mp4", 21, len(RUNGS))
    found = shown_of(session(tmp_path, master, RUNGS), master)
    assert not found.is_distorted
    assert found.frames >= 0.95 * len(RUNGS) * RUNG_S * FPS
    assert [rung.interval.start_s for rung in found.rungs] == pytest.approx([0, 2, 4], abs=0.5)
    lines = [rung.lines for rung in found.rungs]
    assert lines == [pytest.approx(true, rel=0.25) for true in RUNGS]


def test_a_title_squeezed_into_another_shape_is_told(tmp_path: Path, capsys: Any) -> None:
    master = film(tmp_path / "title.mp4", 21)
    path = session(tmp_path, master, (360, 360), shown_width=480)
    assert main(["capture", "read", str(path), "--master", str(master), "--detectors", "none"]) == 0
    shown = json.loads(capsys.readouterr().out)["shown"]
    assert shown["distorted"]
    assert shown["aspect"] == pytest.approx(4 / 3, rel=0.02)
    assert shown["master_aspect"] == pytest.approx(16 / 9, rel=0.02)
    (rung,) = shown["rungs"]
    assert rung["lines"] == pytest.approx(360, rel=0.2)


def test_another_title_gets_no_figure(tmp_path: Path) -> None:
    path = session(tmp_path, film(tmp_path / "title.mp4", 21), (360, 360))
    with pytest.raises(NotComparableError):
        shown_of(path, film(tmp_path / "other.mp4", 77))
