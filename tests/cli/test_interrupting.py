"""Ctrl-C with --workers: the command and every process that it started end at once, and quietly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import write_clip

DETECTORS = "blur,banding,video_noise,interlacing,compression_blockiness,letterbox,tearing,flicker"


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and a half of noise: far more than is analyzed before the signal comes."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    draw = np.random.default_rng(1)
    width, height, count = 640, 360, 25 * 90
    base = draw.integers(40, 200, (height + 60, width), np.uint8)

    def frames() -> object:
        for index in range(count):
            luma = np.ascontiguousarray(base[index % 60 :][:height])
            flat = np.full((height // 2, width // 2), 128, np.uint8)
            planes = (luma, flat, flat)
            kept = tuple(Plane(p, p.shape[1], p.shape[0]) for p in planes)
            yield Frame(pts=index, duration=1, planes=kept, bit_depth=8)

    encoding = VideoEncoding(width, height, Fraction(25), codec="mpeg2video", crf=None)
    write_clip(path, frames=frames(), video=encoding)  # pyright: ignore[reportArgumentType]
    return path


def others_of(group: int) -> int:
    """How many processes a group has beside its leader."""
    found = 0
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group:
                found += int(entry.name) != group
        except ProcessLookupError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("wait_s", [0.5, 2.0])
def test_ctrl_c_ends_all_processes_at_once(
    long_clip: Path, tmp_path: Path, copies: int, wait_s: float
) -> None:
    media = [str(long_clip)]
    if copies > 1:
        media.append(str(tmp_path / "other.mp4"))
        os.link(long_clip, media[1])
    command = [sys.executable, "-m", "defectscope", "analyze", *media, "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--detectors", DETECTORS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        patient_s = time.monotonic() + 120
        # Both at work, and what keeps track of their shared memory.
        while others_of(process.pid) < 2 and process.poll() is None:
            assert time.monotonic() < patient_s
            time.sleep(0.05)
        time.sleep(wait_s)
        began_s = time.monotonic()
        # As a terminal does: to all of them.
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        took_s = time.monotonic() - began_s
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    sys.stdout.write(f"{copies} files, {wait_s} s in: ended {took_s:.2f} s after ctrl-C\n")
    assert process.returncode == 130
    assert took_s < 30
    assert (out, err) == ("", "defectscope: interrupted\n")
    gone_s = time.monotonic() + 60
    while others_of(process.pid) and time.monotonic() < gone_s:
        time.sleep(0.05)
    assert others_of(process.pid) == 0
