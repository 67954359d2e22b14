"""Makes a film whose every frame names itself and whose sound can be placed to the sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from defectscope.capture.marks import FrameMark
from defectscope.errors import InvalidParameterError
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Plane, Samples
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage

RATE_HZ = 48_000
# Noise that never repeats: a second of it can be found again anywhere in the sound.
_NOISE_SEED = 16_061
_NOISE_DBFS = -20.0
# A module of a code is at least this many pixels, or cameras blur it.
_MIN_MODULE_PX = 3
_LUMA_OF = {0: 16, 255: 235}
_SHORTEST_S, _LONGEST_S = 1.0, 3600.0


@dataclass(frozen=True)
class MezzanineSpec:
    """What is made.

    Attributes:
        content: Name of the title, without `;`.
        width: Width in pixels, a multiple of 2, at least 320.
        height: Height in pixels, a multiple of 2, at least 180.
        rate: Frames a second.
        duration_s: Length, 1 to 3600 s.

    Raises:
        InvalidParameterError: A value is out of range.
    """

    content: str = "DS1"
    width: int = 1280
    height: int = 720
    rate: Fraction = Fraction(25)
    duration_s: float = 30.0

    def __post_init__(self) -> None:
        if not self.content or ";" in self.content or len(self.content) > 64:
            raise InvalidParameterError("the name of the title has 1 to 64 characters and no `;`")
        if self.width < 320 or self.height < 180 or self.width % 2 or self.height % 2:
            raise InvalidParameterError(
                f"the frame is at least 320x180 and even, not {self.width}x{self.height}"
            )
        if not 1 <= self.rate <= 120:
            raise InvalidParameterError(f"the rate is 1 to 120 frames a second, not {self.rate}")
        if not _SHORTEST_S <= self.duration_s <= _LONGEST_S:
            raise InvalidParameterError(
                f"the length is {_SHORTEST_S:g} to {_LONGEST_S:g} s, not {self.duration_s:g}"
            )

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return round(self.duration_s * self.rate)


def write_mezzanine(path: Path, spec: MezzanineSpec) -> None:
    """Writes the film.

    Args:
        path: Where to write; the suffix names the container.
        spec: What to make.

    Raises:
        InvalidParameterError: The file cannot be written.
    """
    write_clip(
        path,
        frames=marked_frames(spec),
        runs=_runs(reference_sound(float(spec.frames / spec.rate))),
        video=VideoEncoding(spec.width, spec.height, spec.rate, crf=18.0),
        audio=AudioEncoding(),
    )


def marked_frames(spec: MezzanineSpec) -> Iterator[Frame]:
    """Returns the frames: moving leaves, and a code that stands left and right in turns.

    The code changes its side with every frame, so that a capture that catches two frames at once
    shows both instead of neither.
    """
    footage = Footage(
        seed=1, width=spec.width, height=spec.height, frames=spec.frames, rate=spec.rate
    )
    for number, frame in enumerate(footage, 1):
        mark = FrameMark(spec.content, number, spec.rate)
        yield Frame(frame.pts, 1, _stamped(frame, mark.modules(), number), 8)


def _stamped(frame: Frame, modules: NDArray[np.uint8], number: int) -> tuple[Plane, ...]:
    planes = [plane.pixels.copy() for plane in frame.planes]
    height, width = planes[0].shape
    module_px = max(_MIN_MODULE_PX, min(int(height * 0.6), width // 2 - 16) // len(modules))
    code = np.kron(modules, np.ones((module_px, module_px), np.uint8))
    code = np.where(code > 0, _LUMA_OF[255], _LUMA_OF[0]).astype(np.uint8)
    side = len(code) // 2 * 2
    code = code[:side, :side]
    top = (height - side) // 4 * 2
    left = 8 if number % 2 else width - side - 8
    planes[0][top : top + side, left : left + side] = code
    for chroma in planes[1:]:
        chroma[top // 2 : (top + side) // 2, left // 2 : (left + side) // 2] = 128
    return tuple(Plane(p, p.shape[1], p.shape[0]) for p in planes)


def reference_sound(duration_s: float) -> NDArray[np.float32]:
    """Returns the sound of a mezzanine, (samples,) at 48 kHz: noise of 300 Hz to 6 kHz.

    The same at every length: a longer one begins like a shorter one.
    """
    seconds = int(np.ceil(duration_s))
    parts = [_second(k) for k in range(seconds)]
    return np.concatenate(parts)[: round(duration_s * RATE_HZ)]


def _second(number: int) -> NDArray[np.float32]:
    rng = np.random.default_rng((_NOISE_SEED, number))
    spectrum = np.fft.rfft(rng.standard_normal(RATE_HZ))
    frequency_hz = np.fft.rfftfreq(RATE_HZ, 1 / RATE_HZ)
    spectrum[(frequency_hz < 300) | (frequency_hz > 6000)] = 0
    noise = np.fft.irfft(spectrum, RATE_HZ)
    level = np.sqrt(np.mean(np.square(noise)))
    return (noise * 10 ** (_NOISE_DBFS / 20) / level).astype(np.float32)


def _runs(sound: NDArray[np.float32]) -> Iterator[Samples]:
    stereo = np.repeat(sound[:, None], 2, axis=1)
    for start in range(0, len(stereo), RATE_HZ // 10):
        yield Samples(start, stereo[start : start + RATE_HZ // 10])
