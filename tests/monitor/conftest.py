"""Small transport streams with known content, and what collects the events of a channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import Writer
from defectscope.simulate.synthetic.material import Look, Scene, frame_of
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

RATE = 25
SAMPLE_RATE_HZ = 48_000
WIDTH, HEIGHT = 320, 180


class Events:
    """Collects events and waits for them."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def __call__(self, event: dict[str, Any]) -> None:
        with self._changed:
            self.all.append(event)
            self._changed.notify_all()

    def of(self, defect: str, state: str) -> list[dict[str, Any]]:
        return [
            e for e in self.all if e["data"]["defect"] == defect and e["data"]["state"] == state
        ]

    def wait_for(self, defect: str, state: str, timeout_s: float = 15.0, count: int = 1) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.of(defect, state)) >= count, timeout_s)


@pytest.fixture
def events() -> Events:
    return Events()


def write_stream(
    path: Path,
    seconds: float,
    black: tuple[float, float] | None = None,
    crf: float = 20.0,
    seed: int = 5,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> bytes:
    """Writes moving video and speech as a transport stream, black in between."""
    # Filmed by a tripod on a quiet day: nothing in it that any detector would mention.
    scene = Scene(seed, *size, Look(pan_px_per_s=(24.0, 0.0), object_px_per_s=30.0))
    sound = music_like(seed, seconds, SAMPLE_RATE_HZ)
    video = VideoEncoding(
        width=size[0], height=size[1], rate=Fraction(RATE), gop_frames=RATE, b_frames=0, crf=crf
    )
    audio = AudioEncoding(rate_hz=SAMPLE_RATE_HZ, bit_rate=128_000)
    runs = runs_of(sound, SAMPLE_RATE_HZ // RATE)
    with Writer(path, video=video, audio=audio, container_format="mpegts") as writer:
        for number in range(round(seconds * RATE)):
            codes = scene.frame(number / RATE, noise_key=number)
            if black is not None and black[0] <= number / RATE < black[1]:
                codes = [np.full_like(codes[0], 16), *(np.full_like(c, 128) for c in codes[1:])]
            writer.write_frame(frame_of(codes, number))
            writer.write_samples(next(runs))
    return path.read_bytes()


@pytest.fixture(scope="session")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    folder = tmp_path_factory.mktemp("streams")
    made: dict[Any, bytes] = {}

    def make(
        seconds: float,
        black: tuple[float, float] | None = None,
        crf: float = 20.0,
        size: tuple[int, int] = (WIDTH, HEIGHT),
    ) -> bytes:
        key = (seconds, black, crf, size)
        if key not in made:
            path = folder / f"{len(made)}.ts"
            made[key] = write_stream(path, seconds, black, crf, size=size)
        return made[key]

    return make


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        if condition():
            return True
        time.sleep(0.01)
    return False
